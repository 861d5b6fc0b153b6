import type { AddressInfo } from 'node:net'
import { createClient } from '@keyv/redis'
import { expect, onTestFinished } from 'vitest'
import { watchProcess } from '../contract/scenarios/regressions-tools.ts'
import { hit, numbered, STALE, STORED } from '../support/cache-status.ts'
import { bytes, fresh10, text } from '../support/reply.ts'
import { startRedis } from '../support/redis.ts'
import { anyStore, scenario } from '../support/scenario.ts'
import { FakeStore, redisKeyv } from '../support/stores.ts'
import { swr } from './failures.ts'
import { flood, get } from './process/flood.ts'
import { playOnAll, within } from './site.ts'

scenario(
  'FAULT-140',
  'sixty visitors of a cold page in three processes on one store: each process renders it once',
  anyStore,
  async ({ serve, gate }) => {
    const store = new FakeStore()
    const hold = gate()
    const routes = {
      '/x': async () => {
        await hold()
        return text('page', fresh10)
      },
    }
    const sites = [1, 2, 3].map(() => serve({ options: { store, collapse: { waitMs: 600_000 } }, routes }))
    const visits = []
    for (const site of await Promise.all(sites)) {
      visits.push(...site.crowd(20, '/x'))
      await site.arrived(20)
    }
    await hold.reached(3)
    hold.open()
    for (const got of await within(10, Promise.all(visits))) expect(got).toMatchObject({ status: 200, text: 'page' })
    expect(hold.arrivals).toBe(3)
  },
)

scenario(
  'FAULT-141',
  'two versions of a site side by side on one store: each has its own pages, both are hits, neither deletes',
  anyStore,
  async ({ serve, clock }) => {
    const store = new FakeStore()
    const of = (version: string) =>
      serve({
        options: { store, version },
        routes: { '/:id': ({ params }) => text(`${version} ${params['id']}`, swr) },
      })
    const [old, young] = [await of('v1'), await of('v2')]
    for (let round = 0; round < 3; round++) {
      for (const [site, version] of [
        [old, 'v1'],
        [young, 'v2'],
      ] as const) {
        for (const id of ['a', 'b']) {
          const got = await site.ask(`/${id}`)
          expect(got).toMatchObject({ text: `${version} ${id}`, cacheStatus: round === 0 ? STORED : hit(10) })
        }
      }
    }
    // What the new version purges, the old one goes on serving.
    await young.cache.purge({ all: true })
    clock.advance(1.1)
    expect((await young.ask('/a')).cacheStatus).toBe(STORED)
    expect((await old.ask('/a')).cacheStatus).toBe(hit(8))
    // A new process of the old version finds its pages.
    expect((await (await of('v1')).ask('/b')).cacheStatus).toBe(hit(8))
    expect(store.calls.delete).toBe(0)
  },
)

for (const [id, memory] of [
  ['FAULT-142', undefined],
  ['FAULT-143', false],
] as const) {
  scenario(
    id,
    `of two renders the older ends last: it reaches its visitor, and does not replace the younger ${memory === false ? 'in the store' : 'in memory'}`,
    anyStore,
    async ({ serve, gate }) => {
      const hold = gate()
      const site = await serve({
        options: { store: new FakeStore(), memory, collapse: { waitMs: 20 } },
        routes: {
          '/x': async ({ n }) => {
            if (n === 1) await hold()
            return text(`render ${n}`, fresh10)
          },
        },
      })
      const older = site.visit('/x')
      await hold.reached()
      expect((await site.visit('/x').done).text).toBe('render 2')
      hold.open()
      expect(await older.done).toMatchObject({ text: 'render 1', complete: true })
      expect(await site.ask('/x')).toMatchObject({ text: 'render 2', cacheStatus: hit(10) })
    },
  )
}

scenario(
  'FAULT-144',
  'a purge during a refresh: what the refresh brings is not stored, and the next visitor renders',
  anyStore,
  async ({ serve, clock, gate }) => {
    const hold = gate()
    const site = await serve({
      options: { store: new FakeStore() },
      routes: {
        '/x': async ({ n }) => {
          if (n === 2) await hold()
          return text(`render ${n}`, swr)
        },
      },
    })
    await site.ask('/x')
    clock.advance(11)
    expect((await site.visit('/x').done).warning).toBe(STALE)
    await hold.reached()
    await site.cache.purge({ url: '/x' })
    hold.open()
    await site.cache.idle()
    expect(site.cache.stats()).toMatchObject({ memory: { entries: 0 }, events: { store: 1 } })
    expect(await site.ask('/x')).toMatchObject({ text: 'render 3', cacheStatus: STORED })
  },
)

