import { randomUUID } from 'node:crypto'
import type { Address, Membership } from '@cacheback/core'
import { redisStore } from '@cacheback/redis'
import { createClient } from '@redis/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startRedis } from '../support/redis.ts'
import { redisCommand } from './redis-command.ts'
import { houseRules, noteRow } from './redis-measured.ts'
import { shared } from './redis-adapters.ts'
import { startServers, startSites } from './redis-site.ts'
import { eventually, isRight } from './redis-traffic.ts'
import { type OwnRedis, redisAt } from './shared-cache.ts'

houseRules()

/** What docs/scaling.md quotes: all that is needed, and nothing else. */
const SENT = 'ping mget get set del time eval evalsha publish subscribe zrem'.split(' ')
/** What scripts do. */
const INSIDE =
  'getrange exists hget hset hmget hsetnx hexists pttl pexpire zadd zcard zrange zrangebyscore zremrangebyrank zremrangebyscore touch type'.split(
    ' ',
  )
const COMMANDS = [...SENT, ...INSIDE]

const rulesOf = (commands: readonly string[]): string[] => {
  const allowed = commands.map((name) => `+${name}`)
  return ['reset', 'on', '>secret', '~cb:*', '&cb:*', '-@all', ...allowed]
}

let common: OwnRedis
let turn = 0

beforeAll(async () => {
  common = redisAt(await startRedis())
})
afterAll(() => common.server.stop())

/** All that a store does, by a user of these rights. Resolves with what Redis has refused. */
async function refused(redis: OwnRedis, rules: readonly string[]): Promise<string[]> {
  turn += 1
  const username = `cacheback-${turn}`
  await redis.say('ACL', 'SETUSER', username, ...rules)
  const client = createClient({ socket: { path: redis.path, tls: false }, username, password: 'secret' })
  const store = redisStore({ client })
  const member = store.join({
    namespace: `1:${turn}:`,
    onPurge: () => undefined,
    onRestored: () => undefined,
    onLeaseEnded: () => undefined,
    onConnected: () => undefined,
  })
  // It knows none of the scripts, and has had as many purges by unsafe requests as are kept.
  await redis.say('SCRIPT', 'FLUSH')
  const fill = "for i = 1, 1000 do redis.call('ZADD', KEYS[1], i, '{' .. i .. '}') end return 1"
  await redis.say('EVAL', fill, '1', `cb:{1:${turn}:}unsafe`)
  await redis.say('ACL', 'LOG', 'RESET')
  await store.ready()
  // Whatever fails stands in the log.
  await Promise.allSettled([live(redis, member, turn), store.get('probe')])
  await eventually('it hears, or may not', 3000, async () => {
    await member.beat().catch(() => undefined)
    return member.hears || (await denials(redis, username)).length > 0
  })
  await member.leave()
  await store.close?.()
  const found = await denials(redis, username)
  await redis.say('ACL', 'DELUSER', username)
  return found
}

async function live(redis: OwnRedis, member: Membership, namespace: number): Promise<void> {
  const url = `${namespace}:example.test/x~${'x'.padEnd(27, 'x')}`
  const page: Address = { url, entry: url }
  const variant: Address = { url, entry: `${url}:${'v'.padEnd(27, 'v')}` }
  const frame = Buffer.from('page')
  const mark = '{"selector":{"kind":"tag","name":"t"},"soft":false}'
  const calls: (() => Promise<unknown>)[] = [
    () => member.time(),
    () => member.read(url, [variant.entry]),
    () => member.claim(variant, { token: 'a', known: 0, leaseMs: 2000 }),
    () => member.claim(variant, { token: 'b', known: 0, leaseMs: 2000 }),
    () => member.renew(variant, 'a', 2000),
    () => member.put(variant, variant, { token: 'a', rank: 5, frame, index: frame, ttlMs: 5000 }),
    () => member.put(page, page, { token: '', rank: 0, frame, index: undefined, ttlMs: 5000 }),
    () => member.claim(page, { token: 'c', known: 1e15, leaseMs: 2000 }),
    () => member.claim(page, { token: 'd', known: 1e15, leaseMs: 2000 }),
    () => member.release(page, 'c'),
    () => member.put(page, page, { token: '', rank: 2e15, frame, index: undefined, ttlMs: 5000 }),
    () => member.remove(page, 0),
    () => member.beat(),
    () => member.purge(mark, 0, false).then(({ acknowledged }) => acknowledged),
    () => member.purge(mark, 0, true),
    () => member.restore([{ number: 1, selector: mark }], 1),
    () => member.purgesSince(0),
    () => spoil(redis, member, page),
  ]
  for (const call of calls) await call().catch(() => undefined)
}

/** Something else under one of our keys, which is put right. */
async function spoil(redis: OwnRedis, member: Membership, page: Address): Promise<void> {
  const [order] = await redis.keys('}order')
  if (order === undefined) return
  await redis.say('SET', order, 'junk')
  await member.claim(page, { token: randomUUID(), known: 1e15, leaseMs: 0 })
}

/** What `username` was refused. */
async function denials(redis: OwnRedis, username: string): Promise<string[]> {
  const log = await redis.say('ACL', 'LOG', '100')
  const entries = log.split('\r\nreason\r\n').slice(1)
  const own = entries.filter((entry) => entry.includes(`\r\n${username}\r\n`))
  return own.map((entry) => /object\r\n\$\d+\r\n(.*)\r\n/.exec(entry)?.[1] ?? entry)
}

test('CLUSTER-60 a user with the rights of the docs is refused nothing', async () => {
  expect(await refused(common, rulesOf(COMMANDS))).toEqual([])
})

test.each(COMMANDS)('CLUSTER-61 without +%s it is refused something', async (name) => {
  const found = await refused(common, rulesOf(COMMANDS.filter((each) => each !== name)))
  expect(new Set(found)).toEqual(new Set([name]))
})

test.each([
  ['~cb:*', '~another:*'],
  ['&cb:*', '&another:*'],
])('CLUSTER-62 with another prefix than in %s it is refused something', async (right, wrong) => {
  const rules = rulesOf(COMMANDS).map((rule) => (rule === right ? wrong : rule))
  expect((await refused(common, rules)).length).toBeGreaterThan(0)
})

test('CLUSTER-63 with these rights six apps are one cache, and Redis has refused nothing', async () => {
  const { redis, proxy } = await startServers()
  const say = (...words: string[]): Promise<string> => redisCommand(redis.socketPath, words)
  await say('ACL', 'SETUSER', 'cacheback', ...rulesOf(COMMANDS))
  const sites = await startSites(() => shared(proxy.port, { username: 'cacheback', password: 'secret' }))
  await eventually('all are connected', 3000, async () => {
    for (const site of sites) await site.visit('/warm')
    return sites.every(({ cache }) => cache.stats().sharing?.processes === sites.length)
  })
  const renders = (): number => sites.reduce((sum, site) => sum + site.renders(), 0)
  const before = renders()
  for (const site of sites) expect(isRight(await site.visit('/x'), '/x')).toBe(true)
  expect(renders() - before).toBe(1)
  expect(await sites[0]!.cache.purge({ url: '/x' })).toEqual({ acknowledged: sites.length, missing: 0 })
  for (const site of sites) expect(isRight(await site.visit('/x'), '/x')).toBe(true)
  expect(renders() - before).toBe(2)
  expect(await say('ACL', 'LOG')).toBe('*0')
  noteRow({ 'ACL SETUSER cacheback': rulesOf(COMMANDS).join(' ') })
})
