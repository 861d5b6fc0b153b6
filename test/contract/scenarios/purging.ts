import { createCacheback } from '@cacheback/core'
import { expect } from 'vitest'
import { hit, numbered, STALE, STORED } from '../../support/cache-status.ts'
import { cacheControl, fresh10, text } from '../../support/reply.ts'
import { anyStore, scenario, sharedStore, type Site } from '../../support/scenario.ts'
import { FakeStore } from '../../support/stores.ts'

const long = cacheControl('max-age=1000')
const swr = cacheControl('max-age=1000, stale-while-revalidate=1000')

/** Which of these requests are rendered anew. */
async function rendered(site: Site, requests: readonly string[], host?: string): Promise<string[]> {
  const list: string[] = []
  for (const request of requests) {
    const before = site.renders()
    await site.ask(request, host === undefined ? {} : { Host: host })
    if (site.renders() > before) list.push(request)
  }
  return list
}

scenario('PURGE-01', 'a path means every host and all variants', async ({ serve }) => {
  const site = await serve({ options: { vary: ['x-a'] }, routes: { '/:id': numbered(long) } })
  const asks = [{}, { Host: 'b.test' }, { 'X-A': '1' }, { 'X-A': '2', Host: 'b.test' }]
  for (const headers of asks) await site.ask('/x', headers)
  await site.ask('/y')
  await site.cache.purge({ url: '/x' })
  for (const headers of asks) expect((await site.ask('/x', headers)).cacheStatus).toContain('stored')
  expect((await site.ask('/y')).cacheStatus).toContain('hit')
})

scenario('PURGE-02', 'an absolute URL means that host', async ({ serve }) => {
  const site = await serve({ routes: { '/:id': numbered(long) } })
  await site.ask('/x', { Host: 'a.test' })
  await site.ask('/x', { Host: 'b.test' })
  await site.cache.purge({ url: 'http://a.test/x' })
  expect(await rendered(site, ['/x'], 'a.test')).toEqual(['/x'])
  expect(await rendered(site, ['/x'], 'b.test')).toEqual([])
})

scenario('PURGE-03', 'a URL means its raw path and query, under the rules of its route', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/page': { cacheback: { query: ['n'] }, answer: numbered(long) },
      '*': numbered(long),
    },
  })
  const requests = ['/a/b', '/a%2Fb', '/a/b?q=1', '/a/b?', '/page?n=1', '/page?n=2']
  await rendered(site, requests)
  await site.cache.purge({ url: '/a/b' })
  expect(await rendered(site, requests)).toEqual(['/a/b'])
  await site.cache.purge({ url: '/a/b?q=1' })
  expect(await rendered(site, requests)).toEqual(['/a/b?q=1'])
  await site.cache.purge({ url: '/page?utm=x&n=2' })
  expect(await rendered(site, requests)).toEqual(['/page?n=2'])
})

scenario('PURGE-04', 'a route means all its pages', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/articles/:id': numbered(long),
      '/articles/:id/comments': numbered(long),
      '/named/:id': { cacheback: { route: 'news' }, answer: numbered(long) },
    },
  })
  const requests = ['/articles/1', '/articles/2?a', '/articles/1/comments', '/named/1']
  await rendered(site, requests)
  await site.cache.purge({ route: '/articles/:id' })
  expect(await rendered(site, requests)).toEqual(['/articles/1', '/articles/2?a'])
  await site.cache.purge({ route: 'news' })
  expect(await rendered(site, requests)).toEqual(['/named/1'])
})

scenario('PURGE-05', 'a prefix is a prefix of the raw path, on one host or on all', async ({ serve }) => {
  const site = await serve({ routes: { '*': numbered(long) } })
  const requests = ['/shop/a', '/shop/b?c', '/shopping', '/other', '/shop%2Fa']
  await rendered(site, requests)
  await site.cache.purge({ prefix: '/shop/' })
  expect(await rendered(site, requests)).toEqual(['/shop/a', '/shop/b?c'])
  await rendered(site, ['/shop/a'], 'b.test')
  await site.cache.purge({ prefix: 'http://b.test/shop/' })
  expect(await rendered(site, ['/shop/a'])).toEqual([])
  expect(await rendered(site, ['/shop/a'], 'b.test')).toEqual(['/shop/a'])
})

