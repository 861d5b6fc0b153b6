import { once } from 'node:events'
import { expect } from 'vitest'
import type { Description, Exchange, Middleware } from '../support/app.ts'
import type { Gate } from '../support/gate.ts'
import { cacheControl, text } from '../support/reply.ts'
import { anyStore, scenario, type Site, type Stage } from '../support/scenario.ts'
import { FakeStore } from '../support/stores.ts'
import { dress, held } from './attack.ts'
import { type Answer, CLOSE, get, HOST, lines, parse, send } from './raw.ts'

// sealed: an app that reflects all it sees, and nothing of a visitor in anything that is stored.

const swr = 'public, max-age=10, stale-while-revalidate=600'
const MARKER = 'evil-4711'
/** The address from which the attacker comes. */
const ADDRESS = '203.0.113.77'

/** Puts everything that a handler can learn of a request into the body and into a header. */
function reflects({ req, url, method, headers, query, params, ip, origin, remoteAddress, visitor }: Exchange) {
  const seen = { url, method, headers, raw: req.rawHeaders, query, params, ip, origin, remoteAddress, visitor }
  const all = JSON.stringify(seen)
  return text(all, { 'cache-control': swr, 'x-reflected': encodeURIComponent(all), etag: `"${all.length}"` })
}

/** Something outside that greets every visitor in a header, before the cache and as the head is written. */
const greets: Middleware = ({ req, res, set }) => {
  const name = encodeURIComponent(JSON.stringify([req.headers, req.url, req.socket.remoteAddress]))
  set('X-Greeting', name)
  const writeHead = res.writeHead.bind(res) as (...args: unknown[]) => typeof res
  res.writeHead = (...args: unknown[]) => {
    res.setHeader('X-Late-Greeting', name)
    return writeHead(...args)
  }
}

const HEADERS = [
  'Accept',
  'Accept-Charset',
  'Accept-Encoding',
  'Accept-Language',
  'Access-Control-Request-Headers',
  'Cache-Control',
  'Cdn-Loop',
  'Client-Ip',
  'DNT',
  'Expect-CT',
  'Fastly-Client-Ip',
  'From',
  'HX-Request',
  'If-Modified-Since',
  'If-None-Match',
  'If-Range',
  'Max-Forwards',
  'Next-Router-Prefetch',
  'Origin',
  'Pragma',
  'Prefer',
  'RSC',
  'Range',
  'Referer',
  'Save-Data',
  'Sec-Ch-Ua',
  'Sec-Fetch-Site',
  'TE',
  'Traceparent',
  'True-Client-Ip',
  'User-Agent',
  'Via',
  'X-Anything',
  'X-Client-Ip',
  'X-Csrf-Token',
  'X-Forwarded-By',
  'X-Forwarded-For',
  'X-Host',
  'X-Middleware-Prefetch',
  'X-Nextjs-Data',
  'X-React-Router-Spa-Mode',
  'X-Real-Ip',
  'X-Request-Id',
  'X-Requested-With',
  'X-Visitor',
  '__proto__',
  'constructor',
]
const CREDENTIALS = [
  'Authorization',
  'Proxy-Authorization',
  'X-Api-Key',
  'X-Auth-Token',
  'X-Forwarded-User',
  'X-Remote-User',
]
const OVERRIDES = ['X-Original-URL', 'X-Rewrite-URL', 'X-HTTP-Method-Override']

const ORIGIN = 'for= beside an origin'
const ATTACKS: [title: string, bytes: string][] = [
  ...[...HEADERS, ...CREDENTIALS, ...OVERRIDES].map((name): [string, string] => [
    name,
    get('/x', `${name}: ${MARKER}`),
  ]),
  ['two lines', get('/x', 'X-Anything: 1', `X-Anything: ${MARKER}`)],
  ['a cookie', get('/x', `Cookie: sid=${MARKER}`)],
  ['a cookie beside others', get('/x', `Cookie: a=1; sid=${MARKER}`, `Cookie: b=${MARKER}`)],
  ['a parameter', get(`/x?utm=${MARKER}`)],
  ['a parameter behind another', get(`/x?page=1&utm=${MARKER}&a[]=${MARKER}&${MARKER}`)],
  ['for= of Forwarded', get('/x', `Forwarded: for=${MARKER};by=${MARKER};secret=${MARKER}`)],
  [ORIGIN, get('/x', `Forwarded: for=${MARKER};proto=https;by=${MARKER}`)],
  ['a body', lines('GET /x HTTP/1.1', [HOST, CLOSE, `Content-Length: ${MARKER.length}`], MARKER)],
  ['a connection', get('/x', `Connection: ${MARKER}`, `Keep-Alive: ${MARKER}`)],
  ['a HEAD', lines('HEAD /x HTTP/1.1', [HOST, CLOSE, `X-Anything: ${MARKER}`])],
  ['a POST', lines('POST /x HTTP/1.1', [HOST, CLOSE, 'Content-Length: 0', `X-Anything: ${MARKER}`])],
]

interface Sealed {
  readonly site: Site
  readonly store: FakeStore
  /** Whether anything of the attacker stands in any byte of what is stored. */
  holds: (marker: string) => boolean
}

