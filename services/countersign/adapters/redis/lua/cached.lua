-- Reads tenants' caches; changes nothing.
-- KEYS: a cache an item. Returns for each its entries' names and values, one after the other.
local answers = {}
for i, cache in ipairs(KEYS) do
  answers[i] = redis.call('HGETALL', cache)
end
return answers
