import { type Cacheback, type CachebackOptions, createCacheback } from '@cacheback/core'
import { Keyv } from 'keyv'
import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage, OutgoingHttpHeaders, Server, ServerResponse } from 'node:http'
import type { AppInput, Framework, Middleware, Native } from '../../support/app.ts'
import { type Client, makeClient } from '../../support/client.ts'
import { ROUTES, type RouteName } from './rules.ts'
import type { Rendering, World } from './world.ts'

/** In whose name a handler runs. One for all apps: before Node 24 each makes every promise a little slower. */
const visitors = new AsyncLocalStorage<string>()

/** One running app. */
export interface Site {
  readonly server: Server
  readonly client: Client
  readonly close: () => Promise<void>
}

export interface CachedSite extends Site {
  readonly cache: Cacheback
}

/** The app with a cache of its own, as the setup of the world wants it. */
export async function startCached(framework: Framework, world: World): Promise<CachedSite> {
  const cache = createCacheback(optionsOf(world))
  const site = await start(framework, () => world, world.setup.trustProxy, cache)
  cache.attach(site.server)
  const close = async (): Promise<void> => {
    await site.close()
    await cache.close()
  }
  return { ...site, cache, close }
}

/** The same app without it. It outlives many worlds. */
export function startUncached(framework: Framework, world: () => World, trustProxy: boolean): Promise<Site> {
  return start(framework, world, trustProxy)
}

function optionsOf({ setup, clock }: World): CachebackOptions {
  const store = new Keyv({ store: new Map() })
  return {
    ...setup.app,
    ...(setup.store === 'memory' ? {} : { store }),
    ...(setup.store === 'keyv' ? { memory: false } : {}),
    now: () => clock.now,
    monotonicNow: () => clock.monotonic,
    // A busy machine is no slow store.
    storeTimeoutMs: { get: 5000, set: 5000 },
  }
}

async function start(framework: Framework, world: () => World, trustProxy: boolean, cache?: Cacheback): Promise<Site> {
  const parsed = new WeakMap<IncomingMessage, unknown>()
  const render: AppInput['render'] = async (path, _route, exchange) => {
    const content = await contentOf(exchange, parsed)
    return world().render(path as RouteName, exchange, content, visitors.getStore())
  }
  const setup = cache === undefined ? undefined : world().setup
  const methods = ['GET', 'POST', 'PUT', 'DELETE', 'QUERY', 'OPTIONS']
  const routes = Object.entries(ROUTES).map(([path, slot]) => {
    const options = slot === undefined ? undefined : setup?.[slot]
    return [path, { methods, cacheback: options, answer: [] }] as const
  })
  const app = await framework.start({
    ...(cache === undefined ? {} : { cache, inFront: world().setup.isInFront }),
    trustProxy,
    routes: Object.fromEntries(routes),
    outside: outsideOf(world),
    after: parsersOf(parsed),
    visitors,
    render,
  })
  // A connection that is idle while something else is tried out is kept.
  app.server.keepAliveTimeout = 0
  const client = makeClient(app.server)
  const close = async (): Promise<void> => {
    client.close()
    await app.close()
  }
  return { server: app.server, client, close }
}

/** Fastify reads the content of a request before its handler runs. */
const parsersOf = (parsed: WeakMap<IncomingMessage, unknown>): Native => ({
  fastify(app) {
    app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
    app.addHook('preHandler', (request, _reply, done) => {
      if (request.body !== undefined) parsed.set(request.raw, request.body)
      done()
    })
  },
})

async function contentOf({ req }: Rendering, parsed: WeakMap<IncomingMessage, unknown>): Promise<string> {
  if (parsed.has(req)) return String(parsed.get(req))
  if (Number(req.headers['content-length'] ?? 0) === 0) return ''
  const pieces: Buffer[] = []
  for await (const piece of req) pieces.push(piece as Buffer)
  return Buffer.concat(pieces).toString()
}

/** A layer outside the cache: it knows the visitor, and it may change its mind when the head is written. */
const outsideOf =
  (world: () => World): Middleware =>
  ({ req, res, set }) => {
    const { outer } = world().setup
    const visit = req.headers['x-visit']
    if (outer === 'standing' && typeof visit === 'string') set('x-outer', visit)
    const hasSession = outer === 'rolling' && typeof visit === 'string' && req.headers.cookie?.includes('session=')
    const writeHead = res.writeHead.bind(res) as (status: number, ...rest: unknown[]) => ServerResponse
    res.writeHead = (status: number, ...rest: unknown[]) => {
      const late = world().lateOf(res)
      if (late === 'nothing' && hasSession !== true) return writeHead(status, ...rest)
      settle(res, rest.at(-1))
      if (hasSession === true) res.appendHeader('set-cookie', `rolling=${visit}`)
      if (late === 'set-cookie') res.appendHeader('set-cookie', `late=${String(visit ?? 'nobody')}`)
      if (late === 'private' || late === 'no-store') res.setHeader('cache-control', `max-age=60, ${late}`)
      if (late === 'vary') res.setHeader('vary', '*')
      return writeHead(status, ...(typeof rest[0] === 'string' ? [rest[0]] : []))
    }
  }

/** Sets the fields that were given to writeHead, in any of its forms, so that others can be laid over them. */
function settle(res: ServerResponse, given: unknown): void {
  if (typeof given !== 'object' || given === null) return
  const lines = Array.isArray(given) ? pairsOf(given) : Object.entries(given as OutgoingHttpHeaders)
  for (const [name] of lines) res.removeHeader(name)
  for (const [name, value] of lines) res.appendHeader(name, value as string | string[])
}

const pairsOf = (flat: readonly unknown[]): [string, unknown][] =>
  flat.flatMap((name, i) => (i % 2 === 0 ? [[String(name), flat[i + 1]]] : []))
