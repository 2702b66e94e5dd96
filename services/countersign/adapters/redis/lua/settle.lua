-- Moves challenges, each only if the value that the move started from still stands (law 5).
-- KEYS, four a change: challenge, due, remembered, budget.
-- ARGV: now (ms), most browsers a user, most refusals a user, how long refusals last (ms), how long a mark
--   lasts (ms), then for each change the revision it follows, the new record, the challenge's id, when a
--   sweeper has to look after it (ms), and 'plain', or 'remember' with the browser's hash, its value and its
--   end (ms), or 'refused' with the instant (ms) and the kind.
-- Returns 1 a change that was stored, 0 one that came too late.
local now, most, most_refused, refusals_last, marks_last = take(5)
now, most, most_refused = tonumber(now), tonumber(most), tonumber(most_refused)

local function ends_of(value)
  return tonumber(string.match(value, '^(%d+):'))
end

-- Drops what has ended, then what ends first, until there is room for one more.
local function make_room(remembered)
  local all = redis.call('HGETALL', remembered)
  local live = {}
  for i = 1, #all, 2 do
    if all[i] ~= 'mark' and all[i] ~= 'applied' then
      local ends = ends_of(all[i + 1])
      if ends <= now then
        redis.call('HDEL', remembered, all[i])
      else
        live[#live + 1] = {ends, all[i]}
      end
    end
  end
  table.sort(live, function(a, b) return a[1] < b[1] end)
  for i = 1, #live - most + 1 do
    redis.call('HDEL', remembered, live[i][2])
  end
end

local answers = {}
while key_at <= #KEYS do
  local challenge, due, remembered, budget = take_keys(4)
  local follows, record, id, due_at, kind = take(5)
  local stands = redis.call('HGET', challenge, 'revision') == follows
  answers[#answers + 1] = stands and 1 or 0
  if stands then
    redis.call('HSET', challenge, 'record', record, 'revision', follows + 1)
    redis.call('ZADD', due, 'XX', due_at, id)
  end
  if kind == 'remember' then
    local browser, value, ends = take(3)
    -- Forgotten since the challenge was opened: not remembered by it (law 7).
    local mark = redis.call('HGET', remembered, 'mark') or ''
    if stands and redis.call('HGET', challenge, 'mark') == mark then
      redis.call('HDEL', remembered, browser)
      make_room(remembered)
      redis.call('HSET', remembered, browser, value)
      keep_until(remembered, ends, now)
    end
  elseif kind == 'refused' then
    local instant, how = take(2)
    if stands then
      refuse(budget, instant, how, most_refused, refusals_last)
      if how == 'fraud' then
        forget(remembered, id, '', marks_last)
      end
    end
  end
end
return answers
