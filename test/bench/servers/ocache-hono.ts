import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'

import { cachedHandler } from '../apps/ocache.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'ocache (Hono)',
  kind: 'peer',
  package: 'ocache',
  start(page) {
    const handler = cachedHandler(page)
    const app = new Hono()
    app.get('/api/items', async (c) => (await handler({ req: c.req.raw })) as Response)
    return createAdaptorServer({ fetch: app.fetch }) as import('node:http').Server
  },
} satisfies ServerFile
