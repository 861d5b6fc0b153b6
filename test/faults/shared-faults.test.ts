import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { startRedis } from '../support/redis.ts'
import { shared } from './redis-adapters.ts'
import { redisCommand } from './redis-command.ts'
import { houseRules } from './redis-measured.ts'
import { startControls, startScene, startServers, startSites } from './redis-site.ts'
import { eventually, suffer } from './redis-traffic.ts'
import { countingApp, holdRenders, ownRedis, startSharedCache } from './shared-cache.ts'

// What only a store can suffer that carries word of purges and lends leases. The faults of any Redis: redis-*.test.ts.

houseRules()

test('CLUSTER-50 a visitor waits one deadline for a store that hangs, and not another one for a lease', async () => {
  const redis = await ownRedis()
  const counting = countingApp()
  const a = await startSharedCache(redis, { app: counting.app, options: { storeTimeoutMs: { get: 400, set: 400 } } })
  await a.settle('/warm')
  redis.server.pause()
  onTestFinished(() => redis.server.resume())
  const startedAt = performance.now()
  expect((await a.ask('/x')).text).toBe('v2')
  expect(performance.now() - startedAt).toBeLessThan(700)
})

test('CLUSTER-51 cut off, copies are served for a second; then each page is one render a second, however many ask', async () => {
  const redis = await ownRedis()
  const counting = countingApp()
  const a = await startSharedCache(redis, { app: counting.app })
  await a.settle('/x')
  await redis.server.kill()
  expect((await a.ask('/x')).cacheStatus).toContain('; hit')
  for (let rounds = 1; rounds <= 2; rounds += 1) {
    await eventually('it is not served any more', 3000, async () => {
      const renders = counting.renders
      await a.ask('/x')
      return counting.renders > renders
    })
    // What has just been rendered nobody can have purged for long.
    const renders = counting.renders
    for (let i = 0; i < 20; i += 1) expect((await a.ask('/x')).cacheStatus).toContain('; hit')
    expect(counting.renders).toBe(renders)
  }
  await sleep(1100)
  const renders = counting.renders
  const gate = holdRenders(counting)
  const crowd = Array.from({ length: 20 }, () => a.ask('/x'))
  await gate.reached()
  gate.open()
  counting.gate = undefined
  const texts = (await Promise.all(crowd)).map(({ text }) => text)
  expect(new Set(texts)).toEqual(new Set([`v${renders + 1}`]))
})

test('CLUSTER-52 a Redis that hangs when the app starts: it answers, and uses it within 2 s', async () => {
  const { redis, proxy } = await startServers()
  redis.pause()
  await suffer({
    name: 'shared: hung at start',
    sites: await startSites(() => shared(proxy.port)),
    controls: await startControls(),
    isCold: true,
    begin: () => undefined,
    lastsMs: 1000,
    end: redis.resume,
  })
})

test('CLUSTER-53 a Redis that is loading when the app starts is used within 2 s when it has', async () => {
  const args = ['--enable-debug-command', 'yes', '--save', '3600 1']
  const { redis, proxy } = await startServers([...args, '--loading-process-events-interval-bytes', '1024'])
  await redisCommand(redis.socketPath, ['CONFIG', 'SET', 'key-load-delay', '10000'])
  const fill = "for i = 1, 100 do redis.call('SET', 'k' .. i, string.rep('x', 2000)) end"
  await redisCommand(redis.socketPath, ['EVAL', fill, '0'])
  const reloaded = redisCommand(redis.socketPath, ['DEBUG', 'RELOAD'])
  await suffer({
    name: 'shared: loading at start',
    sites: await startSites(() => shared(proxy.port)),
    controls: await startControls(),
    isCold: true,
    begin: () => undefined,
    lastsMs: 500,
    // That depends on who is quicker.
    opens: false,
    end: () => reloaded,
  })
})

test('CLUSTER-54 of a Redis that can be read and not written nothing is served for longer than a second', async () => {
  const redis = await ownRedis()
  const counting = countingApp()
  const a = await startSharedCache(redis, { app: counting.app })
  await a.settle('/x')
  await redis.say('REPLICAOF', '127.0.0.1', '1')
  const since = performance.now()
  // Also the answer to a beat of before, that a busy machine reads only now, is older than a second then.
  await eventually('it is behind', 3000, () =>
    [performance.now() - since, a.cache.stats().sharing!.behindMs].every((ms) => ms > 1000),
  )
  // It may be another server than the one that has the purges of now.
  expect((await a.ask('/x')).text).toBe('v2')
  await expect(a.cache.purge({ tag: 't' })).rejects.toBeInstanceOf(Error)
  expect((await a.ask('/x')).text).toBe('v3')
  await redis.say('REPLICAOF', 'NO', 'ONE')
  await a.beats(2)
  const b = await startSharedCache(redis, { app: counting.app })
  await a.settle('/x')
  expect((await b.ask('/x')).text).not.toMatch(/v[12]/)
})

