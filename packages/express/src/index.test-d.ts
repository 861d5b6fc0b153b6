import { type Cacheback, createCacheback } from '@cacheback/core'
import express from 'express'
import { expectTypeOf, test } from 'vitest'
import { type CachebackMiddleware, cacheback } from './index.ts'

const app = express()
const cache = createCacheback()

test('a middleware is made of options, of a cache, or of a cache and options of a route', () => {
  expectTypeOf(cacheback).returns.toEqualTypeOf<CachebackMiddleware>()
  expectTypeOf(cacheback().cache).toEqualTypeOf<Cacheback>()
  cacheback({ maxAge: 10, name: 'pages' })
  cacheback(cache)
  cacheback(cache, { maxAge: 10, staleWhileRevalidate: 300 })
  cacheback(cache, false)
  // @ts-expect-error: seconds are a number
  cacheback({ maxAge: '10' })
  // @ts-expect-error: no such option
  cacheback({ ttl: 10 })
  // @ts-expect-error: that is for the whole cache
  cacheback(cache, { name: 'pages' })
  // @ts-expect-error: true says nothing
  cacheback(cache, true)
  // @ts-expect-error: the cache comes first
  cacheback(false)
})

test('it stands wherever Express takes a middleware', () => {
  app.use(cacheback(cache))
  app.use('/api', cacheback(cache, false))
  app.get('/articles/:id', cacheback(cache, { maxAge: 10 }), (req, res) => {
    // The types of the route are not lost behind it.
    expectTypeOf(req.params.id).toEqualTypeOf<string>()
    res.json({ id: req.params.id })
  })
  const router = express.Router()
  router.use(cacheback(cache))
})
