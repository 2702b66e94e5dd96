-- Forgets all of a user's browsers, or one, and counts the user's mark up: no challenge that was opened under an
-- earlier mark remembers a browser any more. Needs keep_until.
-- What it is done for has a name, and one that was applied lately changes nothing; says whether it did.
local NAMES = 10

local function forget(remembered, name, browser, lasts)
  local applied = redis.call('HGET', remembered, 'applied') or ';'
  if string.find(applied, ';' .. name .. ';', 1, true) then
    return false
  end
  local mark = (tonumber(redis.call('HGET', remembered, 'mark') or 0) or 0) + 1
  if browser == '' then
    redis.call('DEL', remembered)
  else
    redis.call('HDEL', remembered, browser)
  end
  applied = applied .. name .. ';'
  local _, count = string.gsub(applied, '[^;]+', '')
  if count > NAMES then
    applied = string.gsub(applied, '^;[^;]+', '')
  end
  redis.call('HSET', remembered, 'mark', mark, 'applied', applied)
  keep_until(remembered, tonumber(lasts), 0)
  return true
end
