import { bullmqQueue } from '@cacheback/bullmq'
import { type Cacheback, createCacheback } from '@cacheback/core'
import { cachebackPlugin } from '@cacheback/fastify'
import { redisStore } from '@cacheback/redis'
import Fastify, { type FastifyInstance } from 'fastify'

const url = process.env['REDIS_URL'] ?? 'redis://localhost:6379'

export const cache: Cacheback = createCacheback({
  store: redisStore({ url }),
  refresh: { queue: bullmqQueue({ connection: url }) },
  staleWhileRevalidate: 600,
})

export const app: FastifyInstance = Fastify({ forceCloseConnections: true })
await app.register(cachebackPlugin, { cache })

app.get('/articles/:id', { config: { cacheback: { maxAge: 2 } } }, async (request) => {
  return { article: request.params, renderedBy: process.pid, renderedAt: new Date().toISOString() }
})

// Closes the cache as well: its workers, its queue, its store.
process.once('SIGTERM', () => void app.close())
