-- Reads what there is to know for each login event; changes nothing.
-- KEYS, three an event: decided, remembered, budget. ARGV: a browser's hash an event, or ''.
-- Returns three values an event: the decision's record, the browser's record, the prompts' instants.
local CHUNK = 1000  -- Lua's stack has room for some thousand values

local answers = {}
for first = 1, #ARGV, CHUNK do
  local last = math.min(first + CHUNK - 1, #ARGV)
  local names = {}
  for i = first, last do
    names[#names + 1] = KEYS[3 * i - 2]
  end
  -- One call for all is half the work of a call each.
  local decided = redis.call('MGET', unpack(names))
  for i = first, last do
    local k = 3 * i - 2
    answers[k] = decided[i - first + 1]
    answers[k + 1] = ARGV[i] ~= '' and redis.call('HGET', KEYS[k + 1], ARGV[i])
    local prompts = redis.call('ZRANGE', KEYS[k + 2], 0, -1, 'WITHSCORES')
    local instants = {}
    for j = 2, #prompts, 2 do
      instants[j / 2] = prompts[j]
    end
    answers[k + 2] = instants
  end
end
return answers
