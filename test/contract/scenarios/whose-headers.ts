import fastifyCors from '@fastify/cors'
import koaCors from '@koa/cors'
import cors from 'cors'
import { expect } from 'vitest'
import type { Middleware, Native } from '../../support/app.ts'
import { hit, numbered, STORED, unstored } from '../../support/cache-status.ts'
import { fresh10, raw, text } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'

/** Answers for everybody and says for whom, without a Vary: standing on the response when the cache is entered. */
const allowOrigin: Middleware = ({ req, set }) => {
  if (typeof req.headers.origin === 'string') set('Access-Control-Allow-Origin', req.headers.origin)
}

scenario(
  'OWN-01',
  "what stands on the response before the cache is the visitor's own, on a hit as well",
  async ({ serve }) => {
    const site = await serve({ outside: allowOrigin, routes: { '/x': numbered() } })
    const a = await site.ask('/x', { Origin: 'https://a.test' })
    expect(a).toMatchObject({ text: 'render 1', headers: { 'access-control-allow-origin': 'https://a.test' } })
    const b = await site.ask('/x', { Origin: 'https://b.test' })
    expect(b).toMatchObject({
      text: 'render 1',
      cacheStatus: hit(10),
      headers: { 'access-control-allow-origin': 'https://b.test' },
    })
    expect((await site.ask('/x')).headers['access-control-allow-origin']).toBeUndefined()
  },
)

scenario('OWN-02', 'the same for fields set on the raw response', async ({ serve }) => {
  const site = await serve({
    outside: ({ req, res }) => res.setHeader('X-Hello', `dear ${String(req.headers['x-visitor'])}`),
    routes: { '/x': numbered() },
  })
  expect((await site.ask('/x', { 'X-Visitor': 'alice' })).headers['x-hello']).toBe('dear alice')
  expect(await site.ask('/x', { 'X-Visitor': 'bob' })).toMatchObject({
    cacheStatus: hit(10),
    headers: { 'x-hello': 'dear bob' },
  })
})

const corsPlugins: Native = {
  fastify: (app) => app.register(fastifyCors, { origin: true, credentials: true }),
  express: (app) => app.use(cors({ origin: true, credentials: true })),
  koa: (app) => app.use(koaCors({ credentials: true })),
}

for (const [id, where] of [
  ['OWN-03', 'before'],
  ['OWN-04', 'after'],
] as const) {
  scenario(
    id,
    `the frameworks' CORS plugins ${where} the cache give every origin its own answer`,
    async ({ serve }) => {
      const site = await serve({ [where]: corsPlugins, routes: { '/x': numbered() } })
      for (const origin of ['https://a.test', 'https://b.test', 'https://a.test']) {
        const got = await site.ask('/x', { Origin: origin })
        expect(got.status).toBe(200)
        expect(got.headers['access-control-allow-origin']).toBe(origin)
        expect(got.headers['vary']).toMatch(/origin/i)
      }
      expect(site.renders()).toBeLessThanOrEqual(2)
    },
  )
}

scenario('OWN-05', 'a request id is different on every hit', async ({ serve }) => {
  let id = 0
  const site = await serve({ outside: ({ set }) => set('X-Correlation-Id', `c${++id}`), routes: { '/x': numbered() } })
  for (let n = 1; n <= 3; n++) expect((await site.ask('/x')).headers['x-correlation-id']).toBe(`c${n}`)
  expect(site.renders()).toBe(1)
})

/** A visitor who is new gets a cookie before the cache is asked. */
const greet: Middleware = ({ req, set }) => {
  const visitor = req.headers['x-new']
  if (typeof visitor === 'string') set('Set-Cookie', `visitor=${visitor}`)
}

scenario('OWN-06', 'a Set-Cookie of this visitor stays his on a hit', async ({ serve }) => {
  const site = await serve({ outside: greet, routes: { '/x': numbered() } })
  await site.ask('/x')
  const alice = await site.ask('/x', { 'X-New': 'alice' })
  expect(alice).toMatchObject({ text: 'render 1', cacheStatus: hit(10), headers: { 'set-cookie': 'visitor=alice' } })
  expect((await site.ask('/x')).headers['set-cookie']).toBeUndefined()
})

scenario('OWN-07', 'a Set-Cookie that stands there on a miss is judged: nothing is stored', async ({ serve }) => {
  const site = await serve({ outside: greet, routes: { '/x': numbered() } })
  const alice = await site.ask('/x', { 'X-New': 'alice' })
  expect(alice).toMatchObject({ cacheStatus: unstored('set-cookie'), headers: { 'set-cookie': 'visitor=alice' } })
  const next = await site.ask('/x')
  expect(next).toMatchObject({ text: 'render 2', cacheStatus: STORED })
  expect(next.headers['set-cookie']).toBeUndefined()
})

