import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { cacheControl, text } from '../support/reply.ts'
import { careful, naive, shared, STORES } from './redis-adapters.ts'
import { houseRules, noteRow } from './redis-measured.ts'
import { type Origin, type RedisSite, startServers, startSite } from './redis-site.ts'
import { eventually, isRight } from './redis-traffic.ts'

const { codes } = houseRules()

const AT_ONCE = 50

/** So many visitors, some at a time, each to a page of its own. */
async function flood(site: RedisSite, count: number, name: string): Promise<void> {
  for (let i = 0; i < count; i += AT_ONCE) {
    const paths = Array.from({ length: AT_ONCE }, (_, j) => `/${name}-${i + j}`)
    const all = await Promise.all(paths.map(async (path) => isRight(await site.visit(path), path)))
    expect(all).not.toContain(false)
  }
}

describe.each(STORES)('over %s', (_name, make) => {
  test('FAULT-36 an outage is reported once a second, however many visitors come', async () => {
    const { redis, proxy } = await startServers()
    const site = await startSite({ framework: 'koa', hasMemory: false, store: make(proxy.port) })
    await site.visit('/warm')
    await site.cache.idle()
    const before = site.cache.stats().events['store-error']
    const breaker: (string | undefined)[] = []
    site.cache.on('breaker', ({ reason }) => breaker.push(reason))
    redis.pause()
    const startedAt = performance.now()
    while (performance.now() - startedAt < 2200) {
      await flood(site, 2 * AT_ONCE, `reported-${Math.round(performance.now())}`)
      await sleep(20)
    }
    const seconds = (performance.now() - startedAt) / 1000
    const reported = site.cache.stats().events['store-error'] - before
    // Those that were under way when it opened, a read and perhaps a write each; then the probes.
    expect(reported).toBeLessThanOrEqual(2 * AT_ONCE + Math.ceil(seconds))
    expect(breaker).toEqual(['open'])
    expect(codes).toEqual(['CACHEBACK_STORE_UNREACHABLE'])
    noteRow({ fault: 'hung, 50 visitors at a time', 'store-error events': reported, 'breaker events': 1, warnings: 1 })
  })
})

const MAKERS = { careful, naive, shared }

test.each([
  ['hung', 'careful'],
  ['away', 'naive'],
  ['hung', 'naive'],
  ['away', 'shared'],
  ['hung', 'shared'],
] as const)('FAULT-37 memory stays flat while Redis is %s (%s settings)', async (how, settings) => {
  const { redis, proxy } = await startServers()
  const store = MAKERS[settings](proxy.port)
  // A third more of them for each write that waits in a client.
  const filler = 'x'.repeat(40_000)
  const origin: Origin = (path) => text(`page ${path} ${filler}`, cacheControl('max-age=600'))
  const options = { memory: { maxBytes: 1024 * 1024 } }
  const site = await startSite({ framework: 'express', hasMemory: true, store, origin, options })
  await flood(site, 100, 'before')
  await site.cache.idle()
  if (how === 'hung') redis.pause()
  else proxy.cut('reset')
  await flood(site, 100, 'first')
  const before = await heapUsed()
  await flood(site, 500, 'then')
  let grownMb = Infinity
  // What the garbage collector leaves for another time is not growth.
  await eventually('flat', 5000, async () => {
    grownMb = ((await heapUsed()) - before) / 1024 / 1024
    return grownMb < 8
  })
  expect(site.calls.pending).toBeLessThan(300)
  noteRow({
    fault: `${how}, ${settings} settings: 500 new pages of 40 KB`,
    'heap, MB more': grownMb.toFixed(1),
    'calls not answered': site.calls.pending,
  })
})

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

async function heapUsed(): Promise<number> {
  collect()
  await sleep(50)
  collect()
  const { heapUsed: heap, external, arrayBuffers } = process.memoryUsage()
  return heap + external + arrayBuffers
}