scenario('PURGE-06', 'tags come from three fields and the option', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/cache-tag': numbered({ ...long, 'cache-tag': 'a, shared' }),
      '/surrogate-key': numbered({ ...long, 'surrogate-key': 'b shared' }),
      '/cache-groups': numbered({ ...long, 'cache-groups': '"c", "shared"' }),
      '/option': {
        cacheback: { tags: (request, response) => [`of ${request.url}`, `status ${response.status}`, 'shared'] },
        answer: numbered(long),
      },
      '/none': numbered(long),
    },
  })
  const requests = ['/cache-tag', '/surrogate-key', '/cache-groups', '/option', '/none']
  await rendered(site, requests)
  for (const [tag, path] of [
    ['a', '/cache-tag'],
    ['b', '/surrogate-key'],
    ['c', '/cache-groups'],
    ['of /option', '/option'],
    ['status 200', '/option'],
  ] as const) {
    await site.cache.purge({ tag })
    expect(await rendered(site, requests), tag).toEqual([path])
  }
  await site.cache.purge({ tag: 'shared' })
  expect(await rendered(site, requests)).toEqual(['/cache-tag', '/surrogate-key', '/cache-groups', '/option'])
  await site.cache.purge({ tag: 'share' })
  expect(await rendered(site, requests)).toEqual([])
})

scenario('PURGE-07', 'all means all, and what is rendered afterwards lives', async ({ serve }) => {
  const site = await serve({ routes: { '*': numbered(long) } })
  const requests = ['/a', '/b', '/c?d']
  await rendered(site, requests)
  await site.cache.purge({ all: true })
  // The clock has not moved: the same millisecond is before the purge and after it.
  expect(await rendered(site, requests)).toEqual(requests)
  expect(await rendered(site, requests)).toEqual([])
})

scenario(
  'PURGE-08',
  'soft: the page becomes stale and is refreshed; its window is not lengthened',
  async ({ serve, clock }) => {
    const site = await serve({ routes: { '/x': numbered(swr), '/y': numbered(long) } })
    await site.ask('/x')
    await site.ask('/y')
    clock.advance(5)
    await site.cache.purge({ all: true }, { soft: true })
    expect(await site.ask('/x')).toMatchObject({ text: 'render 1', age: 5, warning: STALE })
    expect(await site.ask('/x')).toMatchObject({ text: 'render 2', warning: undefined, cacheStatus: hit(1000) })
    // No window, nothing stale.
    expect((await site.ask('/y')).text).toBe('render 2')
  },
)

scenario('PURGE-09', 'a hard purge removes stale pages too', async ({ serve, clock }) => {
  const site = await serve({
    routes: { '/x': numbered(cacheControl('max-age=10, stale-while-revalidate=600, stale-if-error=600')) },
  })
  await site.ask('/x')
  clock.advance(11)
  await site.cache.purge({ url: '/x' })
  expect(await site.ask('/x')).toMatchObject({ text: 'render 2', warning: undefined })
})

scenario(
  'PURGE-10',
  'a purge fences the render that is under way: it is served and not stored',
  async ({ serve, gate }) => {
    const hold = gate()
    const site = await serve({
      routes: {
        '/x': async ({ n }) => {
          if (n === 1) await hold()
          return text(`render ${n}`, long)
        },
      },
    })
    const visit = site.visit('/x').done
    await hold.reached()
    await site.cache.purge({ url: '/x' })
    hold.open()
    expect((await visit).text).toBe('render 1')
    await site.cache.idle()
    expect(await site.ask('/x')).toMatchObject({ text: 'render 2', cacheStatus: STORED })
    expect((await site.ask('/x')).text).toBe('render 2')
  },
)

scenario('PURGE-11', 'a purge fences a refresh under way, by tag as well', async ({ serve, gate, clock }) => {
  const hold = gate()
  const tagged = { ...cacheControl('max-age=10, stale-while-revalidate=600'), 'cache-tag': 'news' }
  const site = await serve({
    routes: {
      '/x': async ({ n }) => {
        if (n === 2) await hold()
        return text(`render ${n}`, tagged)
      },
    },
  })
  await site.ask('/x')
  clock.advance(11)
  await site.visit('/x').done
  await hold.reached()
  await site.cache.purge({ tag: 'news' })
  hold.open()
  await site.cache.idle()
  expect((await site.ask('/x')).text).toBe('render 3')
})

