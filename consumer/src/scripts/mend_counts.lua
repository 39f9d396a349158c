-- Deletes counts that no script can increment, so that a correction can add them again.
-- The shared functions and constants are in checks.lua and arguments.lua.
--
-- KEYS    1 total, then the hashes, then their top sets, then the state of the top sets
-- ARGV    the number of hashes; for each hash: the number of fields to check, then the fields
-- Returns the number of deleted keys and fields
--
-- Only what is broken now is deleted: another program may have mended it since it was read.

local hashes = tonumber(argument())
local deleted = 0

local function is_broken(key, field, value)
  problem = nil
  integer(key, field, value, REBUILD)
  return problem ~= nil
end

local function delete_if_not(expected, key)
  local found = redis.call('TYPE', key).ok
  if found ~= expected and found ~= 'none' then
    redis.call('DEL', key)
    deleted = deleted + 1
  end
end

delete_if_not('string', KEYS[1])
delete_if_not('hash', KEYS[#KEYS])
if is_broken(KEYS[1], nil, redis.call('GET', KEYS[1])) then
  redis.call('DEL', KEYS[1])
  deleted = deleted + 1
end
for hash = 2, 1 + hashes do
  delete_if_not('hash', KEYS[hash])
  delete_if_not('zset', KEYS[hash + hashes])
  for _ = 1, tonumber(argument()) do
    local field = argument()
    if is_broken(KEYS[hash], field, redis.call('HGET', KEYS[hash], field)) then
      redis.call('HDEL', KEYS[hash], field)
      deleted = deleted + 1
    end
  end
end
return deleted
