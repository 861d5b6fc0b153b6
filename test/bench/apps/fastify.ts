import type { Server } from 'node:http'

import Fastify from 'fastify'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'

import type { Page } from '../page.ts'

/** The server of a trivial Fastify app; `prepare` registers what is to stand before its route. */
export async function fastifyServer(
  page: Page,
  prepare: (app: FastifyInstance) => Promise<unknown> = async () => undefined,
  options: FastifyServerOptions = {},
): Promise<Server> {
  const app = Fastify(options)
  await prepare(app)
  app.get('/api/items', (request, reply) => {
    reply.headers(page.head)
    if (page.streamed) reply.send(page.stream())
    else void page.render(request.url, (body) => void reply.send(body))
  })
  await app.ready()
  return app.server
}
