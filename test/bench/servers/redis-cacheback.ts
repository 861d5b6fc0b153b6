import { Keyv } from 'keyv'

import { connectRedis, serveFrom } from '../apps/redis.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'cacheback over a Keyv, memory: false',
  kind: 'redis',
  async start(page) {
    return serveFrom(new Keyv({ store: await connectRedis(page.redis), namespace: `bench-${process.pid}` }), page)
  },
} satisfies ServerFile
