-- Counts one batch of one partition, or nothing at all.
--
-- KEYS  1 topic, 2 offsets, 3 dead letters, 4 total, 5 band, 6 album, 7 route; then one seen key for each vote whose id
--       its client chose
-- ARGV  the topic's id, partition, the fence as its consumer believes it ('' for none), the fence after this batch,
--       the level of the dead-letter limit after this batch, seconds that an id is remembered, number of votes with
--       ids of our own;
--       for band, album and route: number of pairs, then pairs of field and increment;
--       for each seen key: band, album, route
-- Answer  {1, index of each vote that was seen before (from 0)}, or {0, the fence as it is (nil for none)}, or {2} if
--         another topic is counted now
--
-- A fence that is not the believed one means that this batch was counted already (by an attempt whose answer got lost,
-- or by another consumer), or that Redis lost its latest writes: the caller finds out by the fence, nothing changes.

local TOPIC, OFFSETS, DEAD_LETTERS, TOTAL, FIRST_HASH, FIRST_SEEN = KEYS[1], KEYS[2], KEYS[3], KEYS[4], 5, 8

local cursor = 0
local function argument()
  cursor = cursor + 1
  return ARGV[cursor]
end

if redis.call('GET', TOPIC) ~= argument() then
  return { 2 }
end

local partition, believed, after, level, remember_s = argument(), argument(), argument(), argument(), argument()

local fence = redis.call('HGET', OFFSETS, partition)
if (fence or '') ~= believed then
  return { 0, fence }
end

local counted = tonumber(argument())
-- Summed up here: a call to Redis costs ten times as much as an addition.
local increments = { {}, {}, {} }
local function add(hash, field, increment)
  local sums = increments[hash]
  sums[field] = (sums[field] or 0) + increment
end

for hash = 1, #increments do
  for _ = 1, tonumber(argument()) do
    local field, increment = argument(), argument()
    add(hash, field, increment)
  end
end

local answer = { 1 }
for key = FIRST_SEEN, #KEYS do
  local fields = { argument(), argument(), argument() }
  if redis.call('SET', KEYS[key], 1, 'NX', 'EX', remember_s) then
    counted = counted + 1
    for hash, field in ipairs(fields) do
      add(hash, field, 1)
    end
  else
    answer[#answer + 1] = key - FIRST_SEEN
  end
end

for hash, sums in ipairs(increments) do
  for field, increment in pairs(sums) do
    redis.call('HINCRBY', KEYS[FIRST_HASH + hash - 1], field, increment)
  end
end
redis.call('INCRBY', TOTAL, counted)
redis.call('HSET', OFFSETS, partition, after)
if level ~= '0' then
  redis.call('HSET', DEAD_LETTERS, partition, level)
else
  redis.call('HDEL', DEAD_LETTERS, partition)
end
return answer
