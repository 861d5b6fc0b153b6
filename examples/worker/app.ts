import { bullmqQueue } from '@cacheback/bullmq'
import { type Cacheback, createCacheback } from '@cacheback/core'
import { cachebackPlugin } from '@cacheback/fastify'
import KeyvRedis from '@keyv/redis'
import Fastify, { type FastifyInstance } from 'fastify'
import { Keyv } from 'keyv'

const url = process.env['REDIS_URL'] ?? 'redis://localhost:6379'
const redis = new KeyvRedis({
  url,
  // See docs/stores.md.
  disableOfflineQueue: true,
  pingInterval: 500,
  socket: {
    connectTimeout: 1000,
    socketTimeout: 1500,
    reconnectStrategy: (tries: number) => Math.min(50 * 2 ** tries, 500),
  },
})

export const cache: Cacheback = createCacheback({
  store: new Keyv({ store: redis, throwOnErrors: true }),
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
