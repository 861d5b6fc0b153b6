import { createServer } from 'node:http'
import { crc32 } from 'node:zlib'

import { bytesOf, clientOf, connectRedis } from '../apps/redis.ts'
import type { ServerFile } from '../server-file.ts'

const PREFIX_BYTES = 8

interface Kept {
  readonly url: string
  readonly at: number
  readonly fields: string[]
}

/**
 * No cache that anybody could use, but what each has to do with a hit from a store at the very least: make a key, read a
 * head and a body as one row, see by a checksum that it is whole, compare whose it is, tell its age. Nothing in it is
 * judged, nothing has a deadline, nobody else is asked what has been purged.
 */
export default {
  title: 'a head in JSON and a body under a checksum',
  kind: 'redis',
  async start(page) {
    const client = clientOf(await connectRedis(page.redis))
    const bytes = bytesOf(client)
    return createServer(async (req, res) => {
      const url = req.url ?? ''
      const { host, accept, 'accept-language': language } = req.headers
      const key = `floor:${page.bytes}:${host} ${url} ${accept} ${language}`
      const row = await bytes.get(key)
      if (row === null) {
        const fields = [...Object.entries(page.head).flat(), 'Content-Length', String(page.bytes)]
        const head = Buffer.from(JSON.stringify({ url, at: Date.now(), fields } satisfies Kept))
        const prefix = Buffer.alloc(PREFIX_BYTES)
        const rest = Buffer.concat([head, Buffer.from(page.body)])
        prefix.writeUInt32LE(head.length)
        prefix.writeUInt32LE(crc32(rest), 4)
        await client.set(key, Buffer.concat([prefix, rest]))
        res.writeHead(200, fields)
        return void res.end(page.body)
      }
      const from = PREFIX_BYTES + row.readUInt32LE(0)
      const isWhole = crc32(row.subarray(PREFIX_BYTES)) === row.readUInt32LE(4)
      const kept = JSON.parse(row.toString('latin1', PREFIX_BYTES, from)) as Kept
      if (!isWhole || kept.url !== url) return void res.writeHead(500).end()
      const age = Math.floor((Date.now() - kept.at) / 1000)
      kept.fields.push('Age', String(age), 'Cache-Status', `floor; hit; ttl=${page.maxAge - age}`)
      res.writeHead(200, kept.fields)
      return void res.end(row.subarray(from))
    })
  },
} satisfies ServerFile
