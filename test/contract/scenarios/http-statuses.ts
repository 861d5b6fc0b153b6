import { expect } from 'vitest'
import { hit, unstored } from '../../support/cache-status.ts'
import { cacheControl } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'
import { routesOf, secondVisits } from './http-origin.ts'

scenario('FRESH-08', 'must-understand lifts no-store for statuses that are understood', async ({ serve }) => {
  const both = cacheControl('max-age=10, no-store, must-understand')
  const site = await serve({
    routes: routesOf({
      '/200': [both],
      '/404': [both, 404],
      '/299': [both, 299],
      '/alone': [cacheControl('max-age=10, must-understand'), 299],
      '/private': [cacheControl('max-age=10, private, must-understand')],
      '/plain': [cacheControl('max-age=10, no-store')],
    }),
  })
  expect(await secondVisits(site, ['/200', '/404', '/299', '/alone', '/private', '/plain'])).toEqual({
    '/200': hit(10),
    '/404': hit(10),
    '/299': unstored('must-understand'),
    '/alone': unstored('must-understand'),
    '/private': unstored('private'),
    '/plain': unstored('no-store'),
  })
})

const WHOLE = [200, 201, 202, 203, 204, 226, 299, 300, 301, 302, 303, 307, 308, 399, 404, 410]
const CAPPED = [400, 403, 405, 418, 429, 451, 499, 500, 503, 504, 599]

scenario(
  'FRESH-09',
  'explicit freshness is honoured for every final status, of errors ten seconds at most',
  async ({ serve, clock }) => {
    const hour = cacheControl('max-age=3600')
    const all = [...WHOLE, ...CAPPED]
    const site = await serve({
      routes: routesOf(Object.fromEntries(all.map((status) => [`/${status}`, [hour, status]]))),
    })
    const said = await secondVisits(
      site,
      all.map((status) => `/${status}`),
    )
    for (const status of WHOLE) expect(said[`/${status}`], `${status}`).toBe(hit(3600))
    for (const status of CAPPED) expect(said[`/${status}`], `${status}`).toBe(hit(10))
    clock.advance(10)
    expect((await site.ask('/404')).cacheStatus).toBe(hit(3590))
    expect((await site.ask('/500')).cacheStatus).toContain('fwd=stale')
  },
)

scenario(
  'FRESH-10',
  'without explicit freshness the option maxAge is for a 200 alone; a 206 is never stored',
  async ({ serve }) => {
    const site = await serve({
      options: { maxAge: 10 },
      routes: routesOf({
        '/200': [{}],
        '/404': [{}, 404],
        '/301': [{}, 301],
        '/206': [{ ...cacheControl('max-age=10'), 'content-range': 'bytes 0-3/4' }, 206],
      }),
    })
    expect(await secondVisits(site, ['/200', '/404', '/301', '/206'])).toEqual({
      '/200': hit(10),
      '/404': unstored('no-freshness'),
      '/301': unstored('no-freshness'),
      '/206': unstored('status'),
    })
  },
)

scenario(
  'FRESH-11',
  'an error that replaces a good page is not kept longer for its headers',
  async ({ serve, clock }) => {
    const control = cacheControl('max-age=20, stale-while-revalidate=600, stale-if-error=600')
    const site = await serve({ routes: routesOf({ '/x': [control, 500] }) })
    await site.ask('/x')
    clock.advance(11)
    const got = await site.ask('/x')
    expect(got).toMatchObject({ status: 500, warning: undefined })
    expect(got.cacheStatus).not.toContain('hit')
  },
)

scenario('FRESH-12', 'private and no-cache that name fields are taken for the whole response', async ({ serve }) => {
  const site = await serve({
    routes: routesOf({
      '/private': [cacheControl('max-age=10, private="set-cookie"')],
      '/no-cache': [cacheControl('max-age=10, no-cache="x-a"')],
      '/quoted': [cacheControl('max-age="10"')],
    }),
  })
  expect(await secondVisits(site, ['/private', '/no-cache', '/quoted'])).toEqual({
    '/private': unstored('private'),
    '/no-cache': unstored('no-cache'),
    '/quoted': hit(10),
  })
})
