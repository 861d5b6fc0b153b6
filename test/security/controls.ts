import { expect } from 'vitest'
import type { Description } from '../support/app.ts'
import { text } from '../support/reply.ts'
import { anyStore, scenario } from '../support/scenario.ts'
import { dress, swr } from './attack.ts'
import { CLOSE, get, HOST, lines, send } from './raw.ts'

// No control over HTTP: no purge, no bypass, no mark that a client could send (rows 64 to 67).

const page: Description = { routes: { '/x': ({ n }) => text(`render ${n}`, swr) } }
const bare = (first: string, ...fields: string[]): string => lines(first, [HOST, CLOSE, 'Content-Length: 0', ...fields])

const PURGES = [
  ...['PURGE', 'BAN', 'REFRESH', 'INVALIDATE', 'DELETE', 'PROPFIND', 'UNLOCK', 'MKCOL', 'LINK', 'UNLINK'].map(
    (method) => bare(`${method} /x HTTP/1.1`),
  ),
  bare('PURGE /x HTTP/1.1', 'X-Purge-Method: regex'),
  bare('PURGE /.* HTTP/1.1', 'X-Purge-Regex: .*'),
  bare('POST /__cache/clear HTTP/1.1'),
  bare('POST /__cacheback/purge HTTP/1.1'),
  bare('DELETE /cache HTTP/1.1'),
  bare('GET /api/cache/clear HTTP/1.1'),
  get('/x', 'X-Purge: 1'),
  get('/x', 'X-Cache-Clear: 1'),
  get('/x', 'Cache-Tag: all', 'Surrogate-Key: all', 'Cache-Groups: "all"', 'Cache-Group-Invalidation: "all"'),
  get('/x?purge=1'),
  get('/x?_method=PURGE'),
]

scenario('CONTROL-01', 'nobody purges over HTTP', anyStore, async ({ serve }) => {
  const site = await serve(page)
  await send(site, get('/x'))
  for (const request of PURGES) {
    await send(site, request)
    expect(await send(site, get('/x')), request).toMatchObject({ text: 'render 1' })
  }
  expect(site.cache.stats().events.purge).toBe(0)
})

const MARKS: string[][] = [
  ['X-Cacheback-Refresh: 1'],
  ['X-Cacheback: refresh'],
  ['Cacheback: bypass'],
  ['X-Apicache-Bypass: true'],
  ['X-Apicache-Force-Fetch: true'],
  ['X-Cache-Bypass: 1'],
  ['X-Bypass-Cache: 1'],
  ['X-No-Cache: 1'],
  ['X-Middleware-Subrequest: middleware'],
  ['X-Prerender-Revalidate: 1'],
  ['Cache-Control: no-cache, no-store, max-age=0'],
  ['Pragma: no-cache'],
  ['Cache-Status: cacheback; fwd=bypass'],
  ['X-Forwarded-For: 192.0.2.1'],
  ['Forwarded: for=192.0.2.1'],
  ['Via: 1.1 cacheback'],
  ['CDN-Loop: cacheback'],
  // All that a refresh carries.
  ['User-Agent: cacheback/0.1.0', 'Accept: */*'],
]

scenario(
  'CONTROL-02',
  'no header is a mark: what looks like a refresh is a visit like any other',
  anyStore,
  async (stage) => {
    for (const address of [undefined, '192.0.2.1']) {
      const site = await stage.serve(page)
      if (address !== undefined) dress(site, { remoteAddress: address, remotePort: 0 })
      let n = 1
      await send(site, get('/x'))
      for (const fields of MARKS) {
        const got = await send(site, get('/x', ...fields))
        // Only a forwarding field that names nothing of the origin could be another page.
        expect(got, fields.join()).toMatchObject({ text: `render ${n}`, cacheStatus: expect.stringContaining('; hit') })
        stage.clock.advance(11)
        const stale = await send(site, get('/x', ...fields))
        expect(stale, fields.join()).toMatchObject({
          text: `render ${n}`,
          headers: { warning: '110 - "Response is Stale"' },
        })
        n += 1
        expect((await send(site, get('/x'))).text, fields.join()).toBe(`render ${n}`)
      }
    }
  },
)

scenario(
  'CONTROL-03',
  'the very bytes of a refresh, sent by a client, are a visit like any other',
  anyStore,
  async (stage) => {
    const site = await stage.serve({ ...page, options: { cookies: 'ignore' } })
    await send(site, get('/x'))
    stage.clock.advance(11)
    await send(site, get('/x'))
    const refresh = site.seen().at(-1)!
    expect(refresh.remoteAddress).toBe('192.0.2.1')
    const copied = Object.entries(refresh.headers).map(([name, value]) => `${name}: ${String(value)}`)
    const visit = lines('GET /x HTTP/1.1', copied)
    dress(site, { remoteAddress: '192.0.2.1', remotePort: 0, remoteFamily: 'IPv4' })
    expect((await send(site, visit)).cacheStatus).toContain('; hit')
    stage.clock.advance(11)
    // Stale, it starts a refresh as anybody does; a refresh itself would have rendered.
    expect(await send(site, visit)).toMatchObject({ headers: { warning: '110 - "Response is Stale"' } })
    expect(site.renders()).toBe(3)
    expect(site.cache.stats().events.refresh).toBe(2)
  },
)

scenario('CONTROL-04', 'what is told of a URL is printable, whatever the URL says', anyStore, async (stage) => {
  const site = await stage.serve({
    options: { cacheStatus: { key: true } },
    routes: { '*': ({ url }) => text(`page of ${url}`, swr) },
  })
  const told: string[] = []
  for (const name of Object.keys(site.cache.stats().events)) {
    site.cache.on(name as never, (event: { key: string }) => told.push(event.key))
  }
  for (const target of [
    '/a%0ab',
    '/a%1b[31mb',
    '/%0d%0aSet-Cookie:%20evil=1',
    '/"quoted"\\',
    '/`$(id)`',
    '/%e2%80%ae',
  ]) {
    for (const seconds of [0, 11]) {
      stage.clock.advance(seconds)
      const got = await send(site, get(target))
      expect(got.headers['set-cookie']).toBeUndefined()
      expect(got.cacheStatus).toMatch(/^[\x20-\x7e]+$/)
    }
  }
  // Node refuses the rest: a raw escape in a URL is no request.
  for (const target of ['/a\x1b[31m', '/a\x00', '/a\nb', '/caf\xe9'])
    expect((await send(site, get(target))).status).toBe(400)
  expect(told.length).toBeGreaterThan(10)
  for (const key of told) expect(key).toMatch(/^[\x20-\x7e]{0,250}$/)
})
