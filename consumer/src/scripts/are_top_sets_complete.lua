-- Returns 1 if the top sets are complete, otherwise 0.
-- The shared functions and constants are in checks.lua and arguments.lua.
--
-- KEYS    1 state of the top sets, 2 total; then the hashes; then their top sets
-- ARGV    the maximum size of a top set

local STATE, TOTAL = KEYS[1], KEYS[2]
local FIRST_HASH = 3
local top_size, hashes = tonumber(ARGV[1]), (#KEYS - 2) / 2

check_type(STATE, 'hash', DELETE)
check_type(TOTAL, 'string', REBUILD)
for hash = FIRST_HASH, FIRST_HASH + hashes - 1 do
  check_type(KEYS[hash], 'hash', REBUILD)
  check_type(KEYS[hash + hashes], 'zset', REBUILD)
end
if problem then
  return redis.error_reply(problem)
end

-- A program that does not update the top sets may have counted votes: an earlier version of the consumer.
local state = redis.call('HMGET', STATE, 'state', 'total')
if state[1] ~= 'complete' or state[2] ~= (redis.call('GET', TOTAL) or '0') then
  return 0
end
for hash = FIRST_HASH, FIRST_HASH + hashes - 1 do
  if redis.call('ZCARD', KEYS[hash + hashes]) ~= math.min(redis.call('HLEN', KEYS[hash]), top_size) then
    return 0
  end
end
return 1
