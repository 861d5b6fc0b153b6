import { describe, expect, onTestFinished, test } from 'vitest'
import { startRedis } from '../support/redis.ts'
import { houseRules } from './redis-measured.ts'
import { shared, STORES } from './redis-adapters.ts'
import { startControls, startScene, startServers, startSites } from './redis-site.ts'
import { freePort } from '../support/port.ts'
import { eventually, isAsBefore, isRight, suffer } from './redis-traffic.ts'

houseRules()

describe.each(STORES)('over %s', (_name, make) => {
  test('FAULT-01 a Redis that was never there: the app listens at once, and uses it within 2 s when it comes', async () => {
    const port = await freePort()
    const startedAt = performance.now()
    const sites = await startSites(() => make(port))
    expect(performance.now() - startedAt, 'six apps').toBeLessThan(5000)
    await suffer({
      name: 'never there, then there',
      sites,
      controls: await startControls(),
      isCold: true,
      begin: () => undefined,
      lastsMs: 1100,
      end: async () => onTestFinished((await startRedis({ args: ['--port', String(port)] })).stop),
    })
  })

  test('FAULT-02 a killed Redis fails no response, and is used again within 2 s of its return', async () => {
    const { redis, sites, controls } = await startScene([], make)
    await suffer({
      name: 'killed, back empty',
      sites,
      controls,
      begin: redis.kill,
      lastsMs: 1100,
      end: async () => onTestFinished((await startRedis({ socketPath: redis.socketPath })).stop),
    })
  })

  test('FAULT-03 a Redis that comes back empty: each process renders each page once, however many ask', async () => {
    const { redis, proxy } = await startServers()
    // A busy machine is no slow store: that would be another fault.
    const sites = await startSites(() => make(proxy.port), { storeTimeoutMs: { get: 1000, set: 1000 } })
    const pages = ['/one', '/two', '/three']
    for (const site of sites) for (const path of pages) await site.visit(path)
    await redis.kill()
    onTestFinished((await startRedis({ socketPath: redis.socketPath })).stop)
    let tries = 0
    await eventually('connected again', 2000, () => isAsBefore(sites, [], `empty-${(tries += 1)}`))
    const before = sites.map((site) => site.renders())
    const crowd = sites.flatMap((site) =>
      pages.flatMap((path) => Array.from({ length: 15 }, async () => isRight(await site.visit(path), path))),
    )
    expect((await Promise.all(crowd)).every(Boolean)).toBe(true)
    const rendered = sites.map((site, i) => site.renders() - before[i]!)
    // Where they share their renders it is once for all of them.
    const total = rendered.reduce((sum, count) => sum + count, 0)
    expect(total).toBeLessThanOrEqual(make === shared ? pages.length : sites.length * pages.length)
    for (const [i, site] of sites.entries()) {
      const most = site.hasMemory ? 0 : pages.length
      expect(rendered[i], `${site.label}: renders`).toBeLessThanOrEqual(most)
    }
  })

  test.each(['reset', 'end'] as const)('FAULT-07 connections that are cut (%s) fail no response', async (how) => {
    const { proxy, sites, controls } = await startScene([], make)
    await suffer({
      name: how === 'reset' ? 'connections reset' : 'connections closed',
      sites,
      controls,
      begin: () => proxy.cut(how),
      lastsMs: 500,
      end: proxy.restore,
    })
  })
})