test('CLUSTER-55 a purge that a full Redis refuses is reported, holds here, and is made good when there is room', async () => {
  const redis = await ownRedis()
  const counting = countingApp()
  const [a, b] = [
    await startSharedCache(redis, { app: counting.app }),
    await startSharedCache(redis, { app: counting.app }),
  ]
  await a.settle('/x')
  expect((await b.ask('/x')).text).toBe('v1')
  await redis.say('CONFIG', 'SET', 'maxmemory', '1')
  await expect(a.cache.purge({ tag: 't' })).rejects.toBeInstanceOf(Error)
  expect((await a.settle('/x')).text).toBe('v2')
  await redis.say('CONFIG', 'SET', 'maxmemory', '0')
  await eventually('gone for all', 2000, async () => (await b.ask('/x')).text !== 'v1')
})

test('CLUSTER-56 a process whose listening connection alone is killed hears again within 2 s, and misses nothing', async () => {
  const redis = await ownRedis()
  const counting = countingApp()
  const [a, b] = [
    await startSharedCache(redis, { app: counting.app }),
    await startSharedCache(redis, { app: counting.app }),
  ]
  await a.settle('/x')
  expect((await b.ask('/x')).text).toBe('v1')
  for (let i = 0; i < 3; i += 1) {
    await redis.say('CLIENT', 'KILL', 'TYPE', 'pubsub')
    const { missing } = await a.cache.purge({ tag: 't' })
    const { text } = await b.settle('/x')
    // Whoever has not acknowledged it is a second behind at most.
    expect(missing === 1 || text === `v${i + 2}`, `${missing} missing, and ${text}`).toBe(true)
    await eventually('it is gone there too', 1500, async () => (await b.settle('/x')).text === `v${i + 2}`)
    await eventually('all hear', 2000, async () => {
      const report = await a.cache.purge({ tag: 'other' })
      return report.acknowledged === 2
    })
  }
  for (const { cache } of [a, b])
    expect(cache.stats()).toMatchObject({ breaker: 'closed', events: { 'store-error': 0 } })
})

test('CLUSTER-57 a SCRIPT FLUSH under way costs nobody anything', async () => {
  const { redis, sites } = await startScene([], shared)
  const renders = (): number => sites.reduce((sum, site) => sum + site.renders(), 0)
  const errors: string[] = []
  for (const { cache, label } of sites) cache.on('store-error', ({ reason }) => void errors.push(`${label} ${reason}`))
  // A busy machine may miss a deadline, which is no fault of a script; whoever does renders for himself.
  const late = (): number => errors.filter((error) => error.endsWith('-timeout')).length
  for (let i = 0; i < 20; i += 1) {
    await redisCommand(redis.socketPath, ['SCRIPT', 'FLUSH'])
    const before = { renders: renders(), late: late() }
    const got = await Promise.all(sites.map((site) => site.visit(`/flushed-${i}`)))
    const allowed = 1 + late() - before.late
    expect(new Set(got.map(({ text }) => text)).size, errors.join()).toBeLessThanOrEqual(allowed)
    expect(renders() - before.renders, errors.join()).toBeLessThanOrEqual(allowed)
  }
  const report = await sites[0]!.cache.purge({ all: true })
  expect(report).toEqual({ acknowledged: sites.length, missing: 0 })
  expect(errors).toHaveLength(late())
})

test('CLUSTER-58 after a FLUSHALL nothing comes back that was purged, copies are dropped, and each page is one render for all', async () => {
  const { redis, sites } = await startScene([], shared)
  const renders = (): number => sites.reduce((sum, site) => sum + site.renders(), 0)
  for (const site of sites) await site.visit('/x')
  expect(renders()).toBe(1)
  await sites[0]!.cache.purge({ url: '/other' })
  await redisCommand(redis.socketPath, ['FLUSHALL'])
  await eventually('the purge is told anew', 2000, async () => {
    const keys = await redisCommand(redis.socketPath, ['EVAL', "return #redis.call('KEYS', '*}purges')", '0'])
    return keys === '1'
  })
  // Also of those who have not told it: what else was lost, nobody knows.
  await eventually('all have dropped their copies', 2000, () =>
    sites.every(({ cache }) => cache.stats().memory.entries === 0),
  )
  const got = await Promise.all(sites.flatMap((site) => [site.visit('/x'), site.visit('/x')]))
  expect(new Set(got.map(({ text }) => text)).size).toBe(1)
  expect(renders()).toBe(2)
  for (const { cache, label } of sites) expect(cache.stats().events['store-error'], label).toBe(0)
})

test('CLUSTER-59 of two Redis servers in turn, the second one empty, nothing of the first is missed', async () => {
  const redis = await ownRedis()
  const counting = countingApp()
  const a = await startSharedCache(redis, { app: counting.app })
  await a.settle('/x')
  await a.cache.purge({ tag: 't' })
  expect((await a.settle('/x')).text).toBe('v2')
  await redis.server.kill()
  const again = await startRedis({ socketPath: redis.path })
  onTestFinished(again.stop)
  await eventually('it is known there', 3000, async () => (await redis.keys('}purges').catch(() => [])).length === 1)
  // Once more, for what was purged before is gone for whoever reads the purges.
  const b = await startSharedCache(redis, { app: counting.app })
  const { text } = await b.settle('/x')
  expect(text).toBe('v3')
  await eventually('one and the same', 2000, async () => (await a.ask('/x')).text === text)
})
