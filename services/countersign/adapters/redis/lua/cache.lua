-- Changes tenants' caches, each entry with an end of its own.
-- KEYS: a cache an item. ARGV: how many entries a cache holds at most, then for each item: now (ms), how many
-- changes, and for each an entry's name and its value as it is kept; a value of '' deletes the entry.
-- A value as it is kept begins with its end and a colon, so it is never empty.
local most = tonumber(take(1))

local function end_of(value)
  return tonumber(string.match(value, '^(%d+):'))
end

while key_at <= #KEYS do
  local cache = take_keys(1)
  local now, changes = take(2)
  now = tonumber(now)
  for _ = 1, tonumber(changes) do
    local name, value = take(2)
    if value == '' then
      redis.call('HDEL', cache, name)
    else
      redis.call('HSET', cache, name, value)
    end
  end

  local entries, latest = {}, now
  local found = redis.call('HGETALL', cache)
  for i = 1, #found, 2 do
    local ends = end_of(found[i + 1])
    if ends <= now then
      redis.call('HDEL', cache, found[i])
    else
      entries[#entries + 1] = {found[i], ends}
      latest = math.max(latest, ends)
    end
  end
  table.sort(entries, function(one, other)
    return one[2] < other[2] or (one[2] == other[2] and one[1] < other[1])
  end)
  for i = 1, #entries - most do
    redis.call('HDEL', cache, entries[i][1])
  end
  if #entries > 0 then
    keep_until(cache, latest, now)
  end
end
return {}
