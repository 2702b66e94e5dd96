-- Notes that challenges' outcomes are on the bus: no sweeping is due, and their end is set.
-- KEYS, two a challenge: challenge, due. ARGV: how long it is still kept (ms), then an id a challenge.
-- Returns 1 a challenge that was due, 0 one that was not.
local answers = {}
for i = 1, #KEYS / 2 do
  answers[i] = redis.call('ZREM', KEYS[2 * i], ARGV[i + 1])
  redis.call('PEXPIRE', KEYS[2 * i - 1], ARGV[1])
end
return answers
