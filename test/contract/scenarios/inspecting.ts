import { createCacheback } from '@cacheback/core'
import { createServer } from 'node:http'
import { expect } from 'vitest'
import { hit, numbered } from '../../support/cache-status.ts'
import { cacheControl, fail, fresh10, text } from '../../support/reply.ts'
import { anyStore, type Limits, scenario } from '../../support/scenario.ts'

const swr = cacheControl('max-age=10, stale-while-revalidate=60')

scenario('INSPECT-01', 'inspect shows what is stored for a URL', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/articles/:id': numbered({ ...swr, 'cache-tag': 'news, sport' }) } })
  expect(await site.cache.inspect('http://example.test/articles/1')).toBeUndefined()
  await site.ask('/articles/1?a=1')
  const storedAt = clock.now
  clock.advance(1)
  await site.ask('/articles/1?a=1')
  const inspection = await site.cache.inspect('http://example.test/articles/1?a=1')
  expect(inspection).toMatchObject({
    status: 200,
    route: '/articles/:id',
    tags: ['news', 'sport'],
    selecting: {},
    storedAt,
    freshUntil: storedAt + 10_000,
    usableUntil: storedAt + 70_000,
  })
  expect(inspection!.size).toBeGreaterThan(8)
  expect(inspection!.variants).toHaveLength(1)
  for (const url of ['http://example.test/articles/1', 'http://other.test/articles/1?a=1']) {
    expect(await site.cache.inspect(url)).toBeUndefined()
  }
})

const listed: Limits = { stores: ['memory', 'keyv'], because: 'a plain store cannot list its variants' }

scenario('INSPECT-02', 'inspect lists the variants, the youngest first of all', listed, async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': numbered({ ...fresh10, vary: 'Accept-Language' }) } })
  await site.ask('/x', { 'Accept-Language': 'de' })
  clock.advance(1)
  await site.ask('/x')
  const inspection = await site.cache.inspect('http://example.test/x')
  expect(inspection?.selecting).toEqual({ 'accept-language': null })
  expect(inspection?.variants.map(({ selecting }) => selecting['accept-language']).toSorted()).toEqual(['de', null])
})

scenario('INSPECT-03', 'hits of this process are counted', anyStore, async ({ serve }) => {
  const site = await serve({ routes: { '/x': numbered() } })
  for (let i = 0; i < 4; i++) await site.ask('/x')
  expect((await site.cache.inspect('http://example.test/x'))?.hits).toBe(3)
})

scenario('INSPECT-04', 'a URL that is none is rejected', anyStore, async () => {
  const cache = createCacheback()
  cache.attach(createServer())
  for (const url of ['/x', 'x', '', 'ftp://a/b', 7, undefined]) {
    await expect(cache.inspect(url as string), String(url)).rejects.toMatchObject({ code: 'CACHEBACK_INVALID_URL' })
    await expect(cache.refresh(url as string), String(url)).rejects.toMatchObject({ code: 'CACHEBACK_INVALID_URL' })
  }
  await cache.close()
})

scenario('STATS-01', 'stats count what has happened, and why requests bypassed', async ({ serve, clock, store }) => {
  const site = await serve({
    routes: { '/x': ({ n }) => (n === 3 ? fail() : text(`render ${n}`, swr)), '/no': text('no') },
  })
  await site.ask('/x')
  await site.ask('/x')
  clock.advance(11)
  await site.ask('/x')
  clock.advance(11)
  await site.ask('/x')
  await site.ask('/no')
  await site.ask('/no', { Cookie: 'a=1' })
  await site.ask('/no', { Cookie: 'b=1' })
  await site.ask('/no', { 'X-Api-Key': 'k' })
  await site.ask('POST /x')
  const stats = site.cache.stats()
  expect(stats.events).toMatchObject({ hit: 1, stale: 2, miss: 2, store: 2, refresh: 1, 'refresh-failed': 1 })
  expect(stats.bypasses).toMatchObject({ cookie: 2, credential: 1, method: 1 })
  expect(stats.events.bypass).toBe(4)
  expect(stats).toMatchObject({ capturing: 0, refresh: { queued: 0, running: 0 } })
  expect(stats.breaker).toBe(store === 'memory' ? 'none' : 'closed')
})

scenario('EVENT-01', 'listeners are told key, route, reason and duration, until they stop', async ({ serve }) => {
  const site = await serve({ routes: { '/articles/:id': numbered() } })
  const stored: unknown[] = []
  const stop = site.cache.on('store', (event) => stored.push(event))
  const reasons: (string | undefined)[] = []
  site.cache.on('bypass', ({ reason }) => reasons.push(reason))
  await site.ask('/articles/1')
  await site.ask('/articles/1', { Cookie: 'a=1' })
  stop()
  await site.ask('/articles/2')
  expect(stored).toMatchObject([{ key: expect.stringContaining('/articles/1'), route: '/articles/:id' }])
  expect(reasons).toEqual(['cookie'])
})

scenario('EVENT-02', 'a listener that throws hurts nobody; an unknown event is refused', async ({ serve }) => {
  const site = await serve({ routes: { '/x': numbered() } })
  for (const event of ['hit', 'miss', 'store'] as const) {
    site.cache.on(event, () => {
      throw new Error('a broken listener')
    })
  }
  let told = 0
  site.cache.on('hit', () => told++)
  expect((await site.ask('/x')).status).toBe(200)
  expect((await site.ask('/x')).cacheStatus).toBe(hit(10))
  expect(told).toBe(1)
  expect(() => site.cache.on('hits' as never, () => undefined)).toThrow(
    expect.objectContaining({ code: 'CACHEBACK_UNKNOWN_EVENT' }),
  )
})

scenario('IDLE-01', 'idle waits for refreshes and for nothing else', async ({ serve, clock, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async ({ n }) => {
        if (n > 1) await hold()
        return text(`render ${n}`, swr)
      },
    },
  })
  await site.cache.idle()
  await site.ask('/x')
  clock.advance(11)
  await site.visit('/x').done
  await hold.reached()
  let idle = false
  const waiting = site.cache.idle().then(() => (idle = true))
  await site.visit('/x').done
  expect(idle).toBe(false)
  hold.open()
  await waiting
  expect((await site.ask('/x')).text).toBe('render 2')
})
