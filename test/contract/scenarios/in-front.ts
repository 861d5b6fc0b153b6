import { createCacheback } from '@cacheback/core'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { expect, onTestFinished } from 'vitest'
import { makeClient } from '../../support/client.ts'
import { cacheControl, fresh10, text } from '../../support/reply.ts'
import { anyStore, scenario, type Stage } from '../../support/scenario.ts'
import { notModified, plain, VALIDATED } from './http-origin.ts'
import { closeServer } from '../../support/server.ts'

const inFront = { inFront: true } as const
const numbered =
  (fields = fresh10) =>
  ({ n }: { n: number }) =>
    text(`render ${n}`, fields)
const HIT = /^cacheback; hit/

scenario('FRONT-01', 'a hit is answered before the app sees the request', anyStore, async ({ serve }) => {
  let seen = 0
  const site = await serve({ ...inFront, outside: () => void seen++, routes: { '/x': numbered() } })
  await site.ask('/x')
  expect(seen).toBe(1)
  const hit = await site.ask('/x')
  expect(hit).toMatchObject({ text: 'render 1', age: 0 })
  expect(hit.cacheStatus).toMatch(HIT)
  expect(seen).toBe(1)
})

scenario(
  'FRONT-02',
  'what layers of the app send with a page is stored with it, and its Set-Cookie forbids storing',
  anyStore,
  async ({ serve }) => {
    const site = await serve({
      ...inFront,
      outside: ({ req, set }) => {
        set('Content-Security-Policy', "default-src 'self'")
        if (req.url === '/greeted') set('Set-Cookie', 'visitor=1')
      },
      routes: { '/x': numbered(), '/greeted': numbered() },
    })
    for (let i = 0; i < 2; i++) {
      const answer = await site.ask('/x')
      expect(answer.headers['content-security-policy']).toBe("default-src 'self'")
      expect(answer.text).toBe('render 1')
    }
    for (let n = 1; n <= 2; n++) {
      expect(await site.ask('/greeted')).toMatchObject({ text: `render ${n}`, headers: { 'set-cookie': 'visitor=1' } })
    }
  },
)

scenario(
  'FRONT-03',
  'who carries credentials passes the layers of the app, and may have a hit behind them',
  anyStore,
  async ({ serve }) => {
    let guarded = 0
    const site = await serve({
      ...inFront,
      options: { cookies: { key: ['plan'] } },
      outside: () => void guarded++,
      routes: { '/x': numbered(cacheControl('public, max-age=10')) },
    })
    await site.ask('/x')
    expect(guarded).toBe(1)
    for (const credentials of [{ Authorization: 'Bearer a' }, { Cookie: 'plan=gold' }]) {
      const before = guarded
      await site.ask('/x', credentials)
      const hit = await site.ask('/x', credentials)
      expect(hit.cacheStatus).toMatch(HIT)
      expect(guarded).toBe(before + 2)
    }
  },
)

scenario(
  'FRONT-04',
  'what was rendered for somebody behind the layers of the app is not answered in front of them',
  anyStore,
  async ({ serve, clock }) => {
    const site = await serve({
      ...inFront,
      outside: ({ req, set }) => {
        set('X-Layer', 'passed')
        if (req.headers.authorization !== undefined) set('X-User', 'alice')
      },
      routes: { '/x': numbered(cacheControl('public, max-age=10, stale-while-revalidate=60')) },
    })
    const alice = await site.ask('/x', { Authorization: 'Bearer alice' })
    expect(alice.headers['x-user']).toBe('alice')
    // With a condition he does not go the short way.
    for (const headers of [{}, { 'If-None-Match': '"other"' }]) {
      const bob = await site.ask('/x', headers)
      expect(bob).toMatchObject({ text: 'render 1', headers: { 'x-layer': 'passed' } })
      expect(bob.cacheStatus).toMatch(HIT)
      expect(bob.headers['x-user']).toBeUndefined()
    }
    // A refresh is nobody's: from then on it is answered in front.
    clock.advance(11)
    await site.ask('/x')
    expect(await site.ask('/x')).toMatchObject({ text: 'render 2' })
  },
)

scenario('FRONT-05', "a route's own options hold as soon as a request has reached it", anyStore, async ({ serve }) => {
  let seen = 0
  const site = await serve({
    ...inFront,
    appWide: false,
    outside: () => void seen++,
    routes: {
      '/x': { cacheback: { maxAge: 10, query: ['page'] }, answer: ({ n }) => text(`render ${n}`) },
      '/kept': { cacheback: { maxAge: 10, inFront: false }, answer: ({ n }) => text(`render ${n}`) },
      '/off': { cacheback: false, answer: numbered() },
    },
  })
  await site.ask('/x?page=1')
  await site.ask('/x?page=1')
  expect([seen, site.renders('/x')]).toEqual([1, 1])
  expect((await site.ask('/x?page=1&utm=2')).cacheStatus).toMatch(HIT)
  expect(seen).toBe(1)
  for (let i = 0; i < 3; i++) await site.ask('/kept')
  expect([seen, site.renders('/kept')]).toEqual([4, 1])
  for (let n = 1; n <= 2; n++) expect((await site.ask('/off')).text).toBe(`render ${n}`)
})

