import { expect } from 'vitest'
import type { Description, Exchange, Middleware } from '../support/app.ts'
import { bytes, type Fields, raw, text } from '../support/reply.ts'
import { anyStore, scenario, type Stage } from '../support/scenario.ts'
import { attacks, dress, expectHarmless, swr } from './attack.ts'
import { get, send } from './raw.ts'

// Leaks: what belongs to one visitor in the hands of another (rows 28 to 41).

const greets =
  (names: readonly string[]) =>
  ({ headers }: Exchange) => {
    const name = names.map((header) => headers[header]).find((value) => value !== undefined)
    return text(`for ${String(name ?? 'everybody')}`, swr)
  }

const CREDENTIALS = [
  'Authorization',
  'Proxy-Authorization',
  'X-Api-Key',
  'X-Auth-Token',
  'X-Access-Token',
  'X-Amz-Security-Token',
  'X-Goog-Iap-Jwt-Assertion',
  'Cf-Access-Jwt-Assertion',
  'X-Ms-Client-Principal',
  'X-Forwarded-User',
  'X-Remote-User',
  'X-Forwarded-Client-Cert',
]
const byCredential: Description = { routes: { '/x': greets(CREDENTIALS.map((name) => name.toLowerCase())) } }

scenario('LEAK-01', 'what is answered to a credential is answered to nobody else', anyStore, async (stage) => {
  const rows = attacks(
    byCredential,
    CREDENTIALS.map((name) => [`${name}, then nobody`, get('/x', `${name}: alice`)]),
  )
  const again = ['Authorization', 'X-Api-Key'].flatMap((name) => {
    const [alice, bob] = [get('/x', `${name}: alice`), get('/x', `${name}: bob`)]
    return attacks(byCredential, [
      [`${name}, then another`, alice, { clean: bob, cached: false }],
      [`nobody, then ${name}`, get('/x'), { clean: bob, cached: false }],
    ])
  })
  await expectHarmless(stage, [...rows, ...again])
})

const byCookie: Description = {
  options: { maxAge: 10 },
  routes: { '/x': ({ headers }) => text(`for ${headers.cookie}`) },
}

scenario(
  'LEAK-02',
  'a page that says nothing of caching is not shared by those with a cookie',
  anyStore,
  async (stage) => {
    const [alice, bob] = [get('/x', 'Cookie: sid=alice'), get('/x', 'Cookie: sid=bob')]
    const rows = attacks(byCookie, [
      ['alice, then nobody', alice],
      ['alice, then bob', alice, { clean: bob, cached: false }],
      ['a cookie without a value', get('/x', 'Cookie: sid')],
      ['an empty cookie', get('/x', 'Cookie:')],
    ])
    await expectHarmless(stage, rows)
  },
)

/** Every visitor has a page of his own: one after the other, later, and all at once. */
async function expectEachHisOwn(stage: Stage, app: Description, fields: Fields): Promise<void> {
  const { routes, ...rest } = app
  const hold = stage.gate()
  const site = await stage.serve({
    ...rest,
    routes: {
      ...routes,
      '/held': async ({ n }) => {
        await hold()
        return text(`page ${n}`, fields)
      },
    },
  })
  const bodies: string[] = []
  for (const seconds of [0, 0, 11, 0, 700]) {
    stage.clock.advance(seconds)
    bodies.push((await send(site, get('/x'))).text)
  }
  const visits = [1, 2, 3].map(() => site.visit('/held').done)
  await site.arrived(8)
  hold.open()
  for (const visit of visits) bodies.push(`held ${(await visit).text}`)
  expect(new Set(bodies).size, JSON.stringify(fields)).toBe(bodies.length)
  expect(site.cache.stats().memory.entries, JSON.stringify(fields)).toBe(0)
}

const BANS: Fields[] = [
  'private',
  'private=""',
  'Private, max-age=60',
  'max-age=60,PRIVATE',
  'max-age=60, private="x-a"',
  'private, private="x"',
  'no-store;x, max-age=60',
  '\tno-store\t, max-age=60',
  'max-age=60, NO-STORE',
  'max-age=60, foo="\\"", private',
].map((value) => ({ 'cache-control': value }))

const banned = (fields: Fields): Description => ({
  options: { maxAge: 60, staleWhileRevalidate: 600 },
  routes: { '/x': ({ n }) => text(`page ${n}`, fields) },
})

scenario('LEAK-03', 'a ban in any spelling keeps a page from everybody else', anyStore, async (stage) => {
  const bans: Fields[] = [
    ...BANS,
    { 'cache-control': ['max-age=60', 'private'] },
    { 'cache-control': ['no-store', 'max-age=60'] },
    { ...swr, vary: '*' },
    { ...swr, vary: 'Accept, *' },
    { ...swr, vary: 'Authorization' },
    { ...swr, vary: 'X-Api-Key' },
    { ...swr, 'set-cookie': 'sid=1' },
    { ...swr, 'set-cookie': ['a=1', 'b=2'] },
  ]
  for (const ban of bans) await expectEachHisOwn(stage, banned(ban), ban)
})

