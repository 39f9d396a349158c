-- Adds fields of a hash to its top set with their current counts, and keeps the highest counts.
-- The shared functions and constants are in checks.lua and arguments.lua.
--
-- KEYS    1 hash, 2 top set
-- ARGV    the maximum size of the top set, then the fields (at most 1,000)
-- Returns nothing
--
-- A field that no longer exists leaves the top set. A count that is not a number is left out: counting reports it.

local HASH, TOP = KEYS[1], KEYS[2]
local top_size = tonumber(ARGV[1])

check_type(HASH, 'hash', REBUILD)
check_type(TOP, 'zset', REBUILD)
check_permission('ZADD', TOP, '1', 'member')
check_permission('ZREM', TOP, 'member')
if problem then
  return redis.error_reply(problem)
end

local fields = { unpack(ARGV, 2) }
local members, gone = {}, {}
for index, count in ipairs(redis.call('HMGET', HASH, unpack(fields))) do
  local field = fields[index]
  problem = nil
  local number = integer(HASH, field, count, REBUILD)
  if count and not problem then
    members[#members + 1] = text(number)
    members[#members + 1] = field
  else
    gone[#gone + 1] = field
  end
end
in_chunks(members, function(chunk)
  redis.call('ZADD', TOP, unpack(chunk))
end)
if gone[1] then
  redis.call('ZREM', TOP, unpack(gone))
end
redis.call('ZREMRANGEBYRANK', TOP, 0, -top_size - 1)
