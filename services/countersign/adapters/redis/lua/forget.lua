-- Forgets users' remembered browsers, all or one, in their order of events.
-- KEYS: a user's remembered browsers an event.
-- ARGV: how long marks last (ms), then for each event its name, and the one browser's hash or ''.
-- Returns 1 an event that was applied, 0 one that had been.
local lasts = take(1)
local answers = {}
while key_at <= #KEYS do
  local remembered = take_keys(1)
  local name, browser = take(2)
  answers[#answers + 1] = forget(remembered, name, browser, lasts) and 1 or 0
end
return answers
