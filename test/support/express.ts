import { createCacheback } from '@cacheback/core'
import { cacheback } from '@cacheback/express'
import express, { type Express, type Request, type RequestHandler, type Response } from 'express'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { pipeline } from 'node:stream'
import { type App, type AppInput, type Framework, type Middleware, type Route, toRoute } from './app.ts'
import { FILES } from './files.ts'
import type { Reply } from './reply.ts'
import { closeServer } from './server.ts'

export const expressFramework: Framework = {
  name: 'express',
  start,
  build: async (options) => cacheback(options as never),
  buildRoute: async (options) => cacheback(createCacheback(), options as never),
}

async function start(input: AppInput): Promise<App> {
  const app = express()
  app.set('trust proxy', input.trustProxy ?? false)
  app.use((req, _res, next) => {
    const visitor = req.headers['x-visitor']
    if (typeof visitor === 'string') input.visitors.run(visitor, next)
    else next()
  })
  if (input.outside) app.use(useMiddleware(input.outside))
  await input.before?.express?.(app)
  if (input.cache && (input.appWide ?? true)) app.use(cacheback(input.cache))
  if (input.inside) app.use(useMiddleware(input.inside))
  await input.after?.express?.(app)
  for (const [path, route] of Object.entries(input.routes)) addRoute(app, path, toRoute(route), input)
  await input.extra?.express?.(app)
  const server = createServer(input.inFront === true && input.cache !== undefined ? input.cache.listener(app) : app)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { server, close: () => closeServer(server) }
}

function useMiddleware(middleware: Middleware): RequestHandler {
  return (req, res, next) => {
    let answered = false
    middleware({
      req,
      res,
      set: (name, value) => void res.set(name, value),
      answer(status, body) {
        answered = true
        res.status(status).type('text/plain').send(body)
      },
    })
    if (!answered) next()
  }
}

function addRoute(app: Express, path: string, route: Route, input: AppInput): void {
  const isOwn = input.cache !== undefined && route.cacheback !== undefined
  const handlers: RequestHandler[] = isOwn ? [cacheback(input.cache, route.cacheback)] : []
  handlers.push(async (req, res) => {
    const exchange = {
      method: req.method,
      url: req.originalUrl,
      headers: req.headers,
      query: req.query,
      params: req.params as Record<string, string>,
      remoteAddress: req.socket.remoteAddress,
      ip: req.ip,
      origin: `${req.protocol}://${req.host}`,
      req,
      res,
    }
    await answer(await input.render(path, route, exchange), req, res)
  })
  if (path === '*') {
    app.use(...handlers)
    return
  }
  for (const method of route.methods ?? ['GET']) {
    app[method.toLowerCase() as 'get'](path, ...handlers)
  }
}

async function answer(said: Reply, req: Request, res: Response): Promise<unknown> {
  if (said.kind === 'fail') throw said.error
  if (said.kind === 'raw') return said.write(req, res)
  res.status(said.status)
  if (said.kind === 'text') res.type('text/plain')
  for (const [name, value] of Object.entries(said.headers)) {
    res.set(name, typeof value === 'string' ? value : [...value])
  }
  switch (said.kind) {
    case 'file':
      return res.sendFile(said.file, { root: FILES, cacheControl: false })
    case 'stream':
      return pipeline(said.make(), res, () => undefined)
    case 'chunks':
      for await (const chunk of said.make()) res.write(chunk)
      return res.end()
    case 'empty':
      return res.end()
    case 'json':
      return res.json(said.body)
    default:
      return res.send(said.body)
  }
}
