import { expect } from 'vitest'
import { hit, STORED } from '../../support/cache-status.ts'
import { HOST } from '../../support/client.ts'
import { type Fields, fresh10 } from '../../support/reply.ts'
import { scenario, sharedStore, type Site } from '../../support/scenario.ts'
import { plain } from './http-origin.ts'

const page = ({ n }: { n: number }) => plain(`render ${n}`, fresh10)

/** Pages that are stored, and a route `/act` for unsafe requests that answers with these fields. */
const pages = { '/a': page, '/b': page, '/a/b': page }
const unsafe = (fields: Fields = {}, status = 200) => ({
  methods: ['POST', 'PUT', 'DELETE', 'PATCH'],
  answer: plain(status === 204 ? '' : 'done', fields, status),
})

async function store(site: Site, paths: readonly string[]): Promise<void> {
  for (const path of paths) await site.ask(path)
  for (const path of paths) expect((await site.ask(path)).cacheStatus, path).toBe(hit(10))
}

/** Which of these pages are still stored. Asks, and so stores them again. */
async function kept(site: Site, paths: readonly string[]): Promise<string[]> {
  const still: string[] = []
  for (const path of paths) if ((await site.ask(path)).cacheStatus === hit(10)) still.push(path)
  return still
}

/** `/x` answers GET with a page and everything else with this. */
const mixed = (status: number, fields: Fields = {}) => ({
  methods: ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'],
  answer: ({ n, method }: { n: number; method: string }) =>
    method === 'GET' ? plain(`render ${n}`, fresh10) : plain(status === 204 ? '' : 'done', fields, status),
})

for (const [id, method] of [
  ['INV-01', 'POST'],
  ['INV-02', 'PUT'],
  ['INV-03', 'DELETE'],
  ['INV-04', 'PATCH'],
] as const) {
  scenario(id, `a successful ${method} invalidates its URI, and no other`, async ({ serve }) => {
    const site = await serve({ routes: { ...pages, '/x': mixed(200) } })
    await store(site, ['/x', '/x?a=1', '/a'])
    expect((await site.ask(`${method} /x`)).cacheStatus).toBe('cacheback; fwd=method')
    expect(await kept(site, ['/x', '/x?a=1', '/a'])).toEqual(['/x?a=1', '/a'])
  })
}

scenario('INV-05', 'a method that nobody knows may have changed something', async ({ serve }) => {
  const site = await serve({
    before: { fastify: (app) => app.addHttpMethod('M-SEARCH') },
    routes: { '/x': { ...mixed(200), methods: ['GET', 'M-SEARCH'] } },
  })
  await store(site, ['/x'])
  expect(await site.ask('M-SEARCH /x')).toMatchObject({ text: 'done', cacheStatus: 'cacheback; fwd=method' })
  expect(await kept(site, ['/x'])).toEqual([])
})

scenario('INV-06', 'a safe method invalidates nothing', async ({ serve }) => {
  const site = await serve({ routes: { '/x': mixed(200) } })
  await store(site, ['/x'])
  for (const method of ['OPTIONS', 'HEAD']) await site.ask(`${method} /x`)
  expect(await kept(site, ['/x'])).toEqual(['/x'])
})

scenario('INV-07', 'success is 2xx and 3xx; a failed request invalidates nothing', async ({ serve }) => {
  const statuses = [200, 201, 204, 299, 302, 303, 400, 403, 404, 409, 500, 503]
  const paths = statuses.map((status) => `/${status}`)
  const site = await serve({
    routes: Object.fromEntries(statuses.map((status) => [`/${status}`, mixed(status, { location: '/other' })])),
  })
  await store(site, paths)
  for (const path of paths) await site.ask(`POST ${path}`)
  expect(await kept(site, paths)).toEqual(['/400', '/403', '/404', '/409', '/500', '/503'])
})

scenario('INV-08', 'Location and Content-Location are invalidated on the same origin', async ({ serve }) => {
  const site = await serve({
    routes: {
      ...pages,
      '/absolute': unsafe({ location: `http://${HOST}/a` }, 201),
      '/path': unsafe({ 'content-location': '/a' }),
      '/relative/': unsafe({ location: '../a/b' }, 303),
      '/both': unsafe({ location: '/a', 'content-location': '/b' }),
      '/fragment': unsafe({ location: '/a#part' }, 201),
    },
  })
  const all = ['/a', '/b', '/a/b']
  const expected = {
    '/absolute': ['/a'],
    '/path': ['/a'],
    '/relative/': ['/a/b'],
    '/both': ['/a', '/b'],
    '/fragment': ['/a'],
  }
  for (const [path, gone] of Object.entries(expected)) {
    await site.cache.purge({ all: true })
    await store(site, all)
    await site.ask(`POST ${path}`)
    expect(await kept(site, all), path).toEqual(all.filter((each) => !gone.includes(each)))
  }
})

