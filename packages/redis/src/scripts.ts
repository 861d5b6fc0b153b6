import { Script } from './script.ts'

/**
 * What must happen at once. Every reply begins with the word that was sent along, so that one which belongs to another
 * command is known. Before an entry stand a letter (r: a response, v: the list of a URL's selecting headers) and its
 * rank in sixteen digits; RANK_AT reads them without the rest. In a list there is another one behind it: that of the
 * newest response that stood for all requests of the URL. Variants that are older than that have been replaced by it.
 */
const RANK_AT = `
local function rankAt(key)
  local head = redis.call('GETRANGE', key, 0, 16)
  return string.sub(head, 1, 1), tonumber(string.sub(head, 2)) or 0
end
local function keep(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
end
`

/** keys: url, entry, order, lease; words: token, known, leaseMs, keepMs */
export const CLAIM: Script = new Script(`${RANK_AT}
local token, known, leaseMs = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local kind, newest = rankAt(KEYS[1])
if KEYS[2] ~= KEYS[1] then
  local _, own = rankAt(KEYS[2])
  if kind == 'v' or own > newest then newest = own end
end
if leaseMs > 0 then
  if newest > known then return {token, 'newer', newest} end
  if redis.call('HSETNX', KEYS[4], 'token', token) == 0 then
    redis.call('HSET', KEYS[4], 'awaited', 1)
    return {token, 'busy', redis.call('PTTL', KEYS[4])}
  end
  redis.call('PEXPIRE', KEYS[4], leaseMs)
end
local last = tonumber(redis.call('HGET', KEYS[3], 'last'))
if not last then
  local time = redis.call('TIME')
  last = time[1] * 1000 + math.floor(time[2] / 1000)
end
local rank = math.max(last, known, newest) + 1
redis.call('HSET', KEYS[3], 'last', rank)
keep(KEYS[3], tonumber(ARGV[4]))
return {token, 'granted', rank}
`)

/** keys: url, entry, order, lease; words: echo, token, rank, frame, index, ttlMs, bus, word */
export const PUT: Script = new Script(`${RANK_AT}
local rank, ttl = tonumber(ARGV[3]), tonumber(ARGV[6])
local floor = tonumber(redis.call('HGET', KEYS[3], 'removed') or '-1')
local kind, atUrl = rankAt(KEYS[1])
local _, own = rankAt(KEYS[2])
local rival = own
if KEYS[2] == KEYS[1] or kind == 'r' then rival = math.max(own, atUrl) end
local stored = 0
if rank > floor and rank >= rival and (rank > 0 or redis.call('EXISTS', KEYS[2]) == 0) then
  local digits = string.format('%016.0f', rank)
  redis.call('SET', KEYS[2], 'r' .. digits .. ARGV[4], 'PX', ttl)
  if KEYS[2] ~= KEYS[1] then
    local newest, below = rank, string.format('%016.0f', atUrl)
    if kind == 'v' then
      newest = math.max(rank, atUrl)
      below = redis.call('GETRANGE', KEYS[1], 17, 32)
    end
    local left = redis.call('PTTL', KEYS[1])
    redis.call('SET', KEYS[1], 'v' .. string.format('%016.0f', newest) .. below .. ARGV[5], 'PX', math.max(left, ttl))
  end
  if rank > 0 then
    local last = tonumber(redis.call('HGET', KEYS[3], 'last') or '0')
    if rank > last then redis.call('HSET', KEYS[3], 'last', rank) end
    keep(KEYS[3], ttl)
  end
  stored = 1
end
if ARGV[2] ~= '' and redis.call('HGET', KEYS[4], 'token') == ARGV[2] then
  if redis.call('HEXISTS', KEYS[4], 'awaited') == 1 then redis.call('PUBLISH', ARGV[7], ARGV[8]) end
  redis.call('DEL', KEYS[4])
end
return {ARGV[1], stored}
`)

/** keys: lease, order; words: token, leaseMs, keepMs */
export const RENEW: Script = new Script(`${RANK_AT}
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return {ARGV[1], 0} end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
keep(KEYS[2], tonumber(ARGV[3]))
return {ARGV[1], 1}
`)

/** keys: lease; words: token, bus, word */
export const RELEASE: Script = new Script(`
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then
  if redis.call('HEXISTS', KEYS[1], 'awaited') == 1 then redis.call('PUBLISH', ARGV[2], ARGV[3]) end
  redis.call('DEL', KEYS[1])
end
return {ARGV[1], 1}
`)