scenario(
  'PURGE-12',
  'it reaches another process with the same store within a second',
  sharedStore,
  async ({ serve, clock }) => {
    const [one, two] = [
      await serve({ routes: { '/x': numbered(long) } }),
      await serve({ routes: { '/x': numbered(long) } }),
    ]
    await one.ask('/x')
    expect((await two.ask('/x')).cacheStatus).toBe(hit(1000))
    await one.cache.purge({ url: '/x' })
    clock.advance(1.1)
    expect((await two.ask('/x')).text).toBe('render 1')
    expect(two.renders()).toBe(1)
    // And what that one has rendered since is good for the first as well.
    expect((await one.ask('/x')).cacheStatus).not.toContain('stored')
  },
)

scenario('PURGE-13', 'it survives a restart', sharedStore, async ({ serve }) => {
  const first = await serve({ routes: { '/x': numbered(long), '/y': numbered(long) } })
  await first.ask('/x')
  await first.ask('/y')
  await first.cache.purge({ url: '/x' })
  await first.close()
  const second = await serve({ routes: { '/x': numbered(long), '/y': numbered(long) } })
  expect((await second.ask('/x')).cacheStatus).toContain('stored')
  expect((await second.ask('/y')).cacheStatus).toBe(hit(1000))
})

scenario('PURGE-14', 'a bad selector is rejected', anyStore, async () => {
  const cache = createCacheback()
  const bad = [
    undefined,
    {},
    { url: '' },
    { url: 'articles' },
    { url: '/a', tag: 'b' },
    { all: false },
    { tag: 7 },
    'all',
    { prefix: 'x' },
  ]
  for (const selector of bad) {
    await expect(cache.purge(selector as never), JSON.stringify(selector)).rejects.toMatchObject({
      code: 'CACHEBACK_INVALID_SELECTOR',
    })
  }
  await cache.close()
})

scenario(
  'PURGE-15',
  'with a dead store it rejects, and holds in this process all the same',
  anyStore,
  async ({ serve }) => {
    const store = new FakeStore()
    const site = await serve({
      options: { store, storeTimeoutMs: { get: 20, set: 20 } },
      routes: { '/x': numbered(long) },
    })
    await site.ask('/x')
    store.fault = 'reject'
    await expect(site.cache.purge({ url: '/x' })).rejects.toThrow(/broken/)
    expect((await site.ask('/x')).text).toBe('render 2')
  },
)

scenario('PURGE-16', 'nobody purges over HTTP', async ({ serve }) => {
  const site = await serve({ routes: { '/x': numbered(long) } })
  await site.ask('/x')
  await site.ask('PURGE /x')
  await site.ask('DELETE /x')
  await site.ask('/x', { 'X-Purge': '1', 'Cache-Control': 'no-cache' })
  expect(await site.ask('/x')).toMatchObject({ text: 'render 1', cacheStatus: hit(1000) })
})

scenario('PURGE-17', 'the event tells the selector, and a purge of what is not there is fine', async ({ serve }) => {
  const site = await serve({ routes: { '/x': numbered(fresh10) } })
  const keys: string[] = []
  site.cache.on('purge', ({ key }) => keys.push(key))
  await site.cache.purge({ tag: 'nothing' })
  await site.cache.purge({ all: true }, { soft: true })
  expect(keys.map((key) => JSON.parse(key) as object)).toMatchObject([{ tag: 'nothing' }, { all: true }])
  expect(site.cache.stats().events.purge).toBe(2)
})

scenario('PURGE-18', 'two thousand purges are bounded and never bring a page back', async ({ serve }) => {
  const site = await serve({ routes: { '/x': numbered({ ...long, 'cache-tag': 'first' }) } })
  await site.ask('/x')
  await site.cache.purge({ tag: 'first' })
  await Promise.all(Array.from({ length: 2000 }, (_, i) => site.cache.purge({ tag: `other ${i}` })))
  expect((await site.ask('/x')).text).toBe('render 2')
})

scenario(
  'PURGE-19',
  'those who wait for a render that is purged meanwhile are answered, and keep nothing old',
  async ({ serve, gate }) => {
    const hold = gate()
    const site = await serve({
      routes: {
        '/x': async ({ n }) => {
          if (n === 1) await hold()
          return text(`render ${n}`, long)
        },
      },
    })
    const leader = site.visit('/x').done
    await hold.reached()
    const followers = site.crowd(5, '/x')
    await site.arrived(6)
    await site.cache.purge({ all: true })
    hold.open()
    expect((await leader).text).toBe('render 1')
    for (const got of await Promise.all(followers)) expect(got.status).toBe(200)
    await site.cache.idle()
    expect((await site.ask('/x')).text).not.toBe('render 1')
  },
)
