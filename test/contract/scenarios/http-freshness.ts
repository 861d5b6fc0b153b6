import { expect } from 'vitest'
import { hit, unstored } from '../../support/cache-status.ts'
import { cacheControl } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'
import { plain, routesOf, secondVisits } from './http-origin.ts'

const DAY = 86_400

scenario(
  'FRESH-01',
  'heuristic: a tenth of the time since the last change, for statuses that allow it',
  async (stage) => {
    const { serve, clock } = stage
    const old = { 'last-modified': clock.httpDate(-1000) }
    const statuses = [200, 203, 204, 300, 301, 308, 404, 410]
    const errors = [405, 414, 501]
    const never = [201, 202, 302, 303, 307, 400, 403, 500, 503, 599]
    const all = [...statuses, ...errors, ...never]
    const site = await serve({
      options: { heuristic: true },
      routes: routesOf(Object.fromEntries(all.map((status) => [`/${status}`, [old, status]]))),
    })
    const said = await secondVisits(
      site,
      all.map((status) => `/${status}`),
    )
    for (const status of statuses) expect(said[`/${status}`], `${status}`).toBe(hit(100))
    for (const status of errors) expect(said[`/${status}`], `${status}`).toBe(hit(10))
    for (const status of never) expect(said[`/${status}`], `${status}`).toBe(unstored('no-freshness'))
  },
)

scenario(
  'FRESH-02',
  'heuristic is an opt-in, needs a Last-Modified, and public widens it',
  async ({ serve, clock }) => {
    const old = { 'last-modified': clock.httpDate(-1000) }
    const pages = {
      '/none': [{ etag: '"v1"' }],
      '/bad': [{ 'last-modified': 'yesterday' }],
      '/future': [{ 'last-modified': clock.httpDate(1000) }],
      '/explicit': [{ ...old, 'cache-control': 'max-age=7' }],
      '/public': [{ ...old, 'cache-control': 'public' }, 201],
    } as const
    const site = await serve({ options: { heuristic: true }, routes: routesOf(pages) })
    const said = await secondVisits(site, Object.keys(pages))
    expect(said).toMatchObject({
      '/none': unstored('no-freshness'),
      '/bad': unstored('no-freshness'),
      '/explicit': hit(7),
      '/public': hit(100),
    })
    expect(said['/future']).not.toContain('hit')
    const off = await serve({ routes: routesOf({ '/x': [old] }) })
    expect(await secondVisits(off, ['/x'])).toEqual({ '/x': unstored('no-freshness') })
  },
)

scenario(
  'FRESH-03',
  'Warning 113: a guess of more than a day, for what is older than a day',
  async ({ serve, clock }) => {
    const guess = '113 - "Heuristic Expiration"'
    const site = await serve({
      options: { heuristic: true },
      routes: routesOf({
        '/long': [{ 'last-modified': clock.httpDate(-20 * DAY) }],
        '/short': [{ 'last-modified': clock.httpDate(-9 * DAY) }],
        '/explicit': [{ ...cacheControl(`max-age=${2 * DAY}`), 'last-modified': clock.httpDate(-20 * DAY) }],
        '/stale': [{ ...cacheControl('stale-while-revalidate=999999'), 'last-modified': clock.httpDate(-20 * DAY) }],
      }),
    })
    for (const path of ['/long', '/short', '/explicit', '/stale']) await site.ask(path)
    clock.advance(0.8 * DAY)
    for (const path of ['/long', '/short']) expect((await site.ask(path)).warning, path).toBeUndefined()
    clock.advance(0.2 * DAY + 1)
    expect(await site.ask('/long')).toMatchObject({ warning: guess, cacheStatus: hit(DAY - 1) })
    expect((await site.ask('/explicit')).warning).toBeUndefined()
    clock.advance(DAY)
    expect((await site.ask('/stale')).warning).toBe(`110 - "Response is Stale", ${guess}`)
  },
)