scenario(
  'FRONT-06',
  'a page that its route keeps behind the layers of the app does not hold what they say of one visitor',
  anyStore,
  async ({ serve }) => {
    const site = await serve({
      ...inFront,
      outside: ({ req, set }) => set('X-For', String(req.headers['x-visitor'])),
      routes: { '/x': { cacheback: { maxAge: 10, inFront: false }, answer: ({ n }) => text(`render ${n}`) } },
    })
    for (const visitor of ['alice', 'bob']) {
      const answer = await site.ask('/x', { 'X-Visitor': visitor })
      expect(answer).toMatchObject({ text: 'render 1', headers: { 'x-for': visitor } })
    }
  },
)

scenario(
  'FRONT-07',
  'a layer of the app that changes the request is asked each time, and its pages are kept apart',
  anyStore,
  async ({ serve }) => {
    const site = await serve({
      ...inFront,
      outside: ({ req }) => {
        req.headers['x-device'] = String(req.headers['user-agent']).includes('Mobile') ? 'small' : 'large'
      },
      routes: { '/x': ({ headers }) => text(`for ${String(headers['x-device'])}`, { ...fresh10, vary: 'X-Device' }) },
    })
    for (let i = 0; i < 2; i++) {
      expect((await site.ask('/x', { 'User-Agent': 'a Mobile' })).text).toBe('for small')
      expect((await site.ask('/x', { 'User-Agent': 'b' })).text).toBe('for large')
    }
    expect(site.renders()).toBe(2)
  },
)

scenario(
  'FRONT-08',
  'the route is known, the page is refreshed and purged by it',
  anyStore,
  async ({ serve, clock, framework }) => {
    const route = framework.name === 'koa' ? '/a/:id' : '/a/:id'
    const site = await serve({
      ...inFront,
      routes: { [route]: numbered(cacheControl('max-age=10, stale-while-revalidate=60')) },
    })
    await site.ask('/a/1')
    clock.advance(11)
    expect((await site.ask('/a/1')).warning).toMatch(/^110/)
    expect((await site.ask('/a/1')).text).toBe('render 2')
    expect((await site.cache.inspect('http://example.test/a/1'))?.route).toBe(route)
    await site.cache.purge({ route })
    expect((await site.ask('/a/1')).text).toBe('render 3')
    expect(await site.cache.refresh('http://example.test/a/1')).toBe(true)
    expect((await site.ask('/a/1')).text).toBe('render 4')
  },
)

scenario(
  'FRONT-09',
  'an app of node:http alone is cached, collapsed and refreshed',
  { frameworks: ['express'], stores: ['memory'], because: 'no framework plays a part' },
  async ({ options, clock }) => {
    let renders = 0
    const app: RequestListener = (_req, res) => {
      renders++
      res.end(`render ${renders}`)
    }
    const { cache, client } = await listen(options, app, { maxAge: 10, staleWhileRevalidate: 60 })
    const answers = await Promise.all([1, 2, 3].map(() => client.visit('/x').done))
    expect(answers.map((answer) => answer.text)).toEqual(['render 1', 'render 1', 'render 1'])
    clock.advance(11)
    expect((await client.visit('/x').done).text).toBe('render 1')
    await cache.idle()
    expect((await client.visit('/x').done).text).toBe('render 2')
    expect(await cache.refresh('http://example.test/x')).toBe(true)
    expect(renders).toBe(3)
  },
)

scenario(
  'FRONT-10',
  'with inFront: false for the whole cache the listener lets everything through',
  anyStore,
  async ({ serve }) => {
    let seen = 0
    const site = await serve({
      ...inFront,
      options: { inFront: false },
      outside: () => void seen++,
      routes: { '/x': numbered() },
    })
    for (let i = 0; i < 3; i++) expect((await site.ask('/x')).text).toBe('render 1')
    expect(seen).toBe(3)
  },
)

scenario(
  'FRONT-11',
  'a route that is kept behind the app is the same route, whether it was reached through the cache in front or not',
  anyStore,
  async ({ serve, clock }) => {
    const page = { etag: '"v1"', age: '30' }
    const site = await serve({
      ...inFront,
      appWide: false,
      routes: {
        '/x': {
          cacheback: { maxAge: 10, inFront: false },
          answer: ({ n }) => (n === 1 ? plain('page', page) : notModified(page)),
        },
      },
    })
    await site.ask('/x')
    for (let i = 0; i < 3; i++) {
      clock.advance(1)
      expect(await site.ask('/x')).toMatchObject({ text: 'page', age: 30, cacheStatus: VALIDATED })
    }
  },
)

async function listen(options: Stage['options'], app: RequestListener, more: object) {
  const cache = createCacheback(await options(more))
  const server = createServer(cache.listener(app))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = makeClient(server)
  onTestFinished(async () => {
    client.close()
    await closeServer(server)
    await cache.close()
  })
  return { cache, client }
}
