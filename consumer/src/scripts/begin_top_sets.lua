-- Begins to build the top sets.
-- The shared functions and constants are in checks.lua and arguments.lua.
--
-- KEYS    1 state of the top sets, 2 total
-- ARGV    the id of this run
-- Returns nothing

local STATE, TOTAL = KEYS[1], KEYS[2]

check_type(STATE, 'hash', DELETE)
check_type(TOTAL, 'string', REBUILD)
check_permission('HSET', STATE, 'state', ARGV[1])
if problem then
  return redis.error_reply(problem)
end
redis.call('HSET', STATE, 'state', ARGV[1], 'total', redis.call('GET', TOTAL) or '0')
