-- Forgets users' remembered browsers, and marks the instant in their order of events.
-- KEYS: a user's remembered browsers an event. ARGV: how long a mark lasts (ms), then a mark an event.
-- The mark names the event: applied a second time it changes nothing.
-- Returns 1 an event that was applied, 0 one that had been.
local answers = {}
for i, key in ipairs(KEYS) do
  answers[i] = redis.call('HGET', key, 'mark') ~= ARGV[i + 1] and 1 or 0
  if answers[i] == 1 then
    redis.call('DEL', key)
    redis.call('HSET', key, 'mark', ARGV[i + 1])
    redis.call('PEXPIRE', key, ARGV[1])
  end
end
return answers
