import { createServer } from 'node:http'

import { bytesOf, clientOf, connectRedis } from '../apps/redis.ts'
import type { ServerFile } from '../server-file.ts'

/** As little as can be done: the body read as bytes through the same client, and sent under a prepared head. */
export default {
  title: 'bare GET in node:http',
  kind: 'redis',
  async start(page) {
    const client = clientOf(await connectRedis(page.redis))
    const bytes = bytesOf(client)
    const head = [...Object.entries(page.head).flat(), 'Content-Length', String(page.bytes)]
    return createServer(async (req, res) => {
      const key = `bench:${page.bytes}:${req.url}`
      const body = await bytes.get(key)
      if (body === null) await client.set(key, page.body)
      res.writeHead(200, head)
      res.end(body ?? page.body)
    })
  },
} satisfies ServerFile
