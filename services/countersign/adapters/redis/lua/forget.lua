-- Forgets users' remembered browsers, all or one, and marks the instant in their order of events.
-- KEYS: a user's remembered browsers an event.
-- ARGV: how long a mark lasts (ms), then for each event its mark, and the one browser's hash or ''.
-- The mark names the event: applied a second time it changes nothing.
-- Returns 1 an event that was applied, 0 one that had been.
local lasts = tonumber(take(1))
local answers = {}
while key_at <= #KEYS do
  local remembered = take_keys(1)
  local mark, browser = take(2)
  local applied = redis.call('HGET', remembered, 'mark') ~= mark
  answers[#answers + 1] = applied and 1 or 0
  if applied then
    if browser == '' then
      redis.call('DEL', remembered)
    else
      redis.call('HDEL', remembered, browser)
    end
    redis.call('HSET', remembered, 'mark', mark)
    keep_until(remembered, lasts, 0)
  end
end
return answers
