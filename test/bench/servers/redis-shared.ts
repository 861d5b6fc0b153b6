import { redisStore } from '@cacheback/redis'

import { clientOf, connectRedis, serveFrom } from '../apps/redis.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'cacheback over @cacheback/redis, memory: false',
  kind: 'redis',
  async start(page) {
    const store = redisStore({ client: clientOf(await connectRedis(page.redis)), prefix: `bench-${process.pid}:` })
    await store.ready()
    return serveFrom(store, page)
  },
} satisfies ServerFile
