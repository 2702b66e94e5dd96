-- Charges a prompt on the push budget; false where it has no room for one more.
-- The budget is a text of prompts, each `instant (ms):prompt's name;`, and is charged once a name.
local function charge(budget, name, now, most, window)
  now = tonumber(now)
  local prompts, count = '', 0
  for instant, prompt in string.gmatch(redis.call('GET', budget) or '', '(%d+):([^;]+);') do
    if prompt == name then
      return true
    end
    if now - instant < tonumber(window) then
      prompts, count = prompts .. instant .. ':' .. prompt .. ';', count + 1
    end
  end
  if count >= tonumber(most) then
    return false
  end
  redis.call('SET', budget, prompts .. string.format('%.0f', now) .. ':' .. name .. ';', 'PX', window)
  return true
end
