import { cacheback as expressCacheback } from '@cacheback/express'
import { cacheback as koaCacheback } from '@cacheback/koa'
import { createCacheback } from '@cacheback/core'
import { Router } from '@koa/router'
import express from 'express'
import { expect, onTestFinished } from 'vitest'
import type { Native } from '../../support/app.ts'
import { bypass, hit, numbered, STORED } from '../../support/cache-status.ts'
import { cacheControl, fresh10, text } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'

scenario('LAYER-01', 'the options of a route replace those of the cache', async ({ serve, clock }) => {
  const site = await serve({
    options: { maxAge: 10, vary: ['x-a'] },
    routes: { '/x': { cacheback: { maxAge: 100, vary: ['x-b'] }, answer: numbered({}) }, '/y': numbered({}) },
  })
  expect((await site.ask('/x', { 'X-A': '1' })).cacheStatus).toBe(STORED)
  await site.ask('/y')
  clock.advance(50)
  // Replaced, not merged: x-a no longer selects.
  expect(await site.ask('/x', { 'X-A': '2' })).toMatchObject({ text: 'render 1', cacheStatus: hit(50) })
  expect((await site.ask('/x', { 'X-B': '1' })).text).toBe('render 2')
  expect((await site.ask('/y')).text).toBe('render 2')
})

scenario('LAYER-02', 'false opts a route out: no field, no store, no waiting', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    options: { maxAge: 60 },
    routes: {
      '/x': {
        cacheback: false,
        answer: async ({ n }) => {
          if (n <= 2) await hold()
          return text(`render ${n}`, fresh10)
        },
      },
    },
  })
  const visits = site.crowd(2, '/x')
  await hold.reached(2)
  hold.open()
  for (const got of await Promise.all(visits)) expect(got.cacheStatus).toBeUndefined()
  const third = await site.ask('/x')
  expect(third).toMatchObject({ text: 'render 3', cacheStatus: undefined, age: undefined })
  expect(third.headers['date']).toBeDefined()
  expect(await site.cache.inspect('http://example.test/x')).toBeUndefined()
})

scenario(
  'LAYER-03',
  'from the second request on the outer layer looks up by the rules of the inner',
  async ({ serve }) => {
    let passed = 0
    const site = await serve({
      options: { maxAge: 10 },
      inside: () => passed++,
      routes: { '/x/:id': { cacheback: { query: ['page'] }, answer: numbered({}) } },
    })
    expect((await site.ask('/x/1?page=1&utm=a')).text).toBe('render 1')
    const first = passed
    expect(await site.ask('/x/1?utm=b&page=1')).toMatchObject({ text: 'render 1', cacheStatus: hit(10) })
    expect(await site.ask('/x/1?page=1')).toMatchObject({ text: 'render 1', cacheStatus: hit(10) })
    expect(passed).toBe(first)
  },
)

scenario(
  'LAYER-04',
  'the outer layer lets its followers go: one render for the first fifty visitors',
  async ({ serve, gate }) => {
    const hold = gate()
    const site = await serve({
      options: { maxAge: 10 },
      routes: {
        '/x': {
          cacheback: { vary: ['x-a'] },
          answer: async ({ n, headers }) => {
            await hold()
            return text(`${n} ${String(headers['x-a'])}`)
          },
        },
      },
    })
    const one = site.crowd(25, '/x', { 'X-A': '1' })
    const two = site.crowd(25, '/x', { 'X-A': '2' })
    await site.arrived(50)
    await hold.reached(2)
    hold.open()
    expect(new Set((await Promise.all(one)).map((got) => got.text.slice(2)))).toEqual(new Set(['1']))
    expect(new Set((await Promise.all(two)).map((got) => got.text.slice(2)))).toEqual(new Set(['2']))
    expect(site.renders()).toBe(2)
  },
)

scenario('LAYER-05', 'a cache on one route alone', async ({ serve, clock }) => {
  const site = await serve({
    appWide: false,
    routes: {
      '/x': { cacheback: { maxAge: 10, staleWhileRevalidate: 60 }, answer: numbered({}) },
      '/y': numbered({}),
    },
  })
  expect((await site.ask('/x')).cacheStatus).toBe(STORED)
  expect((await site.ask('/x')).cacheStatus).toBe(hit(10))
  clock.advance(11)
  expect((await site.ask('/x')).text).toBe('render 1')
  expect((await site.ask('/x')).text).toBe('render 2')
  await site.ask('/y')
  expect((await site.ask('/y')).text).toBe('render 2')
})

scenario(
  'LAYER-06',
  'a cache before the whole app stores what is explicitly fresh, and nothing else',
  async ({ serve }) => {
    const site = await serve({ routes: { '/silent': numbered({}), '/fresh': numbered() } })
    expect((await site.ask('/silent')).cacheStatus).toBe('cacheback; fwd=uri-miss; detail=no-freshness')
    expect((await site.ask('/silent')).text).toBe('render 2')
    expect((await site.ask('/fresh')).cacheStatus).toBe(STORED)
    expect((await site.ask('/fresh')).text).toBe('render 1')
  },
)

