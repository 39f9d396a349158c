-- Counts one batch of one partition, or changes nothing.
--
-- KEYS    1 topic, 2 offsets, 3 dead letters, 4 total; then the hashes; then one key for each vote whose id its client
--         chose ("seen" key)
-- ARGV    the topic's id, the partition, the applied offset that the batch builds on ('' for none), the applied offset
--         after this batch, the level of the dead-letter limit after this batch, the seconds for which an id is
--         remembered, the number of hashes, the number of votes with server-generated ids;
--         for each hash: the number of pairs, then pairs of field and increment;
--         for each seen key: one field for each hash
-- Returns {1, index of each vote that was counted before (from 0)}, or {0, the applied offset in Redis (nil for none)}, or
--         {2} if another topic is the current one
--
-- Redis may hold another applied offset than the batch builds on. Then either the batch is already counted (by an attempt
-- whose response was lost, or by another consumer), or Redis lost its latest writes. The script changes nothing. It returns
-- the applied offset, so that the caller can distinguish these cases.

local TOPIC, OFFSETS, DEAD_LETTERS, TOTAL, FIRST_HASH = KEYS[1], KEYS[2], KEYS[3], KEYS[4], 5

local cursor = 0
local function argument()
  cursor = cursor + 1
  return ARGV[cursor]
end

if redis.call('GET', TOPIC) ~= argument() then
  return { 2 }
end

local partition, expected, next_offset, level, dedup_window_s = argument(), argument(), argument(), argument(), argument()

local applied_offset = redis.call('HGET', OFFSETS, partition)
if (applied_offset or '') ~= expected then
  return { 0, applied_offset }
end

local hashes = tonumber(argument())
local first_seen = FIRST_HASH + hashes
local counted = tonumber(argument())
-- Add up the increments in Lua first: a Redis call costs ten times as much as an addition.
local increments = {}
for hash = 1, hashes do
  increments[hash] = {}
end
local function add(hash, field, increment)
  local sums = increments[hash]
  sums[field] = (sums[field] or 0) + increment
end

for hash = 1, hashes do
  for _ = 1, tonumber(argument()) do
    local field, increment = argument(), argument()
    add(hash, field, increment)
  end
end

local response = { 1 }
for key = first_seen, #KEYS do
  if redis.call('SET', KEYS[key], 1, 'NX', 'EX', dedup_window_s) then
    counted = counted + 1
    for hash = 1, hashes do
      add(hash, argument(), 1)
    end
  else
    cursor = cursor + hashes
    response[#response + 1] = key - first_seen
  end
end

for hash, sums in ipairs(increments) do
  for field, increment in pairs(sums) do
    redis.call('HINCRBY', KEYS[FIRST_HASH + hash - 1], field, increment)
  end
end
redis.call('INCRBY', TOTAL, counted)
redis.call('HSET', OFFSETS, partition, next_offset)
if level ~= '0' then
  redis.call('HSET', DEAD_LETTERS, partition, level)
else
  redis.call('HDEL', DEAD_LETTERS, partition)
end
return response