scenario('LEAK-04', 'Vary: Cookie is for nobody where cookies are not in the key', anyStore, async (stage) => {
  const app: Description = {
    options: { cookies: 'ignore' },
    routes: { '/x': ({ headers }) => text(`for ${headers.cookie}`, { ...swr, vary: 'Cookie' }) },
  }
  const [alice, bob] = [get('/x', 'Cookie: sid=alice'), get('/x', 'Cookie: sid=bob')]
  const rows = attacks(app, [
    ['alice, then bob', alice, { clean: bob, cached: false }],
    ['alice, then nobody', alice, { cached: false }],
  ])
  await expectHarmless(stage, rows)
})

scenario('LEAK-05', 'a refresh is in nobody’s name: no cookie, no token, no async context', anyStore, async (stage) => {
  const site = await stage.serve({
    options: { cookies: 'ignore' },
    routes: {
      '/x': ({ n, headers, visitor }) =>
        text(`${n} for ${[headers.cookie, headers.authorization, visitor].join()}`, {
          'cache-control': 'public, max-age=10, stale-while-revalidate=600',
        }),
    },
  })
  const alice = ['X-Visitor: alice', 'Cookie: sid=alice']
  await send(site, get('/x', ...alice))
  stage.clock.advance(11)
  await send(site, get('/x', ...alice))
  expect((await send(site, get('/x'))).text).toBe('2 for ,,')
  stage.clock.advance(11)
  // Someone with a token starts none at all: his own render is what is stored, as the page says it may be.
  await send(site, get('/x', 'X-Visitor: alice'))
  expect((await send(site, get('/x'))).text).toBe('3 for ,,')
})

scenario(
  'LEAK-06',
  'a page that turns out personal when it is refreshed ends the one that was for all',
  anyStore,
  async (stage) => {
    const turns: Fields[] = [
      { 'cache-control': 'private' },
      { 'cache-control': 'no-store' },
      { ...swr, 'set-cookie': 'sid=of-the-refresh' },
      { ...swr, vary: '*' },
    ]
    for (const turn of turns) {
      const site = await stage.serve({ routes: { '/x': ({ n }) => text(`page ${n}`, n === 1 ? swr : turn) } })
      await send(site, get('/x'))
      stage.clock.advance(11)
      expect((await send(site, get('/x'))).text).toBe('page 1')
      for (const n of [3, 4]) {
        const got = await send(site, get('/x'))
        expect(got.text).toBe(`page ${n}`)
        expect(site.cache.stats().memory.entries).toBe(0)
      }
    }
  },
)

/** Lets only those pass who say who they are. */
const guard: Middleware = ({ req, answer }) => {
  if (req.headers.authorization === undefined && req.socket.remoteAddress !== '192.0.2.1') answer(401, 'who are you?')
}

scenario('LEAK-07', 'authentication before the cache keeps strangers from what is stored', anyStore, async (stage) => {
  const site = await stage.serve({
    outside: guard,
    routes: { '/x': () => text('for members', { 'cache-control': 'public, max-age=10, stale-while-revalidate=600' }) },
  })
  const member = get('/x', 'Authorization: Bearer alice')
  for (const seconds of [0, 0, 11, 0, 700]) {
    stage.clock.advance(seconds)
    expect((await send(site, member)).text).toBe('for members')
    expect(await send(site, get('/x'))).toMatchObject({ status: 401, text: 'who are you?' })
  }
  expect((await send(site, member)).cacheStatus).toContain('; hit')
})

scenario('LEAK-08', 'what a handler does later to its own bytes is done to nobody’s page', anyStore, async (stage) => {
  const own = Buffer.from('for alice')
  const site = await stage.serve({
    routes: {
      '/x': () =>
        raw((_req, res) => {
          res.writeHead(200, { ...swr, 'content-length': own.length } as never)
          res.end(own, () => own.write('EVIL'))
        }),
    },
  })
  for (let visit = 0; visit < 3; visit++) expect((await send(site, get('/x'))).text).toBe('for alice')
})

scenario(
  'LEAK-09',
  'no token stands in Cache-Status, in an event, in stats or in a warning',
  anyStore,
  async (stage) => {
    const secret = 'hunter2'
    const site = await stage.serve({
      options: { cookies: { key: ['sid'] }, vary: ['x-device'], cacheStatus: { key: true } },
      routes: { '/x': () => text('page', { ...swr, vary: 'X-Selecting' }) },
    })
    const told: unknown[] = []
    for (const name of Object.keys(site.cache.stats().events))
      site.cache.on(name as never, (event) => told.push(name, event))
    const emitted: string[] = []
    const warned = (warning: Error): void => void emitted.push(String(warning))
    process.on('warning', warned)
    const heads: string[] = []
    const fields = [`Cookie: sid=${secret}`, `X-Device: ${secret}`, `X-Selecting: ${secret}`]
    for (const seconds of [0, 0, 11, 0, 700]) {
      stage.clock.advance(seconds)
      for (const request of [
        get(`/x?token=${secret}`, ...fields),
        get(`/x?token=${secret}`, ...fields, `Authorization: Bearer ${secret}`),
        get(`/x?token=${secret}`, ...fields, `X-Api-Key: ${secret}`),
      ]) {
        heads.push((await send(site, request)).bytes)
      }
    }
    process.off('warning', warned)
    expect(told.length).toBeGreaterThan(10)
    for (const said of [heads, told, site.cache.stats(), emitted]) expect(JSON.stringify(said)).not.toContain(secret)
  },
)

