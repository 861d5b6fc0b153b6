import { createCacheback } from '@cacheback/core'
import { redisStore } from '@cacheback/redis'

export const cache = createCacheback({
  store: redisStore({ url: process.env['REDIS_URL'] ?? 'redis://localhost:6379' }),
  maxAge: 10,
  staleWhileRevalidate: 60,
})
