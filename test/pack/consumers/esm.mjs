import assert from 'node:assert/strict'
import { bullmqQueue } from '@cacheback/bullmq'
import { CachebackError, createCacheback } from '@cacheback/core'
import { cacheback as expressCacheback } from '@cacheback/express'
import plugin, { cachebackPlugin } from '@cacheback/fastify'
import { cacheback as koaCacheback } from '@cacheback/koa'
import { redisStore } from '@cacheback/redis'
import fastify from 'fastify'

assert.ok(CachebackError.prototype instanceof Error)
assert.equal(plugin, cachebackPlugin)
assert.throws(() => redisStore({ url: 'http://localhost' }), CachebackError)
assert.equal(typeof bullmqQueue({ connection: 'redis://localhost' }).open, 'function')

const cache = createCacheback()
assert.equal(expressCacheback(cache).cache, cache)
assert.equal(koaCacheback(cache).cache, cache)

const app = fastify()
await app.register(cachebackPlugin, { cache })
await app.ready()
assert.equal(app.cacheback, cache)
await app.close()
await cache.close()
