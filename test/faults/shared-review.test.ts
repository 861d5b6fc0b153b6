import { type Cacheback, createCacheback } from '@cacheback/core'
import { redisStore } from '@cacheback/redis'
import { createClient } from '@redis/client'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Clock } from '../support/clock.ts'
import { startRedis } from '../support/redis.ts'
import { redisCommand } from './redis-command.ts'
import { eventually } from './redis-traffic.ts'
import { countingApp, holdRenders, ownRedis, startSharedCache } from './shared-cache.ts'

// Purges, and a Redis that forgets them. Each of these was a defect once.

const PURGES = '}purges'
const STATE = '}state'

const hears = (cache: Cacheback): boolean => cache.stats().sharing?.hears === true

test('CLUSTER-30 of ten thousand and one purges at once every promise settles, and what they name is gone', async () => {
  const redis = await ownRedis()
  const counting = countingApp({ 'Cache-Tag': 'last' })
  const options = { storeTimeoutMs: { get: 8000, set: 8000 } }
  const [a, b] = [
    await startSharedCache(redis, { app: counting.app, options }),
    await startSharedCache(redis, { app: counting.app, options }),
  ]
  await a.settle('/x')
  expect((await b.ask('/x')).text).toBe('v1')
  // One more than are kept until they can be told: they become one of everything.
  const names = Array.from({ length: 10_000 }, (_, i) => `t${i}`)
  const told = [...names, 'last'].map((tag) => a.cache.purge({ tag }))
  const settled = await Promise.allSettled(told)
  expect(settled.filter(({ status }) => status === 'rejected')).toEqual([])
  for (const { ask } of [a, b]) expect((await ask('/x')).text).toBe('v2')
})

test.each([
  ['with copies', {}],
  ['without copies', { memory: false }],
] as const)('CLUSTER-31 a full Redis is read all the same, second after second (%s)', async (_how, options) => {
  const redis = await ownRedis()
  const counting = countingApp()
  const a = await startSharedCache(redis, { app: counting.app, options })
  await a.settle('/x')
  await redis.say('CONFIG', 'SET', 'maxmemory', '1')
  // Copies would not be vouched for any longer, where a beat failed.
  for (let i = 0; i < 4; i += 1) {
    await a.beats(1)
    expect((await a.ask('/x')).cacheStatus).toContain('; hit')
  }
  expect(counting.renders).toBe(1)
  expect(a.cache.stats()).toMatchObject({ breaker: 'closed', events: { 'store-error': 0 } })
})

test('CLUSTER-32 purges that Redis evicts are told anew each time; nothing that was purged comes back, nothing else is lost', async () => {
  const redis = await ownRedis()
  const counting = countingApp()
  let restores = 0
  const a = await startSharedCache(redis, {
    app: counting.app,
    alter(member) {
      const restore = member.restore.bind(member)
      member.restore = (...told) => {
        restores += 1
        return restore(...told)
      }
    },
  })
  await a.settle('/x')
  await a.cache.purge({ tag: 't' })
  for (let i = 0; i < 2; i += 1) {
    expect(await redis.remove(PURGES)).toBe(1)
    await eventually('they are there again', 3000, async () => (await redis.keys(PURGES)).length === 1)
  }
  expect((await a.settle('/y')).text).toBe('v2')
  await a.beats(2)
  expect((await a.ask('/y')).cacheStatus).toContain('; hit')
  expect(restores).toBe(2)
  // A process that knows nothing but what the store has.
  const b = await startSharedCache(redis, { app: counting.app })
  expect((await b.ask('/x')).text).toBe('v3')
})

