-- Notes a refusal beside the prompts of a budget (see budget.lua); of very many, the earliest go.
local function refuse(budget, instant, kind, most, lasts)
  local kept = (redis.call('GET', budget) or '') .. instant .. '!' .. kind .. ';'
  local _, count = string.gsub(kept, '!', '')
  if count > most then
    kept = string.gsub(kept, '%d+![^;]+;', '', count - most)
  end
  redis.call('SET', budget, kept, 'PX', lasts)
end