scenario('LAYER-07', 'the inner rule about cookies decides, also when it is the stricter one', async ({ serve }) => {
  const site = await serve({
    options: { cookies: 'ignore', maxAge: 10 },
    routes: {
      '/mine': { cacheback: { cookies: 'bypass' }, answer: ({ headers }) => text(`for ${headers.cookie}`) },
      '/skip': { cacheback: { skip: () => true }, answer: numbered({}) },
    },
  })
  for (const name of ['alice', 'bob', 'carol']) {
    expect(await site.ask('/mine', { Cookie: `sid=${name}` })).toMatchObject({
      text: `for sid=${name}`,
      cacheStatus: bypass('cookie'),
    })
  }
  for (let n = 1; n <= 3; n++) expect((await site.ask('/skip')).text).toBe(`render ${n}`)
})

/** The same routes below a prefix, as each framework groups them. */
const mounted: Native = {
  fastify: (app) =>
    app.register(
      async (part) => {
        let n = 0
        part.get('/articles/:id', (_request, reply) => reply.headers(swr).send(`api ${++n}`))
      },
      { prefix: '/api' },
    ),
  express(app) {
    let n = 0
    const router = express.Router()
    router.get('/articles/:id', (_req, res) => void res.set(swr).send(`api ${++n}`))
    app.use('/api', router)
  },
  koa(app) {
    let n = 0
    const router = new Router({ prefix: '/api' })
    router.get('/articles/:id', (ctx) => {
      ctx.set(swr)
      ctx.body = `api ${++n}`
    })
    app.use(router.routes())
  },
}
const swr = { 'cache-control': 'max-age=10, stale-while-revalidate=60' }

scenario(
  'LAYER-08',
  'routes below a prefix keep their whole path in key, refresh and purge',
  async ({ serve, clock }) => {
    const site = await serve({ extra: mounted, routes: { '/articles/:id': numbered(swr) } })
    expect((await site.ask('/api/articles/1')).text).toBe('api 1')
    expect((await site.ask('/articles/1')).text).toBe('render 1')
    clock.advance(11)
    expect((await site.ask('/api/articles/1')).text).toBe('api 1')
    expect((await site.ask('/api/articles/1')).text).toBe('api 2')
    await site.cache.purge({ route: '/articles/:id' })
    expect(await site.ask('/api/articles/1')).toMatchObject({ text: 'api 2', cacheStatus: hit(10) })
    await site.cache.purge({ route: '/api/articles/:id' })
    expect((await site.ask('/api/articles/1')).text).toBe('api 3')
  },
)

scenario(
  'LAYER-09',
  'a cache inside a mounted router keys and refreshes by the whole URL',
  { frameworks: ['express'], because: 'only Express rewrites req.url below a mount' },
  async ({ serve, clock, options }) => {
    const cache = createCacheback(await options())
    let n = 0
    const router = express.Router()
    router.get('/:id', expressCacheback(cache), (req, res) => void res.set(swr).send(`${req.baseUrl} ${++n}`))
    const site = await serve({
      appWide: false,
      cache,
      routes: {},
      extra: { express: (app) => app.use('/a', router).use('/b', router) },
    })
    expect((await site.ask('/a/1')).text).toBe('/a 1')
    expect((await site.ask('/b/1')).text).toBe('/b 2')
    expect((await site.ask('/a/1')).text).toBe('/a 1')
    clock.advance(11)
    expect((await site.ask('/a/1')).text).toBe('/a 1')
    expect((await site.ask('/a/1')).text).toBe('/a 3')
    expect((await cache.inspect('http://example.test/a/1'))?.route).toBe('/a/:id')
  },
)

scenario(
  'LAYER-10',
  'two different caches nest: each says what it did',
  { frameworks: ['express', 'koa'], because: 'a Fastify app has one cache', stores: ['memory'] },
  async ({ serve, options }) => {
    const inner = createCacheback({ ...(await options()), name: 'inner' })
    onTestFinished(() => inner.close())
    const site = await serve({
      options: { name: 'outer' },
      after: {
        express: (app) => app.use(expressCacheback(inner)),
        koa: (app) => app.use(koaCacheback(inner)),
      },
      routes: { '/x': numbered() },
    })
    const miss = await site.ask('/x')
    expect(miss.cacheStatus).toBe('inner; fwd=uri-miss; stored, outer; fwd=uri-miss; stored')
    const again = await site.ask('/x')
    expect(again).toMatchObject({ text: 'render 1' })
    expect(again.cacheStatus).toMatch(/outer; hit; ttl=10$/)
  },
)

scenario('LAYER-11', 'the same middleware twice on one road is one cache', anyStore, async ({ serve }) => {
  const site = await serve({
    routes: { '/x': { cacheback: {}, answer: numbered() } },
  })
  expect((await site.ask('/x')).cacheStatus).toBe(STORED)
  expect((await site.ask('/x')).cacheStatus).toBe(hit(10))
  expect(site.cache.stats()).toMatchObject({ memory: { entries: 1 }, events: { miss: 1, hit: 1, store: 1 } })
})

scenario('LAYER-12', 'a response may be freer than its route: its own Cache-Control wins', async ({ serve, clock }) => {
  const site = await serve({
    options: { maxAge: 10 },
    routes: { '/long': numbered(cacheControl('max-age=100')), '/short': numbered(cacheControl('max-age=1')) },
  })
  await site.ask('/long')
  await site.ask('/short')
  clock.advance(5)
  expect((await site.ask('/long')).text).toBe('render 1')
  expect((await site.ask('/short')).text).toBe('render 2')
})