scenario('OWN-08', 'so is a Cache-Control: private', async ({ serve }) => {
  const site = await serve({
    options: { maxAge: 60 },
    outside: ({ set }) => set('Cache-Control', 'private'),
    routes: { '/x': numbered({}) },
  })
  expect((await site.ask('/x')).cacheStatus).toBe(unstored('private'))
  expect((await site.ask('/x')).text).toBe('render 2')
})

scenario('OWN-09', 'a stored field replaces the one that stands there, by name', async ({ serve }) => {
  const site = await serve({
    outside: ({ set }) => {
      set('X-Theme', 'default')
      set('X-Layer', 'outer')
    },
    routes: { '/x': () => text('page', { ...fresh10, 'x-theme': 'of the page' }) },
  })
  const theme = { 'x-theme': 'of the page', 'x-layer': 'outer' }
  expect((await site.ask('/x')).headers).toMatchObject(theme)
  expect(await site.ask('/x')).toMatchObject({ cacheStatus: hit(10), headers: theme })
})

scenario('OWN-10', 'a field that the handler adds to is stored as it went out', async ({ serve }) => {
  const site = await serve({
    outside: ({ set }) => set('Link', '</outer.css>'),
    routes: {
      '/x': () =>
        raw((_req, res) => {
          // A hijacked reply of Fastify leaves its own fields behind.
          if (!res.hasHeader('link')) res.setHeader('Link', '</outer.css>')
          res.appendHeader('Link', '</inner.css>')
          res.setHeader('Cache-Control', 'max-age=10')
          res.end('page')
        }),
    },
  })
  expect((await site.ask('/x')).headers['link']).toBe('</outer.css>, </inner.css>')
  expect((await site.ask('/x')).headers['link']).toBe('</outer.css>, </inner.css>')
})

scenario('OWN-11', 'the fields stay on a stale answer, on a 304 and on a HEAD', async ({ serve, clock }) => {
  let id = 0
  const site = await serve({
    outside: ({ set }) => set('X-Correlation-Id', `c${++id}`),
    routes: { '/x': numbered({ 'cache-control': 'max-age=10, stale-while-revalidate=60', etag: '"v1"' }) },
  })
  await site.ask('/x')
  expect(await site.ask('/x', { 'If-None-Match': '"v1"' })).toMatchObject({
    status: 304,
    headers: { 'x-correlation-id': 'c2' },
  })
  expect((await site.ask('HEAD /x')).headers['x-correlation-id']).toBe('c3')
  clock.advance(11)
  expect((await site.visit('/x').done).headers['x-correlation-id']).toBe('c4')
})

scenario('OWN-12', "a visitor's fields are not mixed into the page of a follower", async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    outside: ({ req, res, set }) => {
      set('X-For', String(req.headers['x-visitor']))
      res.setHeader('X-Raw-For', String(req.headers['x-visitor']))
    },
    routes: {
      '/x': async () => {
        await hold()
        return text('page', fresh10)
      },
    },
  })
  const visits = ['alice', 'bob', 'carol'].map((name) => site.visit('/x', { 'X-Visitor': name }).done)
  await site.arrived(3)
  await hold.reached()
  hold.open()
  for (const [i, got] of (await Promise.all(visits)).entries()) {
    const name = ['alice', 'bob', 'carol'][i]
    expect(got).toMatchObject({ text: 'page', headers: { 'x-for': name, 'x-raw-for': name } })
  }
  expect(site.renders()).toBe(1)
})

scenario('OWN-13', 'nor into a detached fill, nor into a refresh', async ({ serve, clock }) => {
  const site = await serve({
    options: { cookies: 'ignore' },
    outside: ({ req, set }) => set('X-For', String(req.headers['x-visitor'])),
    routes: { '/x': numbered({ 'cache-control': 'max-age=10, stale-while-revalidate=60' }) },
  })
  const ask = (name: string) => site.ask('/x', { 'X-Visitor': name, Cookie: `sid=${name}` })
  expect((await ask('alice')).headers['x-for']).toBe('alice')
  expect((await ask('bob')).headers['x-for']).toBe('bob')
  clock.advance(11)
  expect((await ask('carol')).headers['x-for']).toBe('carol')
  expect(await ask('dave')).toMatchObject({ text: 'render 2', headers: { 'x-for': 'dave' } })
})
