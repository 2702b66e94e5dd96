-- Charges a prompt on the push budget. Returns 'charged', 'spent' where it has no room for one more, or
-- 'cooling' where the user refused too many (core.budget says when that is).
-- The budget is a text: prompts, each `instant (ms):prompt's name;`, and refusals, each `instant (ms)!kind;`.
-- A prompt is charged once a name, and its charge moves to when it is opened: only then is it one on the
-- user's phone, and prompts saved up would be too many at once. So one that was charged beforehand is not
-- opened in a cool-down either.
local function charge(budget, name, now, most, window, most_refused, cool_down)
  now, most, window = tonumber(now), tonumber(most), tonumber(window)
  most_refused, cool_down = tonumber(most_refused), tonumber(cool_down)
  local kept, count, refused, at = '', 0, {}, now
  for instant, kind, what in string.gmatch(redis.call('GET', budget) or '', '(%d+)([:!])([^;]+);') do
    local age = now - instant
    local own = kind == ':' and what == name
    if kind == '!' then
      refused[#refused + 1] = {tonumber(instant), what}
    elseif own then
      at = math.max(at, tonumber(instant))
    elseif age < window then
      count = count + 1
    end
    if not own and age < (kind == '!' and window + cool_down or window) then
      kept = kept .. instant .. kind .. what .. ';'
    end
  end
  for _, last in ipairs(refused) do
    if now < last[1] + cool_down then
      local near = 0
      for _, one in ipairs(refused) do
        if last[1] - window < one[1] and one[1] <= last[1] then
          near = near + 1
        end
      end
      if last[2] == 'fraud' or near >= most_refused then
        return 'cooling'
      end
    end
  end
  if count >= most then
    return 'spent'
  end
  local lasts = #refused > 0 and window + cool_down or window
  redis.call('SET', budget, kept .. string.format('%.0f', at) .. ':' .. name .. ';', 'PX', lasts)
  return 'charged'
end
