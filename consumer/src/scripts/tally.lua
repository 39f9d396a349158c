-- Counts one batch of one partition, or changes nothing. checks.lua and arguments.lua define the shared functions and
-- constants. A top set is a sorted set of the highest counts of a hash.
--
-- KEYS    1 topic, 2 offsets, 3 dead letters, 4 total, 5 hold (exists while a command reads all counts), 6 state of the
--         top sets; then the hashes; then their top sets; then one key for each vote whose id its client chose ("seen"
--         key)
-- ARGV    the topic's id, the partition, the applied offset that the batch builds on ('' for none), the applied offset
--         after this batch, the level of the dead-letter limit after this batch, the seconds for which an id is
--         remembered, the maximum size of a top set, the number of hashes, the number of votes with server-generated ids;
--         for each hash: the number of pairs, then pairs of field and increment;
--         for each seen key: the fingerprint of the vote, then one field for each hash
-- Returns {1, the number of votes that were counted before, the index of each among the seen keys (from 0), the index of
--         each of them whose fingerprint differs from that of the counted vote}, or {0, the applied offset in Redis (nil
--         for none)}, or {2} if another topic is the current one, or {3} if the hold exists
--
-- Redis may hold another applied offset than the batch builds on. Then either the batch is already counted (by an attempt
-- whose response was lost, or by another consumer), or Redis lost its latest writes. The script changes nothing. It returns
-- the applied offset, so that the caller can distinguish these cases.

local TOPIC, OFFSETS, DEAD_LETTERS, TOTAL, HOLD, TOP_STATE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local FIRST_HASH = 7

local topic, partition, expected, next_offset, level = argument(), argument(), argument(), argument(), argument()
local dedup_window_s, top_size, hashes, counted =
  argument(), tonumber(argument()), tonumber(argument()), tonumber(argument())
local first_top = FIRST_HASH + hashes
local first_seen = first_top + hashes

-- The types of all keys, except for seen keys.
check_type(TOPIC, 'string', TOPIC_ADVICE)
check_type(OFFSETS, 'hash', RECOUNT)
check_type(DEAD_LETTERS, 'hash', DELETE)
check_type(TOTAL, 'string', REBUILD)
check_type(TOP_STATE, 'hash', DELETE)
for hash = 0, hashes - 1 do
  check_type(KEYS[FIRST_HASH + hash], 'hash', REBUILD)
  check_type(KEYS[first_top + hash], 'zset', REBUILD)
end
if problem then
  return redis.error_reply(problem)
end

if redis.call('GET', TOPIC) ~= topic then
  return { 2 }
end
local applied_offset = redis.call('HGET', OFFSETS, partition)
integer(OFFSETS, partition, applied_offset, RECOUNT)
if problem then
  return redis.error_reply(problem)
end
if (applied_offset or '') ~= expected then
  return { 0, applied_offset }
end
if redis.call('EXISTS', HOLD) == 1 then
  return { 3 }
end

-- The increments of each hash. Add them up in Lua first: a Redis call costs ten times as much as an addition.
local increments = {}
for hash = 1, hashes do
  local sums = {}
  for _ = 1, tonumber(argument()) do
    local field, increment = argument(), argument()
    sums[field] = tonumber(increment)
  end
  increments[hash] = sums
end

