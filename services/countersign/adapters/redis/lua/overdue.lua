-- Reads which challenges are due; changes nothing.
-- KEYS: a bucket's deadlines each. ARGV: now (ms), most ids a bucket. Returns a list of ids a bucket.
local answers = {}
for i, due in ipairs(KEYS) do
  answers[i] = redis.call('ZRANGE', due, '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[2])
end
return answers
