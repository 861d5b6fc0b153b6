import type { Cacheback } from '@cacheback/core'
import { cachebackPlugin } from '@cacheback/fastify'
import Fastify from 'fastify'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { forward } from '../forward.ts'
import type { App } from './app.ts'

export async function startFastify(cache: Cacheback, originPort: number): Promise<App> {
  const app = Fastify({ forceCloseConnections: true, exposeHeadRoutes: false })
  app.addHttpMethod('M-SEARCH', { hasBody: true })
  app.removeAllContentTypeParsers()
  // The body stays where it is: forward() passes it on.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  await app.register(cachebackPlugin, { cache })
  app.route({
    method: app.supportedMethods,
    url: '*',
    async handler(request, reply) {
      const { status, reason, fields, body } = await forward(originPort, request.raw, request.originalUrl, reply.raw)
      if (status > 599) {
        // The origin's word for a condition that should have been there, and did not come.
        reply.hijack()
        return reply.raw.writeHead(status, reason, fields.flat(2)).end(body)
      }
      reply.code(status)
      reply.raw.statusMessage = reason
      for (const [name, values] of fields) reply.header(name, values.length === 1 ? values[0] : values)
      // To a Buffer Fastify gives a length, also where the suite's origin has named a transfer coding.
      return reply.send(body === null ? undefined : Readable.from([body]))
    },
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { port: (app.server.address() as AddressInfo).port, close: () => app.close() }
}
