import { expect } from 'vitest'
import type { Description, Middleware } from '../support/app.ts'
import { bytes, raw, text } from '../support/reply.ts'
import { anyStore, scenario } from '../support/scenario.ts'
import { attacks, dress, expectHarmless, swr } from './attack.ts'
import { get, send } from './raw.ts'

// Leaks beside the page: by layers outside, by bytes that are shared, by what is told (rows 36 to 41).

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

const FORBIDDING = [
  'private, max-age=10',
  'no-store, max-age=10',
  'max-age=10, must-revalidate',
  'max-age=10, proxy-revalidate',
]
const DEMANDS = [
  'max-stale',
  'max-stale=999999',
  'only-if-cached, max-stale',
  'max-stale, max-age=999999',
  'public',
  'max-age=999999, s-maxage=9',
]

scenario('LEAK-10', 'a client cannot ask for what a page forbids', anyStore, async (stage) => {
  const site = await stage.serve({
    options: { requestCacheControl: true },
    routes: { '/:i': ({ n, params }) => text(`page ${n}`, { 'cache-control': FORBIDDING[Number(params['i'])]! }) },
  })
  for (const demand of DEMANDS) {
    for (const [i, value] of FORBIDDING.entries()) {
      const asks = get(`/${i}?${DEMANDS.indexOf(demand)}`, `Cache-Control: ${demand}`)
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
  const name = String(req.headers['x-visitor'] ?? 'x')
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
