import { type Cacheback, type RouteOptions, createCacheback } from '@cacheback/core'
import fastify, { type FastifyInstance } from 'fastify'
import { expectTypeOf, test } from 'vitest'
import defaultExport, { type CachebackPluginOptions, cachebackPlugin } from './index.ts'

const app: FastifyInstance = fastify()
const handler = (): string => ''

test('the plugin has two names', () => {
  expectTypeOf(defaultExport).toEqualTypeOf(cachebackPlugin)
})

test('it takes options of a cache, or a cache and options for all routes', () => {
  void app.register(cachebackPlugin)
  void app.register(cachebackPlugin, { staleWhileRevalidate: 60, memory: { maxBytes: 1024 } })
  void app.register(cachebackPlugin, { cache: createCacheback(), maxAge: 10 })
  void app.register(cachebackPlugin, { hook: 'preHandler' })
  void app.register(cachebackPlugin, { cache: createCacheback(), hook: 'onRequest' })
  // @ts-expect-error: seconds are a number
  void app.register(cachebackPlugin, { maxAge: '10' })
  // @ts-expect-error: no such hook
  void app.register(cachebackPlugin, { hook: 'onSend' })
  // @ts-expect-error: no such option
  void app.register(cachebackPlugin, { ttl: 10 })
  // @ts-expect-error: a cache is made by createCacheback()
  void app.register(cachebackPlugin, { cache: {} })
  expectTypeOf<CachebackPluginOptions['hook']>().toEqualTypeOf<'onRequest' | 'preHandler' | undefined>()
})

test('the app has the cache', () => {
  expectTypeOf(app.cacheback).toEqualTypeOf<Cacheback>()
})

test('a route has options of its own, or keeps the cache out', () => {
  app.get('/1', { config: { cacheback: { maxAge: 10, staleWhileRevalidate: 300, query: ['page'] } } }, handler)
  app.get('/2', { config: { cacheback: false } }, handler)
  app.get('/3', { config: {} }, handler)
  app.route({ method: 'GET', url: '/4', config: { cacheback: { tags: (request) => [request.url ?? ''] } }, handler })
  // @ts-expect-error: true says nothing
  app.get('/5', { config: { cacheback: true } }, handler)
  // @ts-expect-error: seconds are a number
  app.get('/6', { config: { cacheback: { maxAge: '10' } } }, handler)
  app.get('/7', (request) => {
    expectTypeOf(request.routeOptions.config.cacheback).toExtend<RouteOptions | false | undefined>()
    return ''
  })
})
