-- Notes reports of fraud that came with challenges that had ended otherwise: a refusal, and all browsers of the
-- user forgotten, once a challenge.
-- KEYS, two a report: remembered, budget.
-- ARGV: most refusals a user, how long refusals last (ms), how long marks last (ms), then for each report the
--   challenge's id and the instant (ms).
-- Returns 1 a report that was noted, 0 one that had been.
local most, refusals_last, marks_last = take(3)
most = tonumber(most)
local answers = {}
while key_at <= #KEYS do
  local remembered, budget = take_keys(2)
  local id, instant = take(2)
  local noted = forget(remembered, id, '', marks_last)
  if noted then
    refuse(budget, instant, 'fraud', most, refusals_last)
  end
  answers[#answers + 1] = noted and 1 or 0
end
return answers
