import { Keyv } from 'keyv'
import { createCacheback, type Store } from '@cacheback/core'
import { expect, onTestFinished } from 'vitest'
import { hit, numbered, STALE, STORED } from '../../support/cache-status.ts'
import { startRedis } from '../../support/redis.ts'
import { bytes, cacheControl, fresh10, text } from '../../support/reply.ts'
import { anyStore, scenario, sharedStore } from '../../support/scenario.ts'
import { FakeStore, redisKeyv } from '../../support/stores.ts'

const quick = { get: 20, set: 20 }
const swr = cacheControl('max-age=10, stale-while-revalidate=600')

scenario(
  'STORE-01',
  'another process with the same store serves what the first has stored',
  sharedStore,
  async ({ serve, clock }) => {
    const headers = { ...fresh10, link: ['<a>', '<b>'], etag: '"v1"', vary: 'Accept-Language' }
    const first = await serve({ routes: { '/x': () => bytes(Buffer.from([0, 255, 128, 10]), headers) } })
    const second = await serve({ routes: { '/x': numbered() } })
    await first.ask('/x', { 'Accept-Language': 'de' })
    clock.advance(4)
    const got = await second.ask('/x', { 'Accept-Language': 'de' })
    expect(got).toMatchObject({ status: 200, age: 4, cacheStatus: hit(6), headers: { etag: '"v1"', link: '<a>, <b>' } })
    expect([...got.body]).toEqual([0, 255, 128, 10])
    expect((await second.ask('/x', { 'Accept-Language': 'en' })).text).toBe('render 1')
  },
)

scenario('STORE-02', 'a restart finds the pages, stale windows included', sharedStore, async ({ serve, clock }) => {
  const first = await serve({ routes: { '/x': () => text('old', swr) } })
  await first.ask('/x')
  await first.close()
  const second = await serve({ routes: { '/x': () => text('new', swr) } })
  clock.advance(11)
  expect(await second.ask('/x')).toMatchObject({ text: 'old', age: 11, warning: STALE, cacheStatus: hit(-1) })
  expect((await second.ask('/x')).text).toBe('new')
})

scenario('STORE-03', 'another name or version is another cache', sharedStore, async ({ serve }) => {
  const routes = { '/x': numbered() }
  const first = await serve({ routes })
  await first.ask('/x')
  for (const options of [{ version: '2' }, { name: 'other' }, { name: 'other', version: '2' }]) {
    const site = await serve({ options, routes })
    expect((await site.ask('/x')).cacheStatus).toContain('fwd=uri-miss; stored')
    expect((await site.ask('/x')).cacheStatus).toContain('; hit')
  }
})

scenario('STORE-04', 'without in-process copies every hit comes from the store', anyStore, async ({ serve }) => {
  const store = new FakeStore()
  const site = await serve({ options: { store, memory: false }, routes: { '/x': numbered() } })
  await site.ask('/x')
  const before = store.calls.get
  for (let i = 0; i < 3; i++) expect((await site.ask('/x')).cacheStatus).toBe(hit(10))
  expect(store.calls.get).toBeGreaterThanOrEqual(before + 3)
  expect(site.cache.stats().memory).toEqual({ bytes: 0, entries: 0 })
})

scenario('STORE-05', 'every lifetime given to a store is a whole number above 0', anyStore, async ({ serve }) => {
  const store = new FakeStore()
  const lifetimes = ['max-age=1', 'max-age=0, stale-while-revalidate=1', 'max-age=99999999999', 's-maxage=5']
  const site = await serve({
    options: { store, staleIfError: 0.001 },
    routes: { '/:i': ({ params }) => text('page', cacheControl(lifetimes[Number(params['i'])]!)) },
  })
  for (const i of lifetimes.keys()) await site.ask(`/${i}`)
  expect(store.lifetimes.length).toBeGreaterThanOrEqual(lifetimes.length)
  expect(store.lifetimes.every((ms) => Number.isSafeInteger(ms) && ms > 0)).toBe(true)
})

for (const [id, fault] of [
  ['STORE-06', 'reject'],
  ['STORE-07', 'throw'],
  ['STORE-08', 'hang'],
] as const) {
  scenario(
    id,
    `a store that does ${fault} costs nobody his page, and copies in memory still work`,
    anyStore,
    async ({ serve }) => {
      const store = new FakeStore()
      store.fault = fault
      const site = await serve({ options: { store, storeTimeoutMs: quick }, routes: { '/:id': numbered() } })
      const errors: (string | undefined)[] = []
      site.cache.on('store-error', ({ reason }) => errors.push(reason))
      expect(await site.ask('/a')).toMatchObject({ status: 200, text: 'render 1' })
      expect(await site.ask('/a')).toMatchObject({ text: 'render 1', cacheStatus: hit(10) })
      expect(await site.ask('/b')).toMatchObject({ status: 200, text: 'render 2' })
      expect(errors.length).toBeGreaterThan(0)
      expect(site.cache.stats().events['store-error']).toBe(errors.length)
    },
  )
}

