import { createServer, type ServerResponse } from 'node:http'

import { LRUCache } from 'lru-cache'

import { koaApp } from '../apps/koa.ts'
import type { ServerFile } from '../server-file.ts'

const ENTRY_BYTES = 600

/**
 * No cache that anybody could use, but what each has to do on a miss at the very least: look the URL up, hear the end of
 * the response, put its fields and its body into an LRU. Nothing is judged, and nothing is ever served.
 */
export default {
  title: 'Koa, looked up and kept unjudged',
  kind: 'miss-floor',
  start(page) {
    const kept = new LRUCache<string, object>({ maxSize: page.maxBytes ?? 64 * 1024 * 1024 })
    const app = koaApp(page, async ({ req, res }, next) => {
      const key = `${req.headers.host}${req.url}`
      if (!kept.has(key)) keepAtEnd(kept, key, res)
      await next()
    })
    return createServer(app.callback())
  },
} satisfies ServerFile

function keepAtEnd(kept: LRUCache<string, object>, key: string, res: ServerResponse): void {
  const end = res.end.bind(res) as (...args: unknown[]) => ServerResponse
  const heard = (...args: unknown[]): ServerResponse => {
    const ended = end(...args)
    const body = String(args[0])
    kept.set(key, { at: Date.now(), fields: res.getHeaders(), body }, { size: ENTRY_BYTES + body.length })
    return ended
  }
  res.end = heard
}
