-- Reads the current topic and the progress of some partitions.
-- The shared functions and constants are in checks.lua and arguments.lua.
--
-- KEYS    1 topic, 2 offsets, 3 dead letters
-- ARGV    the partitions (at most 1,000)
-- Returns the topic's id, then the applied offset of each partition, then the level of the dead-letter limit of each; ''
--         for what does not exist

local TOPIC, OFFSETS, DEAD_LETTERS = KEYS[1], KEYS[2], KEYS[3]

check_type(TOPIC, 'string', TOPIC_ADVICE)
check_type(OFFSETS, 'hash', RECOUNT)
check_type(DEAD_LETTERS, 'hash', DELETE)
if problem then
  return redis.error_reply(problem)
end

local reply = { redis.call('GET', TOPIC) or '' }
for _, hash in ipairs({ OFFSETS, DEAD_LETTERS }) do
  for _, partition in ipairs(ARGV) do
    local value = redis.call('HGET', hash, partition)
    integer(hash, partition, value, hash == OFFSETS and RECOUNT or DELETE)
    reply[#reply + 1] = value or ''
  end
end
if problem then
  return redis.error_reply(problem)
end
return reply
