-- Reads the arguments of a script in order.

-- The position of the last argument that was read.
local cursor = 0

-- The next argument.
local function argument()
  cursor = cursor + 1
  return ARGV[cursor]
end
