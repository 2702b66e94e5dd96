-- Moves challenges, each only if the value that the move started from still stands (law 5).
-- KEYS, two a change: challenge, remembered.
-- ARGV: now (ms), most browsers a user, then for each change the revision it follows, the new record,
--   and 'plain', or 'remember' with the browser's hash, its value and its end (ms).
-- Returns 1 a change that was stored, 0 one that came too late.
local now, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local at = 3
local function take(n)
  at = at + n
  return unpack(ARGV, at - n, at - 1)
end

-- Keeps the key at least until then. In spans, not instants: this server's clock may be another.
local function keep_until(key, ends)
  if ends - now > redis.call('PTTL', key) then
    redis.call('PEXPIRE', key, ends - now)
  end
end

local function ends_of(value)
  return tonumber(string.match(value, '^(%d+):'))
end

-- Drops what has ended, then what ends first, until there is room for one more.
local function make_room(remembered)
  local all = redis.call('HGETALL', remembered)
  local live = {}
  for i = 1, #all, 2 do
    if all[i] ~= 'mark' then
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
for i = 1, #KEYS / 2 do
  local challenge, remembered = KEYS[2 * i - 1], KEYS[2 * i]
  local follows, record, kind = take(3)
  local stands = redis.call('HGET', challenge, 'revision') == follows
  answers[i] = stands and 1 or 0
  if stands then
    redis.call('HSET', challenge, 'record', record, 'revision', follows + 1)
  end
  if kind == 'remember' then
    local browser, value, ends = take(3)
    -- Forgotten since the challenge was opened: not remembered by it (law 7).
    local mark = redis.call('HGET', remembered, 'mark') or ''
    if stands and redis.call('HGET', challenge, 'mark') == mark then
      redis.call('HDEL', remembered, browser)
      make_room(remembered)
      redis.call('HSET', remembered, browser, value)
      keep_until(remembered, ends)
    end
  end
end
return answers
