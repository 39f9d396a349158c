-- Adds a correction to the counts, or changes nothing.
--
-- KEYS    1 topic, 2 topics, 3 offsets, 4 corrections, 5 total; then the hashes
-- ARGV    the state from which the correction was computed: the topic's id ('' for none), the time of its registration
--         ('' for none), the number of corrections so far ('' for none), the number of applied offsets, then pairs of
--         partition and applied offset;
--         the correction: the increment of the total; for each hash the number of pairs, then pairs of field and increment
-- Returns 1 if the counts are corrected; 0 if the correction no longer matches the counts
--
-- The correction is a difference, so votes that were counted since then stay counted. It is wrong only if Redis no longer
-- builds on the counts from which it was computed: another topic is current, Redis restarted with older data or without
-- data, or another correction was made.

local TOPIC, TOPICS, OFFSETS, CORRECTIONS, TOTAL, FIRST_HASH = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], 6

local cursor = 0
local function argument()
  cursor = cursor + 1
  return ARGV[cursor]
end

local topic, registered, corrections = argument(), argument(), argument()
if (redis.call('GET', TOPIC) or '') ~= topic
  or (redis.call('HGET', TOPICS, topic) or '') ~= registered
  or (redis.call('GET', CORRECTIONS) or '') ~= corrections then
  return 0
end
for _ = 1, tonumber(argument()) do
  local partition, applied_offset = argument(), tonumber(argument())
  if (tonumber(redis.call('HGET', OFFSETS, partition) or '') or -1) < applied_offset then
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