scenario('FRESH-04', 'a targeted field takes the place of Cache-Control and Expires', async ({ serve, clock }) => {
  const expires = clock.httpDate(500)
  const pages = {
    '/longer': [{ ...cacheControl('max-age=10'), 'cdn-cache-control': 'max-age=100' }],
    '/shorter': [{ ...cacheControl('max-age=100'), 'cdn-cache-control': 'max-age=10' }],
    '/private': [{ ...cacheControl('private, no-store'), 'cdn-cache-control': 'max-age=100' }],
    '/no-store': [{ ...cacheControl('max-age=100'), 'cdn-cache-control': 'no-store' }],
    '/expires': [{ expires, 'cdn-cache-control': 'public' }],
    '/shared': [{ ...cacheControl('s-maxage=5'), 'cdn-cache-control': 'max-age=100' }],
    '/several': [{ ...cacheControl('max-age=5'), 'cdn-cache-control': ['foo=1', 'max-age=100'] }],
    '/capital': [{ ...cacheControl('max-age=5'), 'CDN-Cache-Control': 'max-age=100;x=1' }],
    '/last': [{ ...cacheControl('max-age=5'), 'cdn-cache-control': 'max-age=10, max-age=100' }],
    '/first': [{ ...cacheControl('max-age=5'), 'cdn-cache-control': 'max-age=100', 'other-control': 'max-age=1' }],
    '/second': [{ ...cacheControl('max-age=5'), 'cdn-cache-control': '', 'other-control': 'max-age=100' }],
  } as const
  const site = await serve({
    options: { targetedCacheControl: ['CDN-Cache-Control', 'Other-Control'] },
    routes: routesOf(pages),
  })
  expect(await secondVisits(site, Object.keys(pages))).toEqual({
    '/longer': hit(100),
    '/shorter': hit(10),
    '/private': hit(100),
    '/no-store': unstored('no-store'),
    '/expires': unstored('no-freshness'),
    '/shared': hit(100),
    '/several': hit(100),
    '/capital': hit(100),
    '/last': hit(100),
    '/first': hit(100),
    '/second': hit(100),
  })
})

const invalid = [
  '',
  'max-age: 100',
  'max-age=100,',
  'Max-Age=100',
  'max-age=100 private',
  '"max-age=100"',
  'max-age=, x',
]

scenario('FRESH-05', 'an invalid targeted field is as if it were not there', async ({ serve }) => {
  const pages = Object.fromEntries(
    invalid.map((value, i) => [`/${i}`, [{ ...cacheControl('max-age=10'), 'cdn-cache-control': value }] as const]),
  )
  const site = await serve({ options: { targetedCacheControl: ['CDN-Cache-Control'] }, routes: routesOf(pages) })
  const said = await secondVisits(site, Object.keys(pages))
  for (const [i, value] of invalid.entries()) expect(said[`/${i}`], value).toBe(hit(10))
})

scenario('FRESH-06', 'of a valid targeted field, a lifetime of another type says nothing', async ({ serve }) => {
  const values = ['max-age="100"', 'max-age=1.5', 'max-age=?1', 'max-age=abc', 'max-age=(1 2)', 'max-age']
  const pages = Object.fromEntries(
    values.map((value, i) => [
      `/${i}`,
      [{ ...cacheControl('max-age=10'), 'cdn-cache-control': `public, ${value}` }] as const,
    ]),
  )
  const site = await serve({ options: { targetedCacheControl: ['CDN-Cache-Control'] }, routes: routesOf(pages) })
  const said = await secondVisits(site, Object.keys(pages))
  for (const [i, value] of values.entries()) expect(said[`/${i}`], value).not.toContain('hit')
})

scenario('FRESH-07', 'targeted fields are an opt-in, and their stale windows count', async ({ serve, clock }) => {
  const fields = {
    ...cacheControl('max-age=10, must-revalidate'),
    'cdn-cache-control': 'max-age=20, stale-while-revalidate=60',
  }
  const off = await serve({ routes: { '/x': plain('page', fields) } })
  await off.ask('/x')
  expect(await off.ask('/x')).toMatchObject({ cacheStatus: hit(10), headers: fields })
  const on = await serve({
    options: { name: 'edge', targetedCacheControl: ['cdn-cache-control'] },
    routes: { '/x': plain('page', fields) },
  })
  expect((await on.ask('/x')).cacheStatus).toBe('edge; fwd=uri-miss; stored')
  clock.advance(25)
  expect((await on.ask('/x')).cacheStatus).toBe('edge; hit; ttl=-5')
})
