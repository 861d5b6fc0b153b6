import { createCacheback } from '@cacheback/core'
import { cacheback } from '@cacheback/express'
import express from 'express'

const cache = createCacheback({ maxAge: 10, staleWhileRevalidate: 60 })
const app = express()
app.use(cacheback(cache))
app.get('/articles/:id', (req, res) => void res.set('Cache-Tag', 'news').json({ article: req.params.id }))
const server = app.listen(0)
const { port } = server.address() as { port: number }

cache.attach(server) // the server through which refresh() renders; the Fastify plugin does it by itself
cache.on('refresh-failed', ({ key, reason }) => console.warn(key, reason))

await cache.refresh(`http://localhost:${port}/articles/1`)
console.log(await cache.inspect(`http://localhost:${port}/articles/1`)) // when stored, fresh until, size, hits, key, …
await cache.purge({ tag: 'news' }, { soft: true }) // stale now, refreshed when it is next asked for
await cache.purge({ url: '/articles/1' }) // gone; or { route }, { prefix }, { tag }, { all: true }
console.log(cache.stats()) // counts, bytes, queue, breaker, bypasses by reason

server.close()
await cache.close() // with its store; the Fastify plugin does it with the app
