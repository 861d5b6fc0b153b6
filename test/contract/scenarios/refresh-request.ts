import { expect } from 'vitest'
import type { Middleware } from '../../support/app.ts'
import { hit, numbered, STALE, STORED } from '../../support/cache-status.ts'
import { cacheControl, text, type Fields } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'

const swr = cacheControl('max-age=10, stale-while-revalidate=600')

scenario('SWR-02', 'a refresh brings its own connection, address and context', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': numbered(swr) } })
  const visitor = { 'X-Visitor': 'alice', 'User-Agent': 'curl', Accept: 'text/html', 'Accept-Language': 'de', DNT: '1' }
  await site.ask('/x', visitor)
  clock.advance(11)
  await site.ask('/x', visitor)
  const seen = site.seen()[1]!
  expect(seen).toMatchObject({ method: 'GET', url: '/x', remoteAddress: '192.0.2.1', visitor: undefined })
  expect(seen.headers).toMatchObject({ host: 'example.test', accept: '*/*' })
  expect(seen.headers['user-agent']).toMatch(/^cacheback\/\d/)
  expect(
    Object.keys(seen.headers).filter((name) => ['x-visitor', 'accept-language', 'dnt', 'cookie'].includes(name)),
  ).toEqual([])
})

scenario('SWR-03', 'a refresh carries what is in the key: selecting headers, keyed cookies, origin', async (stage) => {
  const { serve, clock } = stage
  const site = await serve({
    options: { vary: ['X-Device'], cookies: { key: ['lang'] } },
    routes: { '/x': numbered({ ...swr, vary: 'Accept-Language' }) },
  })
  const visitor = {
    Host: 'shop.test:8080',
    'X-Device': 'phone',
    'Accept-Language': 'de, en;q=0.5',
    Cookie: 'sid=alice; lang=de',
    'X-Forwarded-Host': 'public.test',
    'X-Forwarded-Proto': 'https',
  }
  const keyed = {
    host: 'shop.test:8080',
    'x-device': 'phone',
    'accept-language': 'de, en;q=0.5',
    cookie: 'lang=de',
    'x-forwarded-host': 'public.test',
    'x-forwarded-proto': 'https',
  }
  // His other cookie is hidden from the fill. That the language selects is known after the first try.
  const { text: first } = await site.ask('/x', visitor)
  const fills = site.renders()
  expect(fills).toBeLessThanOrEqual(2)
  expect(site.seen().at(-1)!.headers).toMatchObject(keyed)
  clock.advance(11)
  expect(await site.ask('/x', visitor)).toMatchObject({ text: first, warning: STALE })
  expect(site.renders()).toBe(fills + 1)
  expect(site.seen().at(-1)!.headers).toMatchObject(keyed)
  expect(await site.ask('/x', visitor)).toMatchObject({ text: `render ${fills + 1}`, cacheStatus: hit(10) })
})

scenario('SWR-04', 'a refresh renders the same bytes of the URL', async ({ serve, clock }) => {
  const urls = [
    '/public/%2e%2e/internal',
    '/%70age',
    '/a//b',
    '/x?',
    '/x?b=2&a=%ff',
    '/x;v=1?q',
    '/a/../b',
    '/%2Fa',
    '/x?a=[]"',
  ]
  const site = await serve({ routes: { '*': ({ url }) => text(url, swr) } })
  for (const url of urls) await site.ask(url)
  clock.advance(11)
  for (const url of urls) expect(await site.ask(url)).toMatchObject({ text: url, warning: STALE })
  expect(
    site
      .seen()
      .slice(urls.length)
      .map(({ url }) => url),
  ).toEqual(urls)
  for (const url of urls) expect(await site.ask(url)).toMatchObject({ text: url, cacheStatus: hit(10) })
})