scenario('INV-09', 'another origin is not ours to invalidate', async ({ serve }) => {
  const others = ['http://other.test/a', `http://${HOST}:8080/a`, `//other.test/a`, 'http://[/a', 'mailto:a', '']
  const site = await serve({
    routes: { ...pages, ...Object.fromEntries(others.map((location, i) => [`/${i}`, unsafe({ location }, 201)])) },
  })
  await site.ask('/a', { Host: 'other.test' })
  await store(site, ['/a'])
  for (const i of others.keys()) await site.ask(`POST /${i}`)
  expect(await kept(site, ['/a'])).toEqual(['/a'])
  expect((await site.ask('/a', { Host: 'other.test' })).cacheStatus).toBe(hit(10))
})

scenario('INV-10', 'all variants of a URI go; the same path of another host stays', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/x': {
        methods: ['GET', 'POST'],
        answer: ({ n }) => plain(`render ${n}`, { ...fresh10, vary: 'Accept-Language' }),
      },
    },
  })
  const asked = [{ 'Accept-Language': 'de' }, { 'Accept-Language': 'fr' }, {}, { Host: 'other.test' }]
  for (const headers of asked) await site.ask('/x', headers)
  await site.ask('POST /x')
  const hits = []
  for (const headers of asked) hits.push((await site.ask('/x', headers)).cacheStatus === hit(10))
  expect(hits).toEqual([false, false, false, true])
})

scenario('INV-11', 'invalidateOnUnsafe: false leaves everything as it is, on that route', async ({ serve }) => {
  const site = await serve({
    routes: {
      ...pages,
      '/on': mixed(200, { location: '/a' }),
      '/off': { ...mixed(200, { location: '/a' }), cacheback: { invalidateOnUnsafe: false } },
    },
  })
  await store(site, ['/on', '/off', '/a'])
  await site.ask('POST /off')
  expect(await kept(site, ['/on', '/off', '/a'])).toEqual(['/on', '/off', '/a'])
  await site.ask('POST /on')
  expect(await kept(site, ['/on', '/off', '/a'])).toEqual(['/off'])
})

scenario('INV-12', 'a render that is under way is fenced', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': {
        methods: ['GET', 'POST'],
        answer: async ({ n, method }) => {
          if (method === 'GET' && n === 1) await hold()
          return plain(`render ${n}`, fresh10)
        },
      },
    },
  })
  const old = site.visit('/x').done
  await hold.reached()
  await site.visit('POST /x').done
  hold.open()
  expect((await old).text).toBe('render 1')
  await site.cache.idle()
  expect(await site.ask('/x')).toMatchObject({ text: 'render 3', cacheStatus: STORED })
  expect(await site.ask('/x')).toMatchObject({ text: 'render 3', cacheStatus: hit(10) })
})

scenario('INV-13', 'a URI is invalidated under the key rules of its route', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/x': { ...mixed(200), cacheback: { query: ['page'] } },
      '/act': unsafe({ location: '/x?page=2&utm=3' }, 201),
    },
  })
  await store(site, ['/x?page=1', '/x?page=2'])
  await site.ask('POST /x?utm=1&page=1')
  expect(await kept(site, ['/x?page=1', '/x?page=2'])).toEqual(['/x?page=2'])
  await site.ask('POST /act')
  expect(await kept(site, ['/x?page=1', '/x?page=2'])).toEqual(['/x?page=1'])
})

scenario(
  'INV-14',
  'what a header of the option vary, or a keyed cookie, has told apart goes as well',
  async ({ serve }) => {
    const site = await serve({
      options: { vary: ['X-Device'], cookies: { key: ['theme'] } },
      routes: { '/x': mixed(200) },
    })
    const asked = [{ 'X-Device': 'phone' }, { Cookie: 'theme=dark' }, { 'X-Forwarded-Proto': 'https' }, {}]
    for (const headers of asked) await site.ask('/x', headers)
    for (const headers of asked) expect((await site.ask('/x', headers)).cacheStatus).toBe(hit(10))
    await site.ask('POST /x', { 'X-Device': 'desk' })
    for (const headers of asked) {
      expect((await site.ask('/x', headers)).cacheStatus, JSON.stringify(headers)).not.toContain('hit')
    }
  },
)

scenario('INV-15', 'what one process changes, another with the same store forgets', sharedStore, async (stage) => {
  const { serve, clock } = stage
  const routes = { '/x': mixed(200), '/act': unsafe({ location: '/x' }, 201) }
  const [one, other] = [await serve({ routes }), await serve({ routes })]
  for (const request of ['POST /x', 'POST /act']) {
    await one.ask('/x')
    expect((await one.ask('/x')).cacheStatus).toContain('hit')
    // This one has never seen the page.
    await other.ask(request)
    clock.advance(1)
    expect((await one.ask('/x')).cacheStatus, request).toBe(STORED)
  }
})
