import { createServer } from 'node:http'
import { createCacheback } from '@cacheback/core'
import { cacheback } from '@cacheback/express'
import express from 'express'

const cache = createCacheback({ staleWhileRevalidate: 60 })
const app = express()
app.get('/articles/:id', cacheback(cache, { maxAge: 10, query: ['page'] }), (req, res) => {
  res.json({ article: req.params['id'], renderedAt: new Date().toISOString() })
})
app.get('/members', cacheback(cache, { maxAge: 10, inFront: false }), (_req, res) => void res.send('behind the guards'))

// Koa: cache.listener(app.callback()). Fastify: Fastify({ serverFactory: cache.serverFactory }), and the plugin with { cache }.
const server = createServer(cache.listener(app)).listen(Number(process.env['PORT'] ?? 3000), () => {
  console.log('curl -i http://localhost:%d/articles/1', (server.address() as { port: number }).port)
})