test('CLUSTER-33 what is purged while a visitor waits for a lease is not brought back by its validators', async () => {
  const redis = await ownRedis()
  const clock = new Clock()
  // The validator of this app does not know of what has changed.
  const counting = countingApp({ ETag: '"same"', 'Cache-Control': 'max-age=1, must-revalidate' })
  counting.say = 'old'
  counting.before = ({ headers }) => (headers['if-none-match'] === '"same"' ? 304 : undefined)
  const [a, b] = [
    await startSharedCache(redis, { app: counting.app, clock }),
    await startSharedCache(redis, { app: counting.app, clock }),
  ]
  await a.settle('/x')
  expect((await b.ask('/x')).text).toBe('old')
  clock.advance(2)
  const gate = holdRenders(counting)
  const first = a.ask('/x')
  await gate.reached()
  const second = b.ask('/x')
  await eventually('the other one waits', 2000, async () => {
    const [lease] = await redis.keys('}lease')
    return lease !== undefined && (await redis.say('HEXISTS', lease, 'awaited')) === '1'
  })
  counting.say = 'new'
  expect(await a.cache.purge({ all: true })).toEqual({ acknowledged: 2, missing: 0 })
  counting.gate = undefined
  gate.open()
  await Promise.all([first, second])
  for (const { ask } of [a, b]) expect((await ask('/x')).text).toBe('new')
})

