-- Records decisions; who comes second takes the one that stands (law 2).
-- KEYS, five an event: decided, remembered, budget, challenge, due.
-- ARGV: now (ms), how long decisions are kept (ms), then for each event its decision's record and a kind:
--   'plain'
--   'renewed'    browser's hash, its value, its end (ms)
--   'challenge'  id, record, deadline (ms), most prompts, their window (ms), the denial's record
-- Returns for each event 0 where its decision stands, 1 where the denial does, or the record of the
-- decision that stood already.
local now, keep = tonumber(ARGV[1]), ARGV[2]
local at = 3
local function take(n)
  at = at + n
  return unpack(ARGV, at - n, at - 1)
end

local answers = {}
for i = 1, #KEYS / 5 do
  local decided, remembered, budget, challenge, due = unpack(KEYS, 5 * i - 4, 5 * i)
  local record, kind = take(2)
  local standing = redis.call('GET', decided)
  answers[i] = standing or 0

  if kind == 'renewed' then
    local browser, value, ends = take(3)
    -- A browser forgotten in between is not brought back.
    if not standing and redis.call('HEXISTS', remembered, browser) == 1 then
      redis.call('HSET', remembered, browser, value)
      if tonumber(ends) > redis.call('PEXPIRETIME', remembered) then
        redis.call('PEXPIREAT', remembered, ends)
      end
    end

  elseif kind == 'challenge' then
    local id, value, deadline, most, window, denial = take(6)
    if not standing then
      redis.call('ZREMRANGEBYSCORE', budget, '-inf', now - window)
      if redis.call('ZCARD', budget) >= tonumber(most) and not redis.call('ZSCORE', budget, id) then
        record, answers[i] = denial, 1
      else
        redis.call('ZADD', budget, 'NX', now, id)
        redis.call('PEXPIRE', budget, window)
        if redis.call('EXISTS', challenge) == 0 then
          -- No end of its own yet: it has one once its outcome is on the bus.
          redis.call('HSET', challenge, 'record', value, 'revision', 0,
                     'mark', redis.call('HGET', remembered, 'mark') or '')
          redis.call('ZADD', due, deadline, id)
        end
      end
    end
  end

  if not standing then
    redis.call('SET', decided, record, 'PX', keep)
  end
end
return answers
