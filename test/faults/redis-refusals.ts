import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { redisCommand, redisKeys } from './redis-command.ts'
import { makeGate } from '../support/gate.ts'
import { shared, type StoreMaker } from './redis-adapters.ts'
import {
  type Origin,
  page,
  type Scene,
  startSite,
  startControls,
  startScene,
  startServers,
  startSites,
} from './redis-site.ts'
import { drive, eventually, isRight, suffer } from './redis-traffic.ts'

const KEPT = ['/kept-0', '/kept-1', '/kept-2', '/kept-3', '/kept-4']

async function keepPages({ sites }: Scene): Promise<void> {
  for (const path of KEPT) await sites[0]!.visit(path)
  await sites[0]!.cache.idle()
}

/** What Redis has goes on being served from there, after crowds whose pages it has refused as well. */
async function expectReads({ sites }: Scene): Promise<void> {
  for (const { label, cache, visit } of sites) {
    const name = label.replaceAll(/\W/g, '')
    const crowd = await Promise.all(Array.from({ length: 10 }, (_, i) => visit(`/crowd-${name}-${i}`)))
    expect(crowd.filter(({ status }) => status !== 200)).toEqual([])
    await cache.idle()
    // Any of them, and at the second try: on a busy machine a read may come too late.
    await eventually(`${label}: a hit after writes that were refused`, 2000, async () => {
      const kept = await Promise.all(KEPT.map((path) => visit(path)))
      return kept.some(({ cacheStatus }) => cacheStatus?.includes('; hit')) && cache.stats().breaker === 'closed'
    })
    expect(cache.stats().events['store-error'], `${label}: errors`).toBeGreaterThan(0)
  }
}

/** Nobody can say any more what has been purged: pages are rendered, and the store is left open for those that can be. */
async function expectRenders({ sites }: Scene): Promise<void> {
  for (const { label, cache, visit, renders } of sites) {
    // By more than the second for which a process vouches for what it has just rendered, and had heard nothing before.
    await eventually(`${label}: it is behind`, 4000, () => cache.stats().sharing!.behindMs > 2000)
    const before = renders()
    const crowd = await Promise.all(KEPT.flatMap((path) => [visit(path), visit(path), visit(path)]))
    expect(crowd.filter(({ status }) => status !== 200)).toEqual([])
    // Once at least; those who come at the same moment share one, and on a slow machine few do.
    expect(renders() - before, `${label}: renders`).toBeGreaterThanOrEqual(KEPT.length)
    expect(cache.stats().events['store-error'], `${label}: errors`).toBeGreaterThan(0)
  }
}

