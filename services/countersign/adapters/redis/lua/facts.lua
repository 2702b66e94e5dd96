-- Reads what there is to know for each login event; changes nothing.
-- KEYS, three an event: decided, remembered, budget. ARGV: a browser's hash an event, or ''.
-- Returns three values an event: the decision's record, the browser's record, the prompts' instants.
local answers = {}
for i = 1, #ARGV do
  local k = 3 * i - 2
  answers[k] = redis.call('GET', KEYS[k])
  answers[k + 1] = ARGV[i] ~= '' and redis.call('HGET', KEYS[k + 1], ARGV[i])
  local prompts = redis.call('ZRANGE', KEYS[k + 2], 0, -1, 'WITHSCORES')
  local instants = {}
  for j = 2, #prompts, 2 do
    instants[j / 2] = prompts[j]
  end
  answers[k + 2] = instants
end
return answers
