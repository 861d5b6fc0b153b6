import { createServer } from 'node:http'

import { createCacheback } from '@cacheback/core'
import { cacheback } from '@cacheback/express'
import { redisStore } from '@cacheback/redis'

import { clientOf, connectRedis } from '../apps/redis.ts'
import type { ServerFile } from '../server-file.ts'

/** The same over @cacheback/redis. */
export default {
  title: 'cacheback over @cacheback/redis, memory: false',
  kind: 'redis',
  async start(page) {
    const store = redisStore({ client: clientOf(await connectRedis(page.redis)), prefix: `bench-${process.pid}:` })
    await store.ready()
    // A process that is stopped in turns would find every call of its pauses too slow.
    const storeTimeoutMs = { get: 60_000, set: 60_000 }
    const caching = cacheback(createCacheback({ store, memory: false, storeTimeoutMs }))
    return createServer((req, res) => {
      caching(req, res, () => {
        for (const [name, value] of Object.entries(page.head)) res.setHeader(name, value)
        void page.render(req.url ?? '', (body) => void res.end(body))
      })
    })
  },
} satisfies ServerFile
