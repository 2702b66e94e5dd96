-- Reads challenges; changes nothing.
-- KEYS: a challenge each. Returns each one's record, or false where there is none.
local answers = {}
for i, key in ipairs(KEYS) do
  answers[i] = redis.call('HGET', key, 'record')
end
return answers
