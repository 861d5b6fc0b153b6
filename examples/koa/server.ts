import { createCacheback } from '@cacheback/core'
import { announce, createSite, explainListenError, onShutdown, readSettings } from '@cacheback/example-site'
import type { Answer } from '@cacheback/example-site'
import { cacheback } from '@cacheback/koa'
import { Router } from '@koa/router'
import Koa from 'koa'
import type { Context } from 'koa'

const settings = readSettings()
const { maxAge, staleWhileRevalidate } = settings
const site = createSite()
const app = new Koa()
const router = new Router()
const cache = createCacheback({ staleWhileRevalidate })

// Covers every GET route below that has a lifetime: a `maxAge` here, or a Cache-Control of its own.
app.use(cacheback(cache))

router.get('/', cacheback(cache, { maxAge, query: false }), async (ctx) => {
  send(ctx, await site.home())
})

// The page that takes hundreds of milliseconds. A scoped name may have its slash as it is: @keyv/redis
router.get('/packages{/:scope}/:name', cacheback(cache, { maxAge }), async (ctx) => {
  send(ctx, await site.readme(nameOf(ctx.params)))
})

router.get('/api/packages{/:scope}/:name', cacheback(cache, { maxAge }), async (ctx) => {
  send(ctx, await site.facts(nameOf(ctx.params)))
})

// Two parameters make the page; any other is kept from the key and from the handler. Its `Vary` does the rest.
router.get('/search', cacheback(cache, { maxAge, query: ['q', 'page'] }), async (ctx) => {
  send(ctx, await site.search(ctx.query, ctx.get('Accept-Language')))
})

// Asked to cache even this one, the cache does not: the request has a cookie, and the response is private.
router.get('/me', cacheback(cache, { maxAge }), async (ctx) => {
  send(ctx, await site.me(ctx.get('Cookie')))
})

app.use(router.routes())

const server = app.listen(settings.port, settings.host, () => {
  announce('Koa', server.address(), cache, site, settings)
})
server.on('error', (error) => explainListenError(error, settings))

// Whoever runs the process may purge; nobody can over HTTP.
process.on('SIGUSR2', () => void cache.purge({ prefix: '/packages/' }))
// First the visitors, then the cache.
onShutdown(() => void server.close(() => void cache.close()))

function nameOf({ scope, name = '' }: Record<string, string | undefined>): string {
  return scope === undefined ? name : `${scope}/${name}`
}

function send(ctx: Context, { status, headers, body }: Answer): void {
  ctx.status = status
  ctx.set(headers)
  ctx.body = body
}
