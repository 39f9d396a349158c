-- Checks that the scripts share. Redis does not roll back a script that fails: its earlier writes stay, and a retry repeats
-- them. Therefore every script checks all keys and values before its first write. A script without flags is also not
-- started if Redis rejects writes: it is full, a replica, or cannot write to its disk.

-- Up to this number, the double-precision numbers of Lua and of sorted sets are exact.
local MAX_COUNT = 9007199254740991
-- The maximum number of arguments of one command. The stack of Lua holds about 8,000 values.
local MAX_ARGUMENTS = 1000

-- What to do about a broken key, as the end of a sentence.
local REBUILD = 'run `consumer rebuild`'
local DELETE = 'delete it'
local RECOUNT = 'delete it, wait until the consumers have counted the records again, then run `consumer rebuild`'
local TOPIC_ADVICE = 'set it to the newest id in {votes}:topics'
local TOPICS_ADVICE = 'delete it and {votes}:topic'

-- The first problem, as the text of an error.
local problem

local function show(value)
  local text = string.gsub(string.sub(value, 1, 200), '%c', '?')
  return '"' .. text .. '"'
end

local function report(where, found, expected, advice)
  problem = problem
    or 'BROKENKEY ' .. where .. ' is ' .. found .. ', not ' .. expected .. '; nothing was counted: ' .. advice
end

-- Reports a key that exists and has another type.
local function check_type(key, expected, advice)
  local found = redis.call('TYPE', key).ok
  if found ~= expected and found ~= 'none' then
    report(key, 'a ' .. found, 'a ' .. expected, advice)
  end
end

-- The number in a value, 0 if there is none. Only the form that Redis itself writes is a number.
local function integer(key, field, value, advice)
  local number = 0
  if value then
    local is_integer = value == '0' or (string.match(value, '^%-?[1-9]%d*$') and #value <= 17)
    number = is_integer and tonumber(value) or MAX_COUNT + 1
  end
  if math.abs(number) > MAX_COUNT then
    local where = field and (key .. ', field ' .. show(field) .. ',') or key
    report(where, show(value), 'an integer of at most 16 digits', advice)
    return 0
  end
  return number
end

-- Reports a command that the user of this connection may not run.
local function check_permission(...)
  if not redis.acl_check_cmd(...) then
    local command, key = ...
    problem = problem
      or 'NOPERM this user may not run ' .. command .. ' on ' .. key .. '; nothing was counted: permit it (ACL SETUSER)'
  end
end

local function text(number)
  return string.format('%.0f', number)
end

-- Calls `use` with every MAX_ARGUMENTS of a list, together with the position of the first.
local function in_chunks(list, use)
  for first = 1, #list, MAX_ARGUMENTS do
    use({ unpack(list, first, math.min(first + MAX_ARGUMENTS - 1, #list)) }, first)
  end
end