scenario(
  'FAULT-145',
  'a purge reaches the copies of another process within a second',
  anyStore,
  async ({ serve, clock }) => {
    const store = new FakeStore()
    const routes = { '/x': numbered() }
    const [one, other] = [await serve({ options: { store }, routes }), await serve({ options: { store }, routes })]
    await one.ask('/x')
    expect((await other.ask('/x')).cacheStatus).toBe(hit(10))
    await one.cache.purge({ url: '/x' })
    clock.advance(1)
    expect((await other.ask('/x')).cacheStatus).toBe(STORED)
  },
)

scenario(
  'FAULT-146',
  'FLUSHALL in the middle of it all: misses, collapsed, stored again',
  anyStore,
  async ({ serve }) => {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    const admin = await createClient({ socket: { path: redis.socketPath, tls: false } }).connect()
    onTestFinished(() => admin.destroy())
    const store = await redisKeyv(redis.socketPath, 'flushed')
    const site = await serve({ options: { store, memory: false }, routes: { '/:id': numbered() } })
    for (let round = 1; round <= 4; round++) {
      for (const got of await Promise.all(site.crowd(10, '/x'))) expect(got.text).toBe(`render ${round}`)
      await site.cache.idle()
      expect((await site.ask('/x')).cacheStatus).toBe(hit(10))
      await admin.flushAll()
    }
    const { breaker, events } = site.cache.stats()
    expect([breaker, events['store-error']]).toEqual(['closed', 0])
  },
)

const page = (id: string): Buffer => Buffer.alloc(50_000, id)

scenario(
  'FAULT-147',
  'a Redis that evicts under its memory limit: its evictions are misses, and nothing else',
  anyStore,
  async ({ serve }) => {
    const redis = await startRedis({ args: ['--maxmemory', '3mb', '--maxmemory-policy', 'allkeys-lru'] })
    onTestFinished(() => redis.stop())
    const store = await redisKeyv(redis.socketPath, 'evicted')
    const site = await serve({
      options: { store, memory: false },
      routes: { '/:id': ({ params }) => bytes(page(params['id']!), { ...fresh10, 'content-type': 'text/plain' }) },
    })
    for (let i = 0; i < 100; i++) {
      const got = await site.ask(`/${i}`)
      expect(got.status).toBe(200)
      expect(got.body.equals(page(String(i))), `page ${i}`).toBe(true)
    }
    // Which of them have gone is Redis's to choose; that some have is arithmetic: five megabytes do not fit into three.
    let misses = 0
    for (let i = 0; i < 100; i++) {
      const got = await site.ask(`/${i}`)
      expect(got.body.equals(page(String(i))), `page ${i}`).toBe(true)
      expect([STORED, hit(10)]).toContain(got.cacheStatus)
      if (got.cacheStatus === STORED) misses += 1
    }
    expect(misses).toBeGreaterThan(0)
    // What was written last has made room for itself, and nothing has wanted room since.
    expect((await site.ask('/new')).cacheStatus).toBe(STORED)
    await site.cache.idle()
    expect((await site.ask('/new')).cacheStatus).toBe(hit(10))
    const { breaker, events } = site.cache.stats()
    expect([breaker, events['store-error']]).toEqual(['closed', 0])
  },
)

let warnings = 0

scenario(
  'FAULT-148',
  'a thousand requests before a store that fails: three calls, then one a second, and one warning a process',
  anyStore,
  async ({ serve, clock }) => {
    const errors = watchProcess()
    const note = (warning: Error & { code?: string }): void => {
      if (warning.code === 'CACHEBACK_STORE_UNREACHABLE') warnings += 1
    }
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    const store = new FakeStore()
    store.fault = 'reject'
    const site = await serve({ options: { store }, routes: { '/:id': text('page', fresh10) } })
    await site.ask('/x')
    const { port } = site.server.address() as AddressInfo
    for (let second = 0; second < 5; second++) {
      const requests = Array.from({ length: 200 }, (_, i) => get(`/${second}-${i}`))
      expect(await flood(port, requests)).toEqual({ 200: 200 })
      await site.cache.idle()
      clock.monotonic += 1000
    }
    const { events, breaker } = site.cache.stats()
    const calls = store.calls.get + store.calls.set
    expect(breaker).toBe('open')
    // Writes that are refused at once open no breaker, and cost nobody anything.
    expect(store.calls.get).toBe(3 + 4)
    expect(events['store-error']).toBe(calls)
    expect(events.breaker).toBe(1)
    expect(warnings).toBe(1)
    expect(errors).toEqual([])
  },
)

playOnAll()
