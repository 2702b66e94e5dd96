-- Moves challenges on to a prompt each, only if the value that the move started from still stands (law
-- 5) and the user's push budget has room.
-- KEYS, two a visit: challenge, budget.
-- ARGV, for each visit: the revision that it follows, the new record, the prompt's name, now (ms), most
--   prompts, their window (ms), most refusals, the cool-down (ms).
-- Returns 'charged' a visit that was stored, 'late' one that came too late, or why it was not charged.
local answers = {}
while key_at <= #KEYS do
  local challenge, budget = take_keys(2)
  local follows, record, name, now, most, window, most_refused, cool_down = take(8)
  local answer = 'late'
  if redis.call('HGET', challenge, 'revision') == follows then
    answer = charge(budget, name, now, most, window, most_refused, cool_down)
    if answer == 'charged' then
      redis.call('HSET', challenge, 'record', record, 'revision', follows + 1)
    end
  end
  answers[#answers + 1] = answer
end
return answers