scenario(
  'STORE-09',
  'after three failures in a row the store is left alone, and probed again',
  anyStore,
  async ({ serve, clock }) => {
    const store = new FakeStore()
    store.fault = 'hang'
    const site = await serve({
      options: { store, memory: false, storeTimeoutMs: quick },
      routes: { '/:id': ({ params }) => text(`page ${params['id']}`, cacheControl('max-age=1000')) },
    })
    const breaker: (string | undefined)[] = []
    site.cache.on('breaker', ({ reason }) => breaker.push(reason))
    for (let i = 0; i < 4; i++) expect((await site.ask(`/${i}`)).status).toBe(200)
    expect(site.cache.stats().breaker).toBe('open')
    const calls = store.calls.get + store.calls.set
    for (let i = 4; i < 24; i++) expect((await site.ask(`/${i}`)).status).toBe(200)
    expect(store.calls.get + store.calls.set).toBe(calls)
    store.fault = undefined
    clock.advance(2)
    for (let i = 0; i < 3; i++) await site.ask('/x')
    expect(site.cache.stats().breaker).toBe('closed')
    expect(await site.ask('/x')).toMatchObject({ text: 'page x' })
    expect((await site.ask('/x')).cacheStatus).toContain('hit')
    expect(breaker.length).toBeGreaterThanOrEqual(2)
  },
)

scenario(
  'STORE-10',
  'while the store is left alone, a stale page says so with Warning 112',
  anyStore,
  async ({ serve, clock }) => {
    const store = new FakeStore()
    const site = await serve({
      options: { store, storeTimeoutMs: quick },
      routes: { '/:id': ({ n }) => text(`render ${n}`, swr) },
    })
    await site.ask('/x')
    store.fault = 'reject'
    for (let i = 0; i < 4; i++) await site.ask(`/${i}`)
    expect(site.cache.stats().breaker).toBe('open')
    // Only the clock of freshness: the breaker's does not move.
    clock.now += 11_000
    expect((await site.ask('/x')).warning).toBe(`${STALE}, 112 - "Disconnected Operation"`)
  },
)

/** Every damage must be a miss or leave the page as it was; never another page, never an error. */
scenario('STORE-11', 'a damaged entry is a miss, wherever the damage is', anyStore, async ({ serve }) => {
  const store = new FakeStore()
  const site = await serve({ options: { store, memory: false }, routes: { '/x': () => text('the page', fresh10) } })
  await site.ask('/x')
  const [key, frame] = [...store.frames].find(([name]) => name.includes('/x'))!
  const damaged: Uint8Array[] = [new Uint8Array(0), Buffer.from('{}'), Buffer.from('not a frame at all')]
  for (let i = 0; i < frame.length; i += Math.max(1, Math.floor(frame.length / 40))) {
    damaged.push(frame.slice(0, i))
    damaged.push(frame.map((byte, at) => (at === i ? byte ^ 0x55 : byte)))
  }
  damaged.push(Buffer.concat([frame, Buffer.from('more')]))
  for (const [i, wrong] of damaged.entries()) {
    store.frames.set(key, wrong)
    const got = await site.ask('/x')
    expect(got, `damage ${i}`).toMatchObject({ status: 200, text: 'the page', complete: true })
    expect(got.headers['content-type'], `damage ${i}`).toBe('text/plain; charset=utf-8')
    expect((await site.ask('/x')).cacheStatus, `damage ${i}`).toBe(hit(10))
  }
})

scenario('STORE-12', 'the entry of one page under the key of another is a miss', anyStore, async ({ serve }) => {
  const store = new FakeStore()
  const site = await serve({
    options: { store, memory: false },
    routes: { '/:id': ({ params }) => text(`page ${params['id']}`, fresh10) },
  })
  await site.ask('/alice')
  await site.ask('/bob')
  const [alice, bob] = [...store.frames.keys()].filter((key) => /\/(alice|bob)/.test(key)).toSorted()
  const frame = store.frames.get(alice!)!
  store.frames.set(alice!, store.frames.get(bob!)!)
  store.frames.set(bob!, frame)
  expect((await site.ask('/alice')).text).toBe('page alice')
  expect((await site.ask('/bob')).text).toBe('page bob')
})

