import { createServer } from 'node:http'

import { createCacheback } from '@cacheback/core'
import { cacheback } from '@cacheback/express'
import { Keyv } from 'keyv'

import { connectRedis } from '../apps/redis.ts'
import type { ServerFile } from '../server-file.ts'

/** The middleware on plain node:http, so that no framework's cost is in it. */
export default {
  title: 'cacheback, memory: false',
  kind: 'redis',
  async start(page) {
    const store = new Keyv({ store: await connectRedis(page.redis), namespace: `bench-${process.pid}` })
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
