import { describe, expect, test } from 'vitest'
import { cacheControl, text } from '../support/reply.ts'
import { STORES } from './redis-adapters.ts'
import { type Origin, startScene, startServers, startSite } from './redis-site.ts'
import { houseRules, median, noteRow } from './redis-measured.ts'
import { isRight, suffer } from './redis-traffic.ts'

houseRules()

const varying: Origin = (path) => text(`page ${path} `, { ...cacheControl('max-age=600'), vary: 'Accept-Language' })

describe.each(STORES)('over %s', (_name, make) => {
  test('FAULT-08 a Redis that takes 30 ms costs that and no more', async () => {
    const { proxy, sites, controls } = await startScene([], make)
    await suffer({
      name: 'slow, 30 ms',
      sites,
      controls,
      begin: () => proxy.delay(30),
      lastsMs: 1000,
      // Slow is not away: 30 ms are within the deadline.
      opens: false,
      end: () => proxy.delay(0),
    })
  })

  test.each([
    ['FAULT-09', 300],
    ['FAULT-10', 3000],
  ] as const)('%s a Redis that takes %i ms costs the first visitors one deadline', async (_id, ms) => {
    const { proxy, sites, controls } = await startScene([], make)
    await suffer({
      name: `slow, ${ms} ms`,
      sites,
      controls,
      begin: () => proxy.delay(ms),
      lastsMs: 1100,
      end: () => proxy.delay(0),
    })
  })

  test('FAULT-11 a look that takes several reads has one deadline for all of them', async () => {
    const { proxy } = await startServers()
    const store = make(proxy.port)
    const options = { storeTimeoutMs: { get: 300 } }
    const site = await startSite({ framework: 'express', hasMemory: false, store, origin: varying, options })
    const path = '/varies'
    await site.visit(path)
    await site.cache.idle()
    expect((await site.visit(path)).cacheStatus).toContain('; hit')
    // The record of purges, index and variant: three reads, each of them within a deadline of its own.
    proxy.delay(250)
    const took: number[] = []
    for (let i = 0; i < 3; i++) {
      const startedAt = performance.now()
      expect(isRight(await site.visit(path), path)).toBe(true)
      took.push(performance.now() - startedAt)
    }
    expect(median(took)).toBeLessThan(450)
    noteRow({ fault: 'slow, 250 ms, deadline of 300 ms, three reads', 'ms, median': Math.round(median(took)) })
  })
})