-- The votes that are counted already, by their seen keys.
local remembered, conflicts, duplicates = {}, {}, {}
local seen_keys = {}
for key = first_seen, #KEYS do
  seen_keys[#seen_keys + 1] = KEYS[key]
end
in_chunks(seen_keys, function(keys)
  local unknown = {}
  for index, fingerprint in ipairs(redis.call('MGET', unpack(keys))) do
    if fingerprint then
      remembered[keys[index]] = fingerprint
    else
      unknown[#unknown + 1] = keys[index]
    end
  end
  -- MGET returns no value for a key of another type.
  if #unknown > 0 and redis.call('EXISTS', unpack(unknown)) > 0 then
    for _, key in ipairs(unknown) do
      check_type(key, 'string', DELETE .. ', then ' .. REBUILD)
    end
  end
end)
local new_keys = {}
for index, key in ipairs(seen_keys) do
  local fingerprint, before = argument(), remembered[key]
  if before then
    cursor = cursor + hashes
    duplicates[#duplicates + 1] = index - 1
    -- An earlier version stored 1 instead of a fingerprint.
    if before ~= fingerprint and before ~= '1' then
      conflicts[#conflicts + 1] = index - 1
    end
  else
    remembered[key] = fingerprint
    new_keys[#new_keys + 1] = key
    counted = counted + 1
    for hash = 1, hashes do
      local field, sums = argument(), increments[hash]
      sums[field] = (sums[field] or 0) + 1
    end
  end
end

-- The new counts: for each hash a list of field, count, field, count, and so on; and a list of count, field, and so on, for
-- its top set.
local total = redis.call('GET', TOTAL)
local new_total = integer(TOTAL, nil, total, REBUILD) + counted
local new_counts, new_top = {}, {}
for hash = 1, hashes do
  local key, top = KEYS[FIRST_HASH + hash - 1], KEYS[first_top + hash - 1]
  local fields, pairs_of_hash, pairs_of_top = {}, {}, {}
  for field in pairs(increments[hash]) do
    fields[#fields + 1] = field
  end
  -- A count below the lowest one of a full top set does not belong to it.
  local lowest = -MAX_COUNT
  if redis.call('ZCARD', top) >= top_size then
    lowest = tonumber(redis.call('ZRANGE', top, 0, 0, 'WITHSCORES')[2])
  end
  in_chunks(fields, function(chunk)
    for index, count in ipairs(redis.call('HMGET', key, unpack(chunk))) do
      local field = chunk[index]
      local new_count = integer(key, field, count, REBUILD) + increments[hash][field]
      integer(key, field, text(new_count), REBUILD)
      pairs_of_hash[#pairs_of_hash + 1] = field
      pairs_of_hash[#pairs_of_hash + 1] = text(new_count)
      if new_count >= lowest then
        pairs_of_top[#pairs_of_top + 1] = text(new_count)
        pairs_of_top[#pairs_of_top + 1] = field
      end
    end
  end)
  new_counts[hash], new_top[hash] = pairs_of_hash, pairs_of_top
  check_permission('HSET', key, 'field', '1')
  check_permission('ZADD', top, '1', 'member')
  check_permission('ZREMRANGEBYRANK', top, '0', '0')
end
integer(TOTAL, nil, text(new_total), REBUILD)
check_permission('SET', TOTAL, '1')
check_permission('HSET', OFFSETS, partition, next_offset)
check_permission('HSET', DEAD_LETTERS, partition, level)
check_permission('HDEL', DEAD_LETTERS, partition)
check_permission('HSET', TOP_STATE, 'total', '1')
check_permission('DEL', TOP_STATE)
if new_keys[1] then
  check_permission('SET', new_keys[1], '1', 'EX', dedup_window_s)
end
-- Whether votes were counted without an update of the top sets, by an older version of the consumer or an operator.
local is_top_outdated = (redis.call('HGET', TOP_STATE, 'total') or '0') ~= (total or '0')
if problem then
  return redis.error_reply(problem)
end

-- From here on, nothing can fail.
redis.call('SET', TOTAL, text(new_total))
for hash = 1, hashes do
  local key, top = KEYS[FIRST_HASH + hash - 1], KEYS[first_top + hash - 1]
  in_chunks(new_counts[hash], function(chunk)
    redis.call('HSET', key, unpack(chunk))
  end)
  in_chunks(new_top[hash], function(chunk)
    redis.call('ZADD', top, unpack(chunk))
  end)
  redis.call('ZREMRANGEBYRANK', top, 0, -top_size - 1)
end
for _, key in ipairs(new_keys) do
  redis.call('SET', key, remembered[key], 'EX', dedup_window_s)
end
redis.call('HSET', OFFSETS, partition, next_offset)
if level ~= '0' then
  redis.call('HSET', DEAD_LETTERS, partition, level)
else
  redis.call('HDEL', DEAD_LETTERS, partition)
end
if is_top_outdated then
  redis.call('DEL', TOP_STATE)
end
redis.call('HSET', TOP_STATE, 'total', text(new_total))

local response = { 1, #duplicates }
for _, index in ipairs(duplicates) do
  response[#response + 1] = index
end
for _, index in ipairs(conflicts) do
  response[#response + 1] = index
end
return response
