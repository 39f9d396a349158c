-- Records that the top sets are complete, unless something has changed since this run began: another run began, the counts
-- were corrected, or a program that does not update the top sets counted votes.
-- The shared functions and constants are in checks.lua and arguments.lua.
--
-- KEYS    1 state of the top sets, 2 total
-- ARGV    the id of this run
-- Returns 1 if the top sets are complete, otherwise 0

local STATE, TOTAL = KEYS[1], KEYS[2]

check_type(STATE, 'hash', DELETE)
check_type(TOTAL, 'string', REBUILD)
if problem then
  return redis.error_reply(problem)
end
local state = redis.call('HMGET', STATE, 'state', 'total')
if state[1] ~= ARGV[1] or state[2] ~= (redis.call('GET', TOTAL) or '0') then
  return 0
end
redis.call('HSET', STATE, 'state', 'complete')
return 1
