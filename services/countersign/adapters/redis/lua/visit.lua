-- Moves challenges on to a prompt each, only if the value that the move started from still stands (law
-- 5) and the user's push budget has room.
-- KEYS, two a visit: challenge, budget.
-- ARGV, for each visit: the revision that it follows, the new record, the prompt's name, now (ms), most
--   prompts, their window (ms).
-- Returns 1 a visit that was stored, 0 one that came too late, -1 one that the budget has no room for.
local answers = {}
while key_at <= #KEYS do
  local challenge, budget = take_keys(2)
  local follows, record, name, now, most, window = take(6)
  local answer = 0
  if redis.call('HGET', challenge, 'revision') == follows then
    answer = -1
    if charge(budget, name, now, most, window) then
      redis.call('HSET', challenge, 'record', record, 'revision', follows + 1)
      answer = 1
    end
  end
  answers[#answers + 1] = answer
end
return answers
