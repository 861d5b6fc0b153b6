import { createCacheback } from '@cacheback/core'
import { cacheback } from '@cacheback/koa'
import { Router } from '@koa/router'
import Koa from 'koa'
import send from 'koa-send'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { type App, type AppInput, type Framework, type Middleware, type Route, toRoute } from './app.ts'
import { FILES } from './files.ts'
import type { Reply } from './reply.ts'
import { closeServer } from './server.ts'

export const koa: Framework = {
  name: 'koa',
  start,
  build: async (options) => cacheback(options as never),
  buildRoute: async (options) => cacheback(createCacheback(), options as never),
}

async function start(input: AppInput): Promise<App> {
  const app = new Koa()
  const router = new Router()
  app.silent = true
  app.proxy = input.trustProxy ?? false
  app.use((ctx, next) => {
    const visitor = ctx.req.headers['x-visitor']
    return typeof visitor === 'string' ? input.visitors.run(visitor, next) : next()
  })
  if (input.outside) app.use(useMiddleware(input.outside))
  await input.before?.koa?.(app, router)
  if (input.cache && (input.appWide ?? true)) app.use(cacheback(input.cache))
  if (input.inside) app.use(useMiddleware(input.inside))
  await input.after?.koa?.(app, router)
  app.use(router.routes())
  for (const [path, route] of Object.entries(input.routes)) addRoute(app, router, path, toRoute(route), input)
  await input.extra?.koa?.(app, router)
  const server = createServer(
    input.inFront === true && input.cache !== undefined ? input.cache.listener(app.callback()) : app.callback(),
  )
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { server, close: () => closeServer(server) }
}

function useMiddleware(middleware: Middleware): Koa.Middleware {
  return async (ctx, next) => {
    let answered = false
    middleware({
      req: ctx.req,
      res: ctx.res,
      set: (name, value) => ctx.set(name, value),
      answer(status, body) {
        answered = true
        ctx.status = status
        ctx.body = body
      },
    })
    if (!answered) await next()
  }
}

function addRoute(app: Koa, router: Router, path: string, route: Route, input: AppInput): void {
  const handler: Koa.Middleware = async (ctx) => {
    const exchange = {
      method: ctx.method,
      url: ctx.originalUrl,
      headers: ctx.req.headers,
      query: ctx.query,
      params: (ctx['params'] ?? {}) as Record<string, string>,
      remoteAddress: ctx.req.socket.remoteAddress,
      ip: ctx.ip,
      origin: `${ctx.protocol}://${ctx.host}`,
      req: ctx.req,
      res: ctx.res,
    }
    await answer(await input.render(path, route, exchange), ctx)
  }
  const isOwn = input.cache !== undefined && route.cacheback !== undefined
  const guard = isOwn ? [cacheback(input.cache, route.cacheback)] : []
  if (path === '*') {
    for (const middleware of [...guard, handler]) app.use(middleware)
    return
  }
  router.register(path, [...(route.methods ?? ['GET'])], [...guard, handler] as never)
}

async function answer(said: Reply, ctx: Koa.Context): Promise<void> {
  if (said.kind === 'fail') throw said.error
  if (said.kind === 'raw') {
    ctx.respond = false
    await said.write(ctx.req, ctx.res)
    return
  }
  ctx.status = said.status
  switch (said.kind) {
    case 'file':
      await send(ctx, said.file, { root: FILES })
      break
    case 'stream':
      ctx.body = said.make()
      break
    case 'chunks':
      ctx.body = Readable.from(said.make())
      break
    case 'empty':
      ctx.body = said.status === 200 ? '' : null
      ctx.status = said.status
      break
    default:
      ctx.body = said.body
  }
  // After the body, which sets a type and a length of its own.
  for (const [name, value] of Object.entries(said.headers)) {
    ctx.set(name, typeof value === 'string' ? value : [...value])
  }
}
