import fastifyStatic from '@fastify/static'
import { cachebackPlugin } from '@cacheback/fastify'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type HTTPMethods } from 'fastify'
import { Readable } from 'node:stream'
import { type App, type AppInput, type Framework, type Hand, type Middleware, type Route, toRoute } from './app.ts'
import { FILES } from './files.ts'
import type { Reply } from './reply.ts'

export const fastify: Framework = { name: 'fastify', start, build, buildRoute }

async function start(input: AppInput): Promise<App> {
  const app = Fastify({
    forceCloseConnections: true,
    trustProxy: input.trustProxy ?? false,
    ...(input.inFront === true && input.cache !== undefined ? { serverFactory: input.cache.serverFactory } : {}),
  })
  app.addHook('onRequest', (request, _reply, done) => {
    const visitor = request.headers['x-visitor']
    if (typeof visitor === 'string') input.visitors.run(visitor, done)
    else done()
  })
  if (input.outside) hookMiddleware(app, input.outside)
  await input.before?.fastify?.(app)
  await app.register(fastifyStatic, { root: FILES, serve: false })
  if (input.cache) await app.register(cachebackPlugin, { cache: input.cache })
  if (input.inside) hookMiddleware(app, input.inside)
  await input.after?.fastify?.(app)
  for (const [path, route] of Object.entries(input.routes)) addRoute(app, path, toRoute(route), input)
  await input.extra?.fastify?.(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { server: app.server, close: () => app.close() }
}

function hookMiddleware(app: FastifyInstance, middleware: Middleware): void {
  app.addHook('onRequest', (request, reply, done) => {
    let answered = false
    const hand: Hand = {
      req: request.raw,
      res: reply.raw,
      set: (name, value) => void reply.header(name, value),
      answer(status, body) {
        answered = true
        void reply.code(status).type('text/plain').send(body)
      },
    }
    middleware(hand)
    if (!answered) done()
  })
}

function addRoute(app: FastifyInstance, path: string, route: Route, input: AppInput): void {
  app.route({
    method: [...(route.methods ?? ['GET'])] as HTTPMethods[],
    url: path,
    ...(route.cacheback === undefined ? {} : { config: { cacheback: route.cacheback as never } }),
    async handler(request, reply) {
      const exchange = {
        method: request.method,
        url: request.raw.url!,
        headers: request.raw.headers,
        query: request.query as Record<string, unknown>,
        params: request.params as Record<string, string>,
        remoteAddress: request.raw.socket.remoteAddress,
        ip: request.ip,
        origin: `${request.protocol}://${request.host}`,
        req: request.raw,
        res: reply.raw,
      }
      return answer(await input.render(path, route, exchange), request, reply)
    },
  })
}

function answer(said: Reply, request: FastifyRequest, reply: FastifyReply): unknown {
  if (said.kind === 'fail') throw said.error
  if (said.kind === 'raw') {
    reply.hijack()
    return said.write(request.raw, reply.raw)
  }
  reply.code(said.status).headers({ ...said.headers } as Record<string, string>)
  switch (said.kind) {
    case 'file':
      return reply.sendFile(said.file, { cacheControl: false })
    case 'stream':
      return reply.send(said.make())
    case 'chunks':
      return reply.send(Readable.from(said.make()))
    case 'empty':
      return reply.send()
    default:
      return reply.send(said.body)
  }
}

async function build(options: unknown): Promise<unknown> {
  const app = Fastify()
  app.register(cachebackPlugin, options as never)
  try {
    return await app.ready()
  } finally {
    await app.close()
  }
}

async function buildRoute(options: unknown): Promise<unknown> {
  const app = Fastify()
  try {
    await app.register(cachebackPlugin)
    app.get('/', { config: { cacheback: options as never } }, () => 'ok')
    return await app.ready()
  } finally {
    await app.close()
  }
}
