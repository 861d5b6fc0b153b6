import { cachebackPlugin } from '@cacheback/fastify'
import { announce, createSite, explainListenError, onShutdown, readSettings } from '@cacheback/example-site'
import type { Answer } from '@cacheback/example-site'
import Fastify from 'fastify'
import type { FastifyReply } from 'fastify'

const settings = readSettings()
const { maxAge, staleWhileRevalidate } = settings
const site = createSite()
const app = Fastify()

// Covers every GET route below that has a lifetime: a `maxAge` here, or a Cache-Control of its own.
await app.register(cachebackPlugin, { staleWhileRevalidate })

app.get('/', { config: { cacheback: { maxAge, query: false } } }, async (_request, reply) => {
  return send(reply, await site.home())
})

// The page that takes hundreds of milliseconds. Scoped names have a slash, hence the two routes.
for (const name of [':name', ':scope/:name']) {
  app.get<PackageRoute>(`/packages/${name}`, { config: { cacheback: { maxAge } } }, async (request, reply) => {
    return send(reply, await site.readme(nameOf(request.params)))
  })

  app.get<PackageRoute>(`/api/packages/${name}`, { config: { cacheback: { maxAge } } }, async (request, reply) => {
    return send(reply, await site.facts(nameOf(request.params)))
  })
}

// Two parameters make the page; any other is kept from the key and from the handler. Its `Vary` does the rest.
app.get<{ Querystring: { q?: unknown; page?: unknown } }>(
  '/search',
  { config: { cacheback: { maxAge, query: ['q', 'page'] } } },
  async (request, reply) => send(reply, await site.search(request.query, request.headers['accept-language'])),
)

// Asked to cache even this one, the cache does not: the request has a cookie, and the response is private.
app.get('/me', { config: { cacheback: { maxAge } } }, async (request, reply) => {
  return send(reply, await site.me(request.headers.cookie))
})

// Whoever runs the process may purge; nobody can over HTTP.
process.on('SIGUSR2', () => void app.cacheback.purge({ prefix: '/packages/' }))
// Fastify ends the cache with the app.
onShutdown(() => void app.close())

try {
  await app.listen(settings)
  announce('Fastify', app.server.address(), app.cacheback, site, settings)
} catch (error) {
  explainListenError(error, settings)
}

type PackageRoute = { Params: { scope?: string; name: string } }

function nameOf({ scope, name }: PackageRoute['Params']): string {
  return scope === undefined ? name : `${scope}/${name}`
}

function send(reply: FastifyReply, { status, headers, body }: Answer): FastifyReply {
  return reply.code(status).headers(headers).send(body)
}
