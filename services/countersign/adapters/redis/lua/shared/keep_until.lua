-- Keeps the key at least until then. In spans, not instants: this server's clock may be another.
local function keep_until(key, ends, now)
  if ends - now > redis.call('PTTL', key) then
    redis.call('PEXPIRE', key, ends - now)
  end
end
