import { bullmqQueue } from '@cacheback/bullmq'
import { type RedisStore, redisStore } from '@cacheback/redis'
import { type Cacheback, type JobQueue, CachebackError, createCacheback } from '@cacheback/core'
import { cacheback as expressCacheback } from '@cacheback/express'
import plugin, { cachebackPlugin } from '@cacheback/fastify'
import { cacheback as koaCacheback } from '@cacheback/koa'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'

export const cache: Cacheback = createCacheback({ maxAge: 10, query: ['page'] })
export const queue: JobQueue = bullmqQueue({ connection: { socket: { host: 'localhost', port: 6379 } } })
export const code = (error: CachebackError): string => error.code

export const fastifyApp = fastify()
await fastifyApp.register(cachebackPlugin, { staleWhileRevalidate: 60 })
await fastifyApp.register(plugin, { cache })
fastifyApp.get('/articles/:id', { config: { cacheback: { maxAge: 10, staleWhileRevalidate: 300 } } }, () => 'article')
fastifyApp.get('/me', { config: { cacheback: false } }, () => 'me')
await fastifyApp.cacheback.purge({ all: true })

export const expressApp = express()
expressApp.use(expressCacheback(cache))
expressApp.get('/articles/:id', expressCacheback(cache, { maxAge: 10 }), (_request, response) => {
  response.send('article')
})
expressApp.get('/me', expressCacheback(cache, false), (_request, response) => {
  response.send('me')
})

export const koaApp = new Koa()
koaApp.use(koaCacheback({ maxAge: 10 }))
export const store: RedisStore = redisStore({ url: 'redis://localhost:6379' })