/** What a Redis may refuse, over any store. */
export function playRefusals(make: StoreMaker): void {
  test('FAULT-12 a full Redis (-OOM): what it holds is served, and refused writes are counted', async () => {
    const scene = await startScene([], make)
    const { redis, sites, controls } = scene
    await keepPages(scene)
    await suffer({
      name: 'full (-OOM)',
      sites,
      controls,
      begin: () => redisCommand(redis.socketPath, ['CONFIG', 'SET', 'maxmemory', '1']),
      lastsMs: 500,
      opens: false,
      meanwhile: () => expectReads(scene),
      end: () => redisCommand(redis.socketPath, ['CONFIG', 'SET', 'maxmemory', '0']),
    })
  })

  test('FAULT-13 a read-only Redis (a replica of a dead master): what it holds is served', async () => {
    const scene = await startScene([], make)
    const { redis, sites, controls } = scene
    await keepPages(scene)
    await suffer({
      name: 'read-only (replica)',
      sites,
      controls,
      begin: () => redisCommand(redis.socketPath, ['REPLICAOF', '127.0.0.1', '1']),
      lastsMs: 500,
      opens: false,
      // Where word of purges goes through it, that is for a second only.
      meanwhile: () => (make === shared ? expectRenders(scene) : expectReads(scene)),
      end: () => redisCommand(redis.socketPath, ['REPLICAOF', 'NO', 'ONE']),
    })
  })

  test('FAULT-14 a Redis that is loading its data is left alone until it has', async () => {
    const { redis, sites, controls } = await startScene(['--enable-debug-command', 'yes'], make)
    onTestFinished(() => rm(dirname(redis.socketPath), { recursive: true, force: true }))
    for (const [name, value] of [
      ['loading-process-events-interval-bytes', '1024'],
      ['key-load-delay', '10000'],
    ] as const) {
      await redisCommand(redis.socketPath, ['CONFIG', 'SET', name, value])
    }
    // A hundred keys of ten milliseconds each.
    await drive(sites.slice(0, 1), [], 50)
    await redisCommand(redis.socketPath, [
      'EVAL',
      "for i = 1, 100 do redis.call('SET', 'k' .. i, string.rep('x', 2000)) end",
      '0',
    ])
    let reloaded: Promise<unknown> = Promise.resolve()
    await suffer({
      name: 'loading',
      sites,
      controls,
      begin: () => {
        reloaded = redisCommand(redis.socketPath, ['DEBUG', 'RELOAD'])
      },
      lastsMs: 900,
      // That depends on who is quicker.
      opens: false,
      end: () => reloaded,
    })
  })

  test('FAULT-15 a Redis that suddenly wants a password is left alone until it does not', async () => {
    const { redis, sites, controls } = await startScene([], make)
    await suffer({
      name: 'NOAUTH',
      sites,
      controls,
      begin: async () => {
        await redisCommand(redis.socketPath, ['CONFIG', 'SET', 'requirepass', 'secret'])
        await redisCommand(redis.socketPath, ['CLIENT', 'KILL', 'TYPE', 'normal'], 'secret')
      },
      lastsMs: 1000,
      end: () => redisCommand(redis.socketPath, ['CONFIG', 'SET', 'requirepass', ''], 'secret'),
    })
  })

  test('FAULT-16 a wrong password is a Redis that is not there', async () => {
    const { redis, proxy } = await startServers()
    await redisCommand(redis.socketPath, ['CONFIG', 'SET', 'requirepass', 'right'])
    await suffer({
      name: 'wrong password, put right',
      sites: await startSites(() => make(proxy.port, { password: 'wrong' })),
      controls: await startControls(),
      isCold: true,
      begin: () => undefined,
      lastsMs: 1000,
      end: () => redisCommand(redis.socketPath, ['CONFIG', 'SET', 'requirepass', 'wrong'], 'right'),
    })
  })

  test('FAULT-17 keys of another type (LPUSH under ours) are misses, and healed', async () => {
    const { redis, sites } = await startScene([], make)
    const paths = ['/a', '/b', '/c', '/d']
    for (const site of sites) for (const path of paths) await site.visit(path)
    await Promise.all(sites.map(({ cache }) => cache.idle()))
    const keys = await redisKeys(redis.socketPath)
    expect(keys.length).toBeGreaterThanOrEqual(paths.length)
    for (const key of keys) {
      await redisCommand(redis.socketPath, ['DEL', key])
      await redisCommand(redis.socketPath, ['LPUSH', key, 'no frame'])
    }
    await eventually('hits from the store', 2000, async () => {
      let hits = 0
      for (const site of sites) {
        for (const path of paths) {
          const got = await site.visit(path)
          expect(isRight(got, path)).toBe(true)
          if (got.cacheStatus?.includes('; hit')) hits += 1
        }
      }
      return hits === sites.length * paths.length
    })
    for (const site of sites) expect(site.cache.stats().breaker, `${site.label}: breaker`).toBe('closed')
  })

  test.each([
    ['full', ['CONFIG', 'SET', 'maxmemory', '1']],
    ['read-only', ['REPLICAOF', '127.0.0.1', '1']],
  ] as const)(
    'FAULT-45 a dozen writes that a %s Redis refuses in a row leave the reads alone',
    async (_how, command) => {
      const { redis, proxy } = await startServers()
      const gate = makeGate()
      const origin: Origin = async (path, n) => {
        if (path.startsWith('/held')) await gate()
        return page(path, n)
      }
      const site = await startSite({
        framework: 'koa',
        hasMemory: false,
        store: make(proxy.port),
        origin,
        // A busy machine is no slow store: that would be another fault.
        options: { storeTimeoutMs: { get: 1000, set: 1000 } },
      })
      await site.visit('/kept')
      await site.cache.idle()
      await redisCommand(redis.socketPath, command)
      const held = Array.from({ length: 12 }, (_, i) => site.visit(`/held-${i}`))
      // All have been looked for and are rendered at the same moment.
      await gate.reached(held.length)
      gate.open()
      await Promise.all(held)
      await site.cache.idle()
      expect(site.cache.stats().events['store-error']).toBeGreaterThanOrEqual(held.length)
      expect(site.cache.stats().breaker).toBe('closed')
      const { made } = site.calls
      for (let i = 0; i < 20; i++) expect((await site.visit('/kept')).cacheStatus).toContain('; hit')
      // One round of deletions, which may be refused as well; not one for each read.
      expect(site.calls.made - made).toBeLessThan(20 + 2 * held.length)
    },
  )
}
