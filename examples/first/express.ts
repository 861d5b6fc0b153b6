import { createCacheback } from '@cacheback/core'
import { cacheback } from '@cacheback/express'
import express from 'express'

const app = express()
const cache = createCacheback({ staleWhileRevalidate: 60 })
app.use(cacheback(cache))

app.get('/articles/:id', cacheback(cache, { maxAge: 10, query: ['page'] }), (req, res) => {
  res.json({ article: req.params, renderedAt: new Date().toISOString() })
})
app.get('/me', cacheback(cache, false), (_req, res) => void res.send('never cached'))

const server = app.listen(Number(process.env['PORT'] ?? 3000), () => {
  console.log('curl -i http://localhost:%d/articles/1', (server.address() as { port: number }).port)
})
