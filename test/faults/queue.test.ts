import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hit, STALE } from '../support/cache-status.ts'
import { text } from '../support/reply.ts'
import { anyStore, scenario, type Site } from '../support/scenario.ts'
import { swr } from './failures.ts'
import { type ChildApp, startApp } from './process/child.ts'
import { type Answers, flood, get } from './process/flood.ts'
import { playOnAll, within } from './site.ts'

const KEYS = 1000
const each = Array.from({ length: KEYS }, (_, i) => get(`/${i}`))

/** One visitor for each key. */
const visitAll = (site: Site): Promise<Answers> => within(20, flood((site.server.address() as AddressInfo).port, each))

scenario(
  'FAULT-110',
  'a thousand keys stale at once before a full queue: all get the old page, what is dropped is counted and tried again',
  anyStore,
  async ({ serve, clock, gate }) => {
    const hold = gate()
    let stale = false
    let running = 0
    let most = 0
    const site = await serve({
      options: { refresh: { concurrency: 2, queueLimit: 100 } },
      routes: {
        '/:id': async ({ n }) => {
          if (!stale) return text('old', swr)
          most = Math.max(most, ++running)
          await hold()
          running--
          return text(`render ${n}`, swr)
        },
      },
    })
    await visitAll(site)
    clock.advance(11)
    stale = true
    for (let round = 0; round < 2; round++) expect(await visitAll(site)).toEqual({ '200 stale': KEYS })
    expect(await site.visit('/0').done).toMatchObject({ text: 'old', warning: STALE })
    expect(site.cache.stats()).toMatchObject({
      refresh: { queued: 100, running: 2 },
      events: { stale: 2 * KEYS + 1, 'refresh-dropped': 2 * (KEYS - 102), refresh: 0 },
    })
    hold.open()
    await site.cache.idle()
    expect(most).toBe(2)
    expect(site.renders()).toBe(KEYS + 102)
    // Those that were dropped have not failed: nothing keeps them from being tried again.
    await site.ask('/999')
    expect(await site.ask('/999')).toMatchObject({ text: `render ${KEYS + 103}`, cacheStatus: hit(10) })
  },
)

scenario(
  'FAULT-111',
  'a thousand keys that expire in the same second fit into the queue as it is by default: each is rendered once',
  anyStore,
  async ({ serve, clock, gate }) => {
    const hold = gate()
    let stale = false
    const site = await serve({
      routes: {
        '/:id': async () => {
          if (stale) await hold()
          return text('page', swr)
        },
      },
    })
    await visitAll(site)
    clock.advance(11)
    stale = true
    for (let round = 0; round < 2; round++) expect(await visitAll(site)).toEqual({ '200 stale': KEYS })
    expect(site.cache.stats().refresh).toEqual({ queued: KEYS - 4, running: 4 })
    hold.open()
    await site.cache.idle()
    expect(site.renders()).toBe(2 * KEYS)
    expect(site.cache.stats().events).toMatchObject({ refresh: KEYS, 'refresh-dropped': 0, 'refresh-failed': 0 })
    expect(await visitAll(site)).toEqual({ '200 hit': KEYS })
  },
)

playOnAll()

describe.each([
  ['fastify', 10_000],
  ['express', 2000],
  ['koa', 2000],
] as const)('%s', (framework, keys) => {
  let app: ChildApp

  beforeAll(async () => {
    app = await startApp(framework, { renderMs: 2, refresh: { timeoutMs: 1000 } })
  })
  afterAll(() => app.stop())

  test(`FAULT-112 ${keys} keys stale at once: stale answers, loop lag p99 below 50 ms, bounded memory`, async () => {
    const many = Array.from({ length: keys }, (_, i) => get(`/page/${i}`))
    expect(await flood(app.port, many)).toEqual({ 200: keys })
    const before = await app.figures()
    await app.advance(11)
    await app.reset()
    // Each key is asked for once, and nobody waits for a render.
    expect(await flood(app.port, many)).toEqual({ '200 stale': keys })
    const storm = await app.figures()
    expect(storm.mostRunning).toBe(4)
    expect(storm.stats.refresh.queued).toBeLessThanOrEqual(1000)
    await within(30, app.idle())
    const { stats, rssMiB } = await app.figures()
    const { refresh, 'refresh-dropped': dropped, 'refresh-failed': failed } = stats.events
    expect(refresh + dropped).toBe(keys)
    expect(failed).toBe(0)
    expect(rssMiB - before.rssMiB).toBeLessThan(64)
    expect(storm.heldMs.p99).toBeLessThan(50)
    expect(app.stderr()).toBe('')
  })

  test('FAULT-113 a refresh whose bytes are all at hand, and never end, does not hold up the loop', async () => {
    const grown = [get('/grown')]
    expect(await flood(app.port, grown)).toEqual({ 200: 1 })
    await app.advance(11)
    expect(await flood(app.port, grown)).toEqual({ '200 stale': 1 })
    expect(await within(5, flood(app.port, [get('/page/other')]))).toEqual({ 200: 1 })
    await within(5, app.idle())
    expect((await app.figures()).stats.refresh).toEqual({ queued: 0, running: 0 })
  })
})