test('CLUSTER-34 a process that was deaf while Redis lost all and counted anew drops what it cannot vouch for', async () => {
  const redis = await ownRedis()
  const counting = countingApp()
  let isDeaf = false
  const a = await startSharedCache(redis, {
    app: counting.app,
    alter(member) {
      const beat = member.beat.bind(member)
      member.beat = async () => (isDeaf ? Promise.reject(new Error('cut off')) : beat())
    },
  })
  await a.cache.purge({ tag: 'other' })
  expect((await a.settle('/x')).text).toBe('v1')
  isDeaf = true
  await redis.say('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await redis.say('FLUSHALL')
  // It has purged as often as the first one had, and counts from the beginning.
  const b = await startSharedCache(redis, { app: counting.app })
  await redis.say('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await b.cache.purge({ tag: 't' })
  isDeaf = false
  await a.beats(2)
  expect((await a.ask('/x')).text).toBe('v2')
})

test('CLUSTER-35 a purge that comes before the first beat after a restart with an older snapshot takes the earlier ones along', async () => {
  const redis = await ownRedis()
  const counting = countingApp()
  const a = await startSharedCache(redis, { app: counting.app })
  await a.settle('/x')
  await a.beats(1)
  await a.cache.purge({ tag: 't' })
  // As if it had been taken before that.
  await redis.remove(PURGES)
  await redis.remove(STATE)
  await a.cache.purge({ tag: 'another' })
  await a.beats(2)
  const b = await startSharedCache(redis, { app: counting.app })
  expect((await b.ask('/x')).text).toBe('v2')
})

test.each(['all is', 'the purges are'])(
  'CLUSTER-36 what a process acknowledges it serves no longer, though %s lost and numbers begin anew',
  async (what) => {
    const redis = await ownRedis()
    const counting = countingApp()
    const a = await startSharedCache(redis, { app: counting.app })
    await a.cache.purge({ tag: 'one' })
    await a.cache.purge({ tag: 'two' })
    expect((await a.settle('/x')).text).toBe('v1')
    const b = await startSharedCache(redis, { app: counting.app })
    // The next beat of the first one is half a second away.
    await a.beats(1)
    if (what === 'all is') await redis.say('FLUSHALL')
    else await Promise.all([redis.remove(STATE), redis.remove(PURGES)])
    const { missing } = await b.cache.purge({ tag: 't' })
    const { text } = await a.ask('/x')
    expect(missing > 0 || text === 'v2', `${missing} missing, and ${text}`).toBe(true)
  },
)

test('CLUSTER-37 a soft purge of an hour ago gives a new process no new time to serve stale', async () => {
  const redis = await ownRedis()
  const counting = countingApp()
  const options = { maxAge: 86_400, staleWhileRevalidate: 60 }
  const a = await startSharedCache(redis, { app: counting.app, options })
  await a.settle('/x')
  await a.cache.purge({ tag: 't' }, { soft: true })
  // It would tell the others anew what is missing.
  await a.cache.close()
  const [[purges], [state]] = [await redis.keys(PURGES), await redis.keys(STATE)]
  const earlier = Number(await redis.say('HGET', state!, 'latest')) - 3_600_000
  const back = "redis.call('ZINCRBY', KEYS[1], -3600000, redis.call('ZRANGE', KEYS[1], 0, 0)[1])"
  await redis.say('EVAL', `${back} return 1`, '1', purges!)
  await redis.say('HSET', state!, 'latest', String(earlier))
  const b = await startSharedCache(redis, { app: counting.app, options })
  const { text, cacheStatus } = await b.ask('/x')
  expect(cacheStatus).not.toContain('; hit')
  expect(text).toBe('v2')
  // Where it has just been made, it is.
  const c = await startSharedCache(redis, { app: counting.app, options })
  await c.cache.purge({ tag: 't' }, { soft: true })
  expect((await c.ask('/x')).warning).toContain('110')
})

test('CLUSTER-38 a thousand purges that wait for the store hold nobody up', async () => {
  const redis = await ownRedis()
  const counting = countingApp()
  const options = { memory: { maxStalenessMs: 1e8 }, storeTimeoutMs: { get: 50, set: 50 } }
  const a = await startSharedCache(redis, { app: counting.app, options })
  for (let i = 0; i < 500; i += 1) await a.ask(`/${i}`)
  await a.cache.idle()
  await redis.server.kill()
  await eventually('the breaker has opened', 3000, () => a.cache.stats().breaker === 'open')
  const before = process.cpuUsage()
  const told = Promise.allSettled(Array.from({ length: 1000 }, (_, i) => a.cache.purge({ tag: `n${i}` })))
  const { user, system } = process.cpuUsage(before)
  expect((await told).every(({ status }) => status === 'rejected')).toBe(true)
  // Of the processor: how long that is depends on what else it has to do.
  expect((user + system) / 1000, 'ms').toBeLessThan(1000)
  expect((await a.ask('/1')).cacheStatus).toContain('; hit')
  const again = await startRedis({ socketPath: redis.path })
  onTestFinished(again.stop)
  await eventually('they are told when it is back', 5000, async () => {
    const [purges] = await redis.keys(PURGES).catch(() => [])
    return purges !== undefined && Number(await redisCommand(redis.path, ['ZCARD', purges])) === 1000
  })
})

test('CLUSTER-39 caches in two databases of one server have nothing in common', async () => {
  const redis = await ownRedis()
  const open = (database: number): Cacheback => {
    const client = createClient({ database, socket: { path: redis.path, tls: false } })
    const cache = createCacheback({ store: redisStore({ client }) })
    onTestFinished(() => cache.close())
    return cache
  }
  const [live, staging] = [open(0), open(1)]
  await eventually('both hear their own beats', 3000, () => hears(live) && hears(staging))
  const fetch = vi.fn<() => Promise<string>>(async () => 'kept')
  const load = live.wrap(fetch, { name: 'load' })
  await load()
  await live.idle()
  expect(await staging.purge({ all: true })).toEqual({ acknowledged: 1, missing: 0 })
  expect(await live.purge({ tag: 'other' })).toEqual({ acknowledged: 1, missing: 0 })
  await load()
  expect(fetch).toHaveBeenCalledOnce()
  expect(live.stats().memory.entries).toBe(1)
})

test('CLUSTER-29 what is asked for and never stored leaves nothing in Redis for more than a quarter of an hour', async () => {
  const redis = await ownRedis()
  const app = countingApp({ 'Cache-Control': 'no-store' })
  const { settle } = await startSharedCache(redis, { app: app.app })
  for (let i = 0; i < 20; i++) await settle(`/${i}`)
  const left = (await redis.keys('')).filter((key) => !/\}(state|alive|purges|unsafe)$/.test(key))
  expect(left).toHaveLength(20)
  for (const key of left) {
    const ms = Number(await redis.say('PTTL', key))
    expect([ms > 0, ms <= 900_000]).toEqual([true, true])
  }
})
