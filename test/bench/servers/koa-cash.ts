import { createServer } from 'node:http'

import cash from 'koa-cash'
import { LRUCache } from 'lru-cache'

import { koaApp } from '../apps/koa.ts'
import type { ServerFile } from '../server-file.ts'

/** As its README has it, with an LRU. */
export default {
  title: 'koa-cash (Koa)',
  kind: 'peer',
  package: 'koa-cash',
  start(page) {
    const store = new LRUCache<string, { body: string }>({
      maxSize: page.maxBytes ?? 64 * 1024 * 1024,
      sizeCalculation: ({ body }) => body.length,
    })
    const caching = cash({
      get: async (key) => store.get(key),
      set: async (key, value, maxAgeMs) => void store.set(key, value, { ttl: maxAgeMs }),
    })
    const app = koaApp(page, caching, async (ctx, next) => {
      if (await ctx['cashed'](page.maxAge * 1000)) return
      await next()
    })
    return createServer(app.callback())
  },
} satisfies ServerFile
