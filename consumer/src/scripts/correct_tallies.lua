-- Adds a correction, or a part of one, to the counts, or changes nothing. checks.lua and arguments.lua define the shared
-- functions and constants.
--
-- KEYS    1 topic, 2 topics, 3 offsets, 4 corrections, 5 total, 6 state of the top sets; then the hashes
-- ARGV    the state from which the correction was computed: the topic's id ('' for none), the time of its registration
--         ('' for none), the number of corrections so far ('' for none), the number of applied offsets, then pairs of
--         partition and applied offset;
--         the correction: the increment of the total; for each hash the number of pairs, then pairs of field and increment
-- Returns 1 if the counts are corrected; 0 if the correction no longer matches the counts
--
-- The correction is a difference, so votes that were counted since then stay counted. It is wrong only if Redis no longer
-- builds on the counts from which it was computed: another topic is current, Redis restarted with older data or without
-- data, or another correction was made.
--
-- The top sets do not follow a correction: they are built again afterwards.

local TOPIC, TOPICS, OFFSETS, CORRECTIONS, TOTAL, TOP_STATE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local FIRST_HASH = 7

check_type(TOPIC, 'string', TOPIC_ADVICE)
check_type(TOPICS, 'hash', TOPICS_ADVICE)
check_type(OFFSETS, 'hash', RECOUNT)
check_type(CORRECTIONS, 'string', DELETE)
check_type(TOTAL, 'string', REBUILD)
for hash = FIRST_HASH, #KEYS do
  check_type(KEYS[hash], 'hash', REBUILD)
end
if problem then
  return redis.error_reply(problem)
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

-- The new value of a count, as text. Sets `problem` if the old or the new value is out of range.
local function sum(key, field, value, increment)
  local new = integer(key, field, value, REBUILD) + tonumber(increment)
  integer(key, field, text(new), REBUILD)
  return text(new)
end

local new_corrections = sum(CORRECTIONS, nil, redis.call('GET', CORRECTIONS), 1)
local new_total = sum(TOTAL, nil, redis.call('GET', TOTAL), argument())
local changed, zero = {}, {}
for hash = FIRST_HASH, #KEYS do
  changed[hash], zero[hash] = {}, {}
  for _ = 1, tonumber(argument()) do
    local field, increment = argument(), argument()
    local count = sum(KEYS[hash], field, redis.call('HGET', KEYS[hash], field), increment)
    if count == '0' then
      zero[hash][#zero[hash] + 1] = field
    else
      changed[hash][#changed[hash] + 1] = field
      changed[hash][#changed[hash] + 1] = count
    end
  end
  check_permission('HSET', KEYS[hash], 'field', '1')
  check_permission('HDEL', KEYS[hash], 'field')
end
check_permission('SET', CORRECTIONS, '1')
check_permission('SET', TOTAL, '1')
check_permission('DEL', TOP_STATE)
if problem then
  return redis.error_reply(problem)
end

-- From here on, nothing can fail.
redis.call('SET', CORRECTIONS, new_corrections)
redis.call('SET', TOTAL, new_total)
for hash = FIRST_HASH, #KEYS do
  in_chunks(changed[hash], function(chunk)
    redis.call('HSET', KEYS[hash], unpack(chunk))
  end)
  in_chunks(zero[hash], function(chunk)
    redis.call('HDEL', KEYS[hash], unpack(chunk))
  end)
end
redis.call('DEL', TOP_STATE)
return 1
