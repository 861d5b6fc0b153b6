import { createServer } from 'node:http'

import { clientOf, connectRedis } from '../apps/redis.ts'
import type { ServerFile } from '../server-file.ts'

/** RESP's type of a string of bytes, in node-redis's words. */
const BLOB_STRING = 36

interface Kept {
  readonly url: string
  readonly at: number
  readonly fields: string[]
}

/**
 * No cache that anybody could use, but what each has to do with a hit from a store at the very least: make a key, read a
 * head and a body as one row, compare whose it is, tell its age. Nothing is checked, nothing has a deadline, nobody else
 * is asked what has been purged.
 */
export default {
  title: 'a head in JSON and a body, unchecked',
  kind: 'redis',
  async start(page) {
    const client = clientOf(await connectRedis(page.redis))
    const bytes = client.withTypeMapping({ [BLOB_STRING]: Buffer })
    return createServer(async (req, res) => {
      const url = req.url ?? ''
      const { host, accept, 'accept-language': language } = req.headers
      const key = `floor:${page.bytes}:${host} ${url} ${accept} ${language}`
      const row = await bytes.get(key)
      if (row === null) {
        const fields = [...Object.entries(page.head).flat(), 'Content-Length', String(page.bytes)]
        const head = Buffer.from(JSON.stringify({ url, at: Date.now(), fields } satisfies Kept))
        const length = Buffer.alloc(4)
        length.writeUInt32LE(head.length)
        await client.set(key, Buffer.concat([length, head, Buffer.from(page.body)]))
        res.writeHead(200, fields)
        return void res.end(page.body)
      }
      const from = 4 + row.readUInt32LE(0)
      const kept = JSON.parse(row.toString('latin1', 4, from)) as Kept
      if (kept.url !== url) return void res.writeHead(500).end()
      const age = Math.floor((Date.now() - kept.at) / 1000)
      kept.fields.push('Age', String(age), 'Cache-Status', `floor; hit; ttl=${page.maxAge - age}`)
      res.writeHead(200, kept.fields)
      return void res.end(row.subarray(from))
    })
  },
} satisfies ServerFile
