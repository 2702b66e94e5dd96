-- Claims each event's identity for the payload that came first.
-- KEYS: a claim an event. ARGV: how long claims last (ms), then a digest an event.
-- Returns 1 an event whose claim is its own, 0 where another payload was first.
local answers = {}
for i, key in ipairs(KEYS) do
  local first = redis.call('SET', key, ARGV[i + 1], 'NX', 'GET', 'PX', ARGV[1])
  answers[i] = (not first or first == ARGV[i + 1]) and 1 or 0
end
return answers
