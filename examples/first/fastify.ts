import { cachebackPlugin } from '@cacheback/fastify'
import Fastify from 'fastify'

const app = Fastify()
await app.register(cachebackPlugin, { staleWhileRevalidate: 60 })

app.get('/articles/:id', { config: { cacheback: { maxAge: 10, query: ['page'] } } }, async (request) => {
  return { article: request.params, renderedAt: new Date().toISOString() }
})
app.get('/me', { config: { cacheback: false } }, async () => 'never cached')

await app.listen({ port: Number(process.env['PORT'] ?? 3000) })
console.log(`curl -i ${app.listeningOrigin}/articles/1`)
