-- Corrects the counts, or changes nothing at all.
--
-- KEYS  1 topic, 2 topics, 3 offsets, 4 corrections, 5 total, 6 band, 7 album, 8 route
-- ARGV  as they were when the correction was worked out: the topic's id ('' for none), since when it is counted ('' for
--       none), number of corrections ever ('' for none), number of fences, then pairs of partition and fence;
--       what to add: to the total; for band, album and route: number of pairs, then pairs of field and increment
-- Answer  1 corrected, 0 the counts are not those that the correction was worked out for
--
-- The correction is a difference, so what was counted since then stays counted. It is wrong only if the counts it was
-- worked out for are gone: another topic, a Redis that came back older or empty, or another correction.

local TOPIC, TOPICS, OFFSETS, CORRECTIONS, TOTAL, FIRST_HASH = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], 6

local cursor = 0
local function argument()
  cursor = cursor + 1
  return ARGV[cursor]
end

local topic, since, corrections = argument(), argument(), argument()
if (redis.call('GET', TOPIC) or '') ~= topic
  or (redis.call('HGET', TOPICS, topic) or '') ~= since
  or (redis.call('GET', CORRECTIONS) or '') ~= corrections then
  return 0
end
for _ = 1, tonumber(argument()) do
  local partition, fence = argument(), tonumber(argument())
  if (tonumber(redis.call('HGET', OFFSETS, partition) or '') or -1) < fence then
    return 0
  end
end

redis.call('INCR', CORRECTIONS)
redis.call('INCRBY', TOTAL, argument())
for hash = FIRST_HASH, #KEYS do
  for _ = 1, tonumber(argument()) do
    local field, increment = argument(), argument()
    if redis.call('HINCRBY', KEYS[hash], field, increment) == 0 then
      redis.call('HDEL', KEYS[hash], field)
    end
  end
end
return 1
