-- Records decisions; who comes second takes the one that stands (law 2).
-- ARGV: now (ms), how long decisions are kept (ms), then for each event its decision's record and a kind,
-- with what that kind needs. KEYS: the decision of each event, followed by what its kind needs.
--   'plain'
--   'renewed'    browser's hash, its value, its end (ms)
--                KEYS: remembered
--   'challenge'  id, record, deadline (ms), most prompts, their window (ms), most refusals, the cool-down
--                (ms), the record of the denial for a spent budget, and for a cool-down
--                KEYS: remembered, budget, challenge, due
-- Returns for each event 0 where its decision stands, 1 or 2 where the one denial or the other does, 3 where
-- nothing is recorded since the browser was forgotten in between, or the record of the decision that stood
-- already.
local now, keep = take(2)
now = tonumber(now)

-- Records a decision unless one stands; returns the one that does, if any.
local function claim(decided, record)
  return redis.call('SET', decided, record, 'NX', 'GET', 'PX', keep)
end

local function open(remembered, challenge, due, id, record, deadline)
  if redis.call('HSETNX', challenge, 'record', record) == 1 then
    -- No end of its own yet: it has one once its outcome is on the bus.
    redis.call('HSET', challenge, 'revision', 0,
               'mark', redis.call('HGET', remembered, 'mark') or '')
    redis.call('ZADD', due, deadline, id)
  end
end

local answers = {}
while key_at <= #KEYS do
  local decided = take_keys(1)
  local record, kind = take(2)
  local answer

  if kind == 'renewed' then
    local remembered = take_keys(1)
    local browser, value, ends = take(3)
    if redis.call('HEXISTS', remembered, browser) == 0 then
      answer = redis.call('GET', decided) or 3
    else
      answer = claim(decided, record) or 0
      if answer == 0 then
        redis.call('HSET', remembered, browser, value)
        keep_until(remembered, ends, now)
      end
    end
  elseif kind == 'challenge' then
    local remembered, budget, challenge, due = take_keys(4)
    local id, value, deadline, most, window, most_refused, cool_down, spent, cooling = take(9)
    answer = claim(decided, record) or 0
    if answer == 0 then
      local charged = charge(budget, id, now, most, window, most_refused, cool_down)
      if charged == 'charged' then
        open(remembered, challenge, due, id, value, deadline)
      else
        answer = charged == 'spent' and 1 or 2
        redis.call('SET', decided, answer == 1 and spent or cooling, 'PX', keep)
      end
    end
  else
    answer = claim(decided, record) or 0
  end
  answers[#answers + 1] = answer
end
return answers
