-- Makes a topic the current one: the topic whose records are counted.
-- The shared functions and constants are in checks.lua and arguments.lua.
--
-- KEYS    1 topic, 2 topics, 3 offsets, 4 dead letters
-- ARGV    the topic's id, the current time in ms since the Unix epoch
-- Returns 1 if the topic is the current one now; 0 if another topic replaced it earlier
--
-- A recreated topic starts at offset 0, so the applied offsets of the previous topic do not apply to it: delete them. Keep
-- the counts, because those votes remain valid. A replaced topic cannot become the current one again: its applied offsets are
-- deleted, and a consumer that still reads it has old metadata.

local TOPIC, TOPICS, OFFSETS, DEAD_LETTERS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, now = ARGV[1], ARGV[2]

check_type(TOPIC, 'string', TOPIC_ADVICE)
check_type(TOPICS, 'hash', TOPICS_ADVICE)
if problem then
  return redis.error_reply(problem)
end

local current = redis.call('GET', TOPIC)
if current == id then
  return 1
end
if redis.call('HEXISTS', TOPICS, id) == 1 then
  return 0
end
check_permission('SET', TOPIC, id)
check_permission('HSET', TOPICS, id, now)
check_permission('DEL', OFFSETS, DEAD_LETTERS)
if problem then
  return redis.error_reply(problem)
end

redis.call('SET', TOPIC, id)
redis.call('HSET', TOPICS, id, now)
if current then
  redis.call('DEL', OFFSETS, DEAD_LETTERS)
end
return 1
