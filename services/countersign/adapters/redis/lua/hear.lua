-- Claims the one late hearing of challenges.
-- KEYS: a challenge each. Returns 1 for whoever claims first, else 0.
local answers = {}
for i, key in ipairs(KEYS) do
  answers[i] = redis.call('EXISTS', key) == 1 and redis.call('HSETNX', key, 'heard', '1') or 0
end
return answers