/** keys: entry, order; words: echo, rank, keepMs */
export const REMOVE: Script = new Script(`${RANK_AT}
local rank = tonumber(ARGV[2])
local _, own = rankAt(KEYS[1])
if rank == 0 or own <= rank then redis.call('DEL', KEYS[1]) end
local last = tonumber(redis.call('HGET', KEYS[2], 'last') or '0')
if last > 0 then
  redis.call('HSET', KEYS[2], 'removed', math.max(last, rank))
  keep(KEYS[2], tonumber(ARGV[3]))
end
return {ARGV[1], 1}
`)

/** keys: state, alive, purges, unsafe; words: echo, process, aliveMs, ear, word */
export const BEAT: Script = new Script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Where it is full it can be read all the same.
local noted = redis.pcall('ZADD', KEYS[2], now, ARGV[2])
if type(noted) == 'table' and noted.err and not string.find(noted.err, 'OOM') then return noted end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
-- A server that is short of memory drops what has not been used for long: these are used; and where one is gone all the
-- same, those who know tell it anew, as where all is lost.
local has = redis.call('HMGET', KEYS[1], 'has0', 'has1')
for i = 1, 2 do
  if redis.call('TOUCH', KEYS[i + 2]) == 0 and has[i] then redis.call('DEL', KEYS[1]) end
end
local state = redis.call('HMGET', KEYS[1], 'latest', 'restored')
return {ARGV[1], tonumber(state[1] or '0'), tonumber(state[2] or '0'), redis.call('ZCARD', KEYS[2])}
`)

/** keys: state, purges or unsafe, alive; words: echo (the process), selector, known, limit, isBounded, aliveMs, keepMs, bus */
export const PURGE: Script = new Script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- At least the time: what begins to count anew counts on above all that it has lost.
local previous, known = tonumber(redis.call('HGET', KEYS[1], 'latest') or '0'), tonumber(ARGV[3])
local latest = math.max(previous, known, now) + 1
if known > previous then redis.call('HSET', KEYS[1], 'restored', latest) end
redis.call('HSET', KEYS[1], 'latest', latest, 'has' .. ARGV[5], 1)
redis.call('ZADD', KEYS[2], latest, ARGV[2])
local limit = tonumber(ARGV[4])
local size = redis.call('ZCARD', KEYS[2])
if size > limit then
  local cut = math.max(size - limit, math.floor(limit / 10))
  local last = redis.call('ZRANGE', KEYS[2], cut - 1, cut - 1, 'WITHSCORES')
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, cut - 1)
  if ARGV[5] == '0' then
    redis.call('ZADD', KEYS[2], 'GT', last[2], '{"selector":{"kind":"all"},"soft":false}')
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[7])
redis.call('PEXPIRE', KEYS[2], ARGV[7])
redis.call('PUBLISH', ARGV[8], cjson.encode({'purge', string.format('%.0f', latest), ARGV[2], ARGV[1], string.format('%.0f', previous)}))
local reply = redis.call('ZRANGEBYSCORE', KEYS[3], now - ARGV[6], '+inf')
table.insert(reply, 1, ARGV[1])
table.insert(reply, 2, latest)
table.insert(reply, 3, previous)
return reply
`)

/** keys: state, purges, unsafe, alive; words: echo, from */
export const SINCE: Script = new Script(`
local time = redis.call('TIME')
local state = redis.call('HMGET', KEYS[1], 'latest', 'restored')
local reply = {ARGV[1], tonumber(state[1] or '0'), tonumber(state[2] or '0'), redis.call('ZCARD', KEYS[4])}
table.insert(reply, time[1] * 1000 + math.floor(time[2] / 1000))
for i = 2, 3 do
  for _, word in ipairs(redis.call('ZRANGEBYSCORE', KEYS[i], '(' .. ARGV[2], '+inf', 'WITHSCORES')) do
    table.insert(reply, word)
  end
end
return reply
`)

/** keys: state, purges, unsafe; words: echo, known, keepMs, bus, then key (2, 3), number and selector of each */
export const RESTORE: Script = new Script(`
local latest = math.max(tonumber(redis.call('HGET', KEYS[1], 'latest') or '0'), tonumber(ARGV[2]))
for i = 5, #ARGV, 3 do
  redis.call('ZADD', KEYS[tonumber(ARGV[i])], 'GT', ARGV[i + 1], ARGV[i + 2])
  latest = math.max(latest, tonumber(ARGV[i + 1]))
end
redis.call('HSET', KEYS[1], 'latest', latest + 1, 'restored', latest + 1)
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
for i = 2, 3 do
  if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('HSET', KEYS[1], 'has' .. (i - 2), 1) end
end
redis.call('PUBLISH', ARGV[4], '["restored"]')
return {ARGV[1], latest + 1}
`)

/** keys: any; words: the type of each */
export const HEAL: Script = new Script(`
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= ARGV[i] then redis.call('DEL', key) end
end
return 1
`)
