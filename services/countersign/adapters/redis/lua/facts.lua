-- Reads what there is to know for each login event; changes nothing.
-- KEYS, three an event: decided, budget, remembered. ARGV: a browser's hash an event, or ''.
-- Returns three values an event: the decision's record, the budget, the browser's record.
local CHUNK = 1000  -- Lua's stack has room for some thousand values

local answers = {}
for first = 1, #ARGV, CHUNK do
  local last = math.min(first + CHUNK - 1, #ARGV)
  local names = {}
  for i = first, last do
    names[#names + 1] = KEYS[3 * i - 2]
    names[#names + 1] = KEYS[3 * i - 1]
  end
  -- One call for all costs a fraction of a call each.
  local found = redis.call('MGET', unpack(names))
  for i = first, last do
    local at = 2 * (i - first)
    answers[3 * i - 2] = found[at + 1]
    answers[3 * i - 1] = found[at + 2]
    answers[3 * i] = ARGV[i] ~= '' and redis.call('HGET', KEYS[3 * i], ARGV[i])
  end
end
return answers
