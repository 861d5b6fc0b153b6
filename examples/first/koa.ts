import { cacheback } from '@cacheback/koa'
import Koa from 'koa'

const app = new Koa()
app.use(cacheback({ maxAge: 10, staleWhileRevalidate: 60, query: ['page'] }))

app.use(async (ctx) => {
  ctx.body = { path: ctx.path, renderedAt: new Date().toISOString() }
})

const server = app.listen(Number(process.env['PORT'] ?? 3000), () => {
  console.log('curl -i http://localhost:%d/articles/1', (server.address() as { port: number }).port)
})