scenario(
  'SWR-05',
  'behind a proxy a refresh keeps the peer, with 192.0.2.1 as the client',
  async ({ serve, clock }) => {
    const site = await serve({ routes: { '/x': numbered(swr) } })
    const proxied = { 'X-Forwarded-For': '203.0.113.9, 10.0.0.1', 'X-Forwarded-Host': 'shop.test' }
    await site.ask('/x', proxied)
    clock.advance(11)
    await site.ask('/x', proxied)
    const seen = site.seen()[1]!
    expect(seen.remoteAddress).toMatch(/127\.0\.0\.1$/)
    expect(seen.headers['x-forwarded-for']).toBe('192.0.2.1')
    expect(seen.headers['x-forwarded-host']).toBe('shop.test')
  },
)

scenario('SWR-06', 'nobody can pass for a refresh', async ({ serve }) => {
  const site = await serve({ routes: { '/x': numbered(swr) } })
  await site.ask('/x')
  const marks: Fields[] = [
    { 'X-Cacheback-Refresh': '1' },
    { 'X-Cacheback': 'refresh' },
    { 'User-Agent': 'cacheback/0.1.0', Accept: '*/*' },
    { 'X-Forwarded-For': '192.0.2.1' },
  ]
  for (const headers of marks)
    expect(await site.ask('/x', headers)).toMatchObject({ text: 'render 1', cacheStatus: hit(10) })
})

scenario('SWR-13', 'a detached page is refreshed with its hidden parts hidden', async ({ serve, clock }) => {
  const site = await serve({
    options: { query: ['page'], cookies: 'ignore' },
    routes: { '/x': ({ n, url, headers }) => text(`${n} ${url} ${headers.cookie}`, swr) },
  })
  expect((await site.ask('/x?utm=a&page=1', { Cookie: 'sid=1' })).cacheStatus).toBe(STORED)
  clock.advance(11)
  expect((await site.ask('/x?page=1&utm=b', { Cookie: 'sid=2' })).text).toBe('1 /x?page=1 undefined')
  expect((await site.ask('/x?page=1')).text).toBe('2 /x?page=1 undefined')
})

scenario(
  'SWR-14',
  'behind a trusted proxy a refresh renders for the same public origin, from an address of nobody',
  async ({ serve, clock }) => {
    const site = await serve({
      trustProxy: true,
      options: { cookies: 'ignore' },
      routes: { '/x': ({ n, origin, ip }) => text(`${n} ${origin} for ${ip ?? 'nobody'}`, swr) },
    })
    const proxied = { 'X-Forwarded-For': '203.0.113.9', 'X-Forwarded-Host': 'shop.test', 'X-Forwarded-Proto': 'https' }
    expect((await site.ask('/x', proxied)).text).toBe('1 https://shop.test for 203.0.113.9')
    clock.advance(11)
    await site.ask('/x', proxied)
    expect((await site.ask('/x', proxied)).text).toBe('2 https://shop.test for 192.0.2.1')
    const hidden = { ...proxied, 'X-Forwarded-Host': 'other.test', Cookie: 'a=1' }
    expect((await site.ask('/x', hidden)).text).toBe('3 https://other.test for 192.0.2.1')
  },
)

/** A layer outside the cache that works out a selecting header from what it knows of the client. */
const locate: Middleware = ({ req }) => {
  const isVisitor = req.socket.remoteAddress !== '192.0.2.1'
  req.headers['x-country'] = isVisitor ? String(req.headers['x-lives-in'] ?? 'de') : 'nowhere'
}

scenario(
  'SWR-18',
  'selecting headers may be made by a layer outside; a refresh of another key replaces nothing',
  async ({ serve, clock }) => {
    const site = await serve({
      outside: locate,
      options: { vary: ['X-Country'] },
      routes: { '/x': ({ n, headers }) => text(`${n} in ${String(headers['x-country'])}`, swr) },
    })
    expect((await site.ask('/x')).text).toBe('1 in de')
    expect((await site.ask('/x', { 'X-Lives-In': 'fr' })).text).toBe('2 in fr')
    expect((await site.ask('/x')).text).toBe('1 in de')
    clock.advance(11)
    await site.ask('/x')
    await site.ask('/x')
    for (const country of ['de', 'fr']) {
      expect((await site.ask('/x', { 'X-Lives-In': country })).text).toMatch(new RegExp(`in ${country}$`))
    }
  },
)