scenario('STORE-13', 'whatever else a Keyv holds under a key is a miss', anyStore, async ({ serve }) => {
  const map = new Map<string, unknown>()
  const keyv = new Keyv({ store: map })
  const site = await serve({ options: { store: keyv, memory: false }, routes: { '/x': () => text('page', fresh10) } })
  const keys: string[] = []
  site.cache.on('store', ({ key }) => keys.push(key))
  await site.ask('/x')
  for (const junk of ['text', 7, true, {}, [], { head: {}, body: 1 }, '{"__proto__":{"a":1}}', Buffer.from('junk')]) {
    await keyv.set(keys[0]!, junk)
    expect(await site.ask('/x'), JSON.stringify(junk)).toMatchObject({ status: 200, text: 'page', cacheStatus: STORED })
  }
})

scenario('STORE-14', 'copies in memory are bounded in bytes; the least used go first', anyStore, async ({ serve }) => {
  const site = await serve({
    options: { memory: { maxBytes: 60_000, maxEntryBytes: 10_000 } },
    routes: { '/:id': ({ params }) => bytes(Buffer.alloc(8000, params['id']), fresh10) },
  })
  let evicted = 0
  site.cache.on('evict', () => evicted++)
  for (const id of [1, 2, 3, 4, 5, 6]) {
    await site.ask(`/${id}`)
    await site.ask('/1')
  }
  for (const id of [7, 8, 9]) await site.ask(`/${id}`)
  const { memory } = site.cache.stats()
  expect(memory.bytes).toBeLessThanOrEqual(60_000)
  expect(memory.bytes).toBeGreaterThan(memory.entries * 8000)
  expect(evicted).toBeGreaterThan(0)
  expect((await site.ask('/1')).cacheStatus).toBe(hit(10))
  expect((await site.ask('/2')).cacheStatus).toBe(STORED)
})

scenario(
  'STORE-15',
  'a hung Redis costs no visitor more than storeTimeoutMs, and is used again when it is back',
  {
    stores: ['redis'],
    because: 'hangs a Redis of its own',
  },
  async ({ serve, clock }) => {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    const keyv = await redisKeyv(redis.socketPath, 'hang')
    const site = await serve({
      options: { store: keyv, memory: false, storeTimeoutMs: { get: 50, set: 100 } },
      routes: { '/:id': () => text('page', cacheControl('max-age=1000')) },
    })
    await site.ask('/a')
    expect((await site.ask('/a')).cacheStatus).toContain('hit')
    redis.pause()
    for (let i = 0; i < 12; i++) {
      const start = performance.now()
      expect(await site.visit(`/a?${i}`).done).toMatchObject({ status: 200, text: 'page' })
      // The page itself costs nothing; what is above the deadline is a busy machine.
      expect(performance.now() - start).toBeLessThan(50 + 400)
    }
    expect(site.cache.stats().breaker).not.toBe('closed')
    redis.resume()
    await site.cache.idle()
    for (let tries = 0; tries < 50 && site.cache.stats().breaker !== 'closed'; tries++) {
      clock.advance(2)
      await site.ask('/a')
    }
    await site.ask('/b')
    expect((await site.ask('/b')).cacheStatus).toContain('hit')
  },
)

scenario('STORE-16', 'purging everything touches no foreign key', sharedStore, async ({ serve, options }) => {
  const store = (await options()).store as Store | Keyv
  await store.set('foreign', Buffer.from('kept'), 60_000)
  const site = await serve({ options: { store }, routes: { '/x': numbered() } })
  await site.ask('/x')
  await site.cache.purge({ all: true })
  expect((await site.ask('/x')).text).toBe('render 2')
  expect(String(await store.get('foreign'))).toBe('kept')
})

scenario('STORE-17', 'close ends the store, once and last of all', anyStore, async ({ options }) => {
  const store = new FakeStore()
  const cache = createCacheback({ ...(await options()), store })
  await cache.close()
  await cache.close()
  expect(store.calls.close).toBe(1)
})

scenario('STORE-18', 'keys are short, printable, and hold no secret', anyStore, async ({ serve }) => {
  const store = new FakeStore()
  const site = await serve({
    options: { store, vary: ['x-a'], cookies: { key: ['sid'] } },
    routes: { '*': numbered() },
  })
  await site.ask('/%0d%0aSET%20x%22?q=%ff', { Cookie: 'sid=topsecret', 'X-A': 'value\u00e9' })
  await site.ask(`/${'x'.repeat(3000)}`)
  for (const key of store.frames.keys()) {
    expect(key).toMatch(/^[\x21-\x7e]{1,320}$/)
    expect(key).not.toContain('topsecret')
  }
})

scenario(
  'STORE-19',
  'a memory too small for any page stores nothing and answers everybody',
  anyStore,
  async ({ serve }) => {
    const site = await serve({ options: { memory: { maxBytes: 1 } }, routes: { '/x': numbered() } })
    for (const n of [1, 2, 3]) expect(await site.ask('/x')).toMatchObject({ status: 200, text: `render ${n}` })
    expect(site.cache.stats()).toMatchObject({ capturing: 0, memory: { bytes: 0, entries: 0 } })
  },
)
