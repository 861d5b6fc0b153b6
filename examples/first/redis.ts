import { createCacheback } from '@cacheback/core'
import KeyvRedis from '@keyv/redis'
import { Keyv } from 'keyv'

const redis = new KeyvRedis({
  url: process.env['REDIS_URL'] ?? 'redis://localhost:6379',
  // Without these a hung or absent Redis queues commands for ever; see docs/stores.md.
  disableOfflineQueue: true,
  pingInterval: 500,
  socket: {
    connectTimeout: 1000,
    socketTimeout: 1500,
    reconnectStrategy: (tries: number) => Math.min(50 * 2 ** tries, 500),
  },
})

export const cache = createCacheback({
  store: new Keyv({ store: redis, throwOnErrors: true }),
  maxAge: 10,
  staleWhileRevalidate: 60,
})
