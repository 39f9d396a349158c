-- Makes a topic the one that is counted.
--
-- KEYS  1 topic, 2 topics, 3 offsets, 4 dead letters
-- ARGV  the topic's id, now in ms since the epoch
-- Answer  1 it is the current one, or has become it; 0 it was replaced by another one before
--
-- A topic that was made anew starts at offset 0, so the fences of the one before say nothing about it: they go. The
-- counts stay, for those votes were cast. A topic that was replaced does not come back: whoever still sees it looks at
-- old metadata, and its fences are gone.

local TOPIC, TOPICS, OFFSETS, DEAD_LETTERS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, now = ARGV[1], ARGV[2]

local current = redis.call('GET', TOPIC)
if current == id then
  return 1
end
if redis.call('HEXISTS', TOPICS, id) == 1 then
  return 0
end
if current then
  redis.call('DEL', OFFSETS, DEAD_LETTERS)
end
redis.call('SET', TOPIC, id)
redis.call('HSET', TOPICS, id, now)
return 1