async function serveSealed(stage: Stage, app: Partial<Description> & Pick<Description, 'routes'>): Promise<Sealed> {
  const store = new FakeStore()
  const site = await stage.serve({
    outside: greets,
    ...app,
    options: { store, memory: false, sealed: true, cookies: 'ignore', query: ['page'], ...app.options },
  })
  const holds = (marker: string): boolean =>
    [...store.frames].some(([key, frame]) => {
      const bytes = Buffer.from(frame)
      return [key, bytes.toString('latin1'), bytes.toString('utf8')].some((part) =>
        decodeURIComponent(part.replaceAll(/%(?![0-9A-F]{2})/gi, '')).includes(marker),
      )
    })
  return { site, store, holds }
}

const own = (answer: Answer): string => JSON.stringify([answer.text, answer.headers['x-reflected']])

/** Whoever comes after the attacker, and whatever is stored, knows nothing of him. */
async function expectSealed(
  stage: Stage,
  { site, holds }: Sealed,
  [title, bytes]: readonly [string, string],
  when: string,
) {
  // Behind a forwarded origin stands the peer who says so, or no app would believe it.
  const markers = title === ORIGIN ? [MARKER] : [MARKER, ADDRESS]
  for (const seconds of [0, 11, 700]) {
    stage.clock.advance(seconds)
    await send(site, bytes)
    for (const marker of markers) expect(holds(marker), `${title}, ${when}: ${marker} is stored`).toBe(false)
    const clean = await send(site, get('/x'))
    expect(clean.status).toBe(200)
    expect(own(clean), `${title}, ${when}`).not.toContain(MARKER)
  }
}

scenario(
  'SEALED-01',
  'nothing of a visitor that is not in the key is in anything that is stored',
  anyStore,
  async (stage) => {
    for (const trustProxy of [false, true]) {
      const sealed = await serveSealed(stage, { trustProxy, routes: { '/x': reflects } })
      dress(sealed.site, { remoteAddress: ADDRESS })
      // Whom it believes makes no other difference to an app.
      const rows = trustProxy ? ATTACKS : ATTACKS.filter(([title]) => /forwarded|ip$/i.test(title))
      for (const attack of rows) {
        await expectSealed(stage, sealed, attack, trustProxy ? 'proxied' : 'bare')
        await sealed.site.cache.purge({ all: true })
        sealed.store.frames.clear()
      }
    }
  },
)

scenario('SEALED-02', 'without it, the same look at the store finds what an app reflects', anyStore, async (stage) => {
  for (const name of ['X-Anything', 'User-Agent', 'Accept-Language', '__proto__']) {
    const { site, holds } = await serveSealed(stage, { options: { sealed: false }, routes: { '/x': reflects } })
    await send(site, get('/x', `${name}: ${MARKER}`))
    expect(holds(MARKER), name).toBe(true)
  }
})

scenario('SEALED-03', 'what is in the key is seen, and stored for its own visitors alone', anyStore, async (stage) => {
  const keyed = [
    get('/x', `X-Device: ${MARKER}`),
    get('/x', `Accept-Language: ${MARKER}`),
    get('/x', `X-Forwarded-Host: ${MARKER}`),
    get('/x', `Forwarded: host=${MARKER}`),
    get('/x', `Cookie: theme=${MARKER}; sid=1`),
    get(`/x?page=${MARKER}`),
    lines('GET /x HTTP/1.1', [`Host: ${MARKER}`, CLOSE]),
  ]
  const { site, holds } = await serveSealed(stage, {
    options: { vary: ['X-Device'], cookies: { key: ['theme'] } },
    routes: {
      '/x': (exchange) => {
        const said = reflects(exchange)
        return 'headers' in said ? { ...said, headers: { ...said.headers, vary: 'Accept-Language' } } : said
      },
    },
  })
  for (const seconds of [0, 11, 0]) {
    stage.clock.advance(seconds)
    for (const request of keyed) {
      expect(own(await send(site, request)), request).toContain(MARKER)
      expect(own(await send(site, get('/x')))).not.toContain(MARKER)
    }
  }
  expect(holds(MARKER)).toBe(true)
  expect(holds('sid=1')).toBe(false)
})

scenario('SEALED-04', 'nor where others wait for the render of the attacker', anyStore, async (stage) => {
  let hold: Gate | undefined
  const { site } = await serveSealed(stage, { routes: held({ '/x': reflects }, async () => hold?.()) })
  for (const [title, bytes] of ATTACKS) {
    hold = stage.gate()
    const attacking = site.send(bytes)
    await Promise.race([hold.reached(), attacking])
    const hasCome = once(site.server, 'request')
    const visiting = site.send(get('/x'))
    await hasCome
    hold.open()
    await attacking
    expect(own(parse(await visiting)), title).not.toContain(MARKER)
    await site.cache.idle()
    await site.cache.purge({ all: true })
  }
})

scenario('SEALED-05', 'what may not be stored is answered to each himself', anyStore, async (stage) => {
  const { site, store } = await serveSealed(stage, {
    options: { cookies: 'ignore' },
    routes: {
      '/x': ({ headers }) =>
        text(`for ${headers['user-agent']} ${headers.cookie}`, cacheControl('private, max-age=10')),
    },
  })
  for (const name of ['alice', 'bob', 'alice']) {
    const got = await send(site, get('/x', `User-Agent: ${name}`, `Cookie: sid=${name}`))
    expect(got.text).toBe(`for ${name} sid=${name}`)
  }
  expect([...store.frames.keys()].filter((key) => key.includes('/x'))).toEqual([])
})
