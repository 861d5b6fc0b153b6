// Express 5 awaits its handlers.
// oxlint-disable oxc/no-async-endpoint-handlers
import { cacheback } from '@cacheback/express'
import { createCacheback } from '@cacheback/core'
import { announce, createSite, explainListenError, onShutdown, readSettings } from '@cacheback/example-site'
import type { Answer } from '@cacheback/example-site'
import express from 'express'
import type { Response } from 'express'

const settings = readSettings()
const { maxAge, staleWhileRevalidate } = settings
const site = createSite()
const app = express()
const cache = createCacheback({ staleWhileRevalidate })

app.disable('x-powered-by')
// No stack traces in error pages.
app.set('env', 'production')
// Covers every GET route below that has a lifetime: a `maxAge` here, or a Cache-Control of its own.
app.use(cacheback(cache))

app.get('/', cacheback(cache, { maxAge, query: false }), async (_request, response) => {
  send(response, await site.home())
})

// The page that takes hundreds of milliseconds. A scoped name may have its slash as it is: @keyv/redis
app.get('/packages{/:scope}/:name', cacheback(cache, { maxAge }), async (request, response) => {
  send(response, await site.readme(nameOf(request.params)))
})

app.get('/api/packages{/:scope}/:name', cacheback(cache, { maxAge }), async (request, response) => {
  send(response, await site.facts(nameOf(request.params)))
})

// Two parameters make the page; any other is kept from the key and from the handler. Its `Vary` does the rest.
app.get('/search', cacheback(cache, { maxAge, query: ['q', 'page'] }), async (request, response) => {
  send(response, await site.search(request.query, request.headers['accept-language']))
})

// Asked to cache even this one, the cache does not: the request has a cookie, and the response is private.
app.get('/me', cacheback(cache, { maxAge }), async (request, response) => {
  send(response, await site.me(request.headers.cookie))
})

const server = app.listen(settings.port, settings.host, (error) => {
  if (error) explainListenError(error, settings)
  else announce('Express', server.address(), cache, site, settings)
})

// Whoever runs the process may purge; nobody can over HTTP.
process.on('SIGUSR2', () => void cache.purge({ prefix: '/packages/' }))
// First the visitors, then the cache.
onShutdown(() => void server.close(() => void cache.close()))

function nameOf({ scope, name = '' }: { scope?: string; name?: string }): string {
  return scope === undefined ? name : `${scope}/${name}`
}

function send(response: Response, { status, headers, body }: Answer): void {
  response.status(status).set(headers).send(body)
}
