-- Gives leases back, each only by the token that holds it.
-- KEYS: a lease each. ARGV: a token each. Returns 1 for each that was given back, 0 where another holds it.
local answers = {}
for i, key in ipairs(KEYS) do
  answers[i] = redis.call('GET', key) == ARGV[i] and redis.call('DEL', key) or 0
end
return answers
