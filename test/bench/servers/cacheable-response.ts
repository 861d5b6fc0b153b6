import { createServer } from 'node:http'

import cacheableResponse from 'cacheable-response'
import express from 'express'

import type { ServerFile } from '../server-file.ts'

/** Its stale window lies inside its ttl. */
export default {
  title: 'cacheable-response (Express)',
  kind: 'peer',
  package: 'cacheable-response',
  start(page) {
    const answer = cacheableResponse<string>({
      ttl: (page.maxAge + page.staleWhileRevalidate) * 1000,
      staleTtl: page.staleWhileRevalidate * 1000,
      async get({ req }) {
        let data = ''
        await page.render(req.url ?? '', (body) => (data = body))
        return { data }
      },
      send({ data, res }) {
        res.setHeader('Content-Type', page.head['Content-Type'] ?? '')
        res.end(data)
      },
    })
    const app = express()
    app.disable('x-powered-by')
    app.get('/api/items', (req, res) => answer({ req, res }))
    return createServer(app)
  },
} satisfies ServerFile