const demanded = (value: string): Description => ({
  options: { requestCacheControl: true },
  routes: { '/x': ({ n }) => text(`page ${n}`, { 'cache-control': value }) },
})

scenario('LEAK-10', 'a client cannot ask for what a page forbids', anyStore, async (stage) => {
  const demands = [
    'max-stale',
    'max-stale=999999',
    'only-if-cached, max-stale',
    'max-stale, max-age=999999',
    'public',
    'max-age=999999, s-maxage=9',
  ]
  for (const demand of demands) {
    for (const value of [
      'private, max-age=10',
      'no-store, max-age=10',
      'max-age=10, must-revalidate',
      'max-age=10, proxy-revalidate',
    ]) {
      const site = await stage.serve(demanded(value))
      const asks = get('/x', `Cache-Control: ${demand}`)
      const first = await send(site, asks)
      stage.clock.advance(11)
      const second = await send(site, asks)
      if (first.status === 200) expect(second.text, `${demand} of ${value}`).not.toBe(first.text)
      if (demand.startsWith('only')) expect([first.status, second.status]).toEqual([504, 504])
    }
  }
})

scenario(
  'LEAK-11',
  'who comes with a TLS client certificate gets and leaves nothing in the cache',
  anyStore,
  async (stage) => {
    const app: Description = {
      routes: {
        '/x': ({ req }) =>
          text(
            `for ${JSON.stringify((req.socket as never as { getPeerCertificate?: () => unknown }).getPeerCertificate?.())}`,
            swr,
          ),
      },
    }
    const site = await stage.serve(app)
    let certificate: object = {}
    dress(site, { encrypted: true, authorized: true, getPeerCertificate: () => certificate })
    for (const seconds of [0, 0, 11, 0]) {
      stage.clock.advance(seconds)
      for (const subject of ['alice', 'bob']) {
        certificate = { subject }
        expect((await send(site, get('/x'))).text).toBe(`for {"subject":"${subject}"}`)
      }
      certificate = {}
      expect((await send(site, get('/x'))).text).toBe('for {}')
    }
    expect((await send(site, get('/x'))).cacheStatus).toContain('; hit')
  },
)

const pageOfBytes = () =>
  raw((_req, res) => {
    res.writeHead(200, swr as never)
    res.end(Buffer.from('______ reads the page'))
  })

/** A layer outside that writes into the very bytes that pass it. */
const scribbles: Middleware = ({ req, res }) => {
  const methods = res as unknown as Record<'end' | 'write', (chunk?: unknown, ...rest: unknown[]) => unknown>
  const name = String(req.headers['x-visitor'] ?? 'nobody')
  for (const method of ['end', 'write'] as const) {
    const below = methods[method].bind(res)
    methods[method] = (chunk, ...rest) => {
      if (chunk instanceof Uint8Array) Buffer.from(chunk.buffer, chunk.byteOffset).write(name)
      return below(chunk, ...rest)
    }
  }
}

scenario(
  'LEAK-12',
  'what a layer outside does to the bytes of one answer is done to no other',
  anyStore,
  async (stage) => {
    for (const answer of [pageOfBytes, () => bytes(Buffer.from('______ reads the page'), swr)]) {
      const app: Description = { outside: scribbles, routes: { '/x': answer } }
      await expectHarmless(stage, attacks(app, [['alice', get('/x', 'X-Visitor: alice')]]))
    }
  },
)

/** Greets everybody by name, and allows his origin, before the cache is asked. */
const greetsOutside: Middleware = ({ req, set }) => {
  if (typeof req.headers['x-visitor'] === 'string') set('X-Hello', `dear ${req.headers['x-visitor']}`)
  if (req.headers.origin !== undefined) set('Access-Control-Allow-Origin', req.headers.origin)
}

scenario(
  'LEAK-13',
  'what a layer outside has set for one visitor goes with the page to nobody else',
  anyStore,
  async (stage) => {
    const app: Description = { outside: greetsOutside, routes: { '/x': text('the page', swr) } }
    const [alice, bob] = ['alice', 'bob'].map((name) => get('/x', `X-Visitor: ${name}`, `Origin: https://${name}.test`))
    await expectHarmless(
      stage,
      attacks(app, [
        ['alice, then nobody', alice!],
        ['alice, then bob', alice!, { clean: bob }],
        ['nobody, then bob', get('/x'), { clean: bob }],
      ]),
    )
  },
)
