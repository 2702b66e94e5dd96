-- Takes a call's arguments and keys one after the other. `at` and `key_at` are where they go on.
local at, key_at = 1, 1
local function take(n)
  at = at + n
  return unpack(ARGV, at - n, at - 1)
end
local function take_keys(n)
  key_at = key_at + n
  return unpack(KEYS, key_at - n, key_at - 1)
end
