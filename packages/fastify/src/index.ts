import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'

import {
  type Cacheback,
  type CachebackOptions,
  CachebackError,
  type RouteOptions as CacheRouteOptions,
} from '@cacheback/core'
import { type Layer, type Visit, cacheFrom, layerOf } from '@cacheback/core/adapter'
import type { FastifyContextConfig, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyInstance {
    /** The response cache of this app. */
    cacheback: Cacheback
  }
  interface FastifyContextConfig {
    /** Options of this route, which replace the plugin's; `false` keeps the cache out of it. */
    cacheback?: (CacheRouteOptions & object) | false
  }
}

/** Options of the plugin: those of a cache, or a cache that exists already and options for all routes. */
export type CachebackPluginOptions = (CachebackOptions | ({ cache: Cacheback } & CacheRouteOptions)) & {
  /** Where the cache sits: 'onRequest', before all else, or 'preHandler', behind authentication in hooks. Default: 'onRequest'. */
  hook?: 'onRequest' | 'preHandler' | undefined
}

/** How many registrations a cache has: the last one to close ends it. */
const users = new WeakMap<Cacheback, number>()

const HOOKS = ['onRequest', 'preHandler']

// Async, so that what is wrong with the options rejects register() instead of ending the process.
const plugin: FastifyPluginAsync<CachebackPluginOptions> = async (app, options) => {
  const { hook = 'onRequest', ...rest } = options
  if (!HOOKS.includes(hook)) {
    throw new CachebackError(
      'CACHEBACK_INVALID_OPTION',
      `Option hook is ${JSON.stringify(hook)}.`,
      `It must be one of ${HOOKS.join(', ')}.`,
    )
  }
  const { cache, routeDefaults } = cacheOf(rest)
  const layers = new Map<CacheRouteOptions | false | undefined, Layer>()
  const layerFor = (config: CacheRouteOptions | false | undefined): Layer => {
    const known = layers.get(config)
    if (known !== undefined) return known
    const layer = layerOf(cache, config === false ? false : { ...routeDefaults, ...config })
    layers.set(config, layer)
    return layer
  }

  if (!app.hasDecorator('cacheback')) app.decorate('cacheback', cache)
  // Bad options of a route throw when the route is declared.
  app.addHook('onRoute', (route) => void layerFor(route.config?.cacheback))
  app.addHook(hook, (request: FastifyRequest, reply: FastifyReply, next: () => void) => {
    const outcome = layerFor(configOf(request))(new FastifyVisit(request, reply))
    if (outcome === 'proceed') next()
    else if (outcome !== 'answered') void outcome.then((settled) => settled === 'proceed' && process.nextTick(next))
  })
  cache.attach(app.server)
  users.set(cache, (users.get(cache) ?? 0) + 1)
  app.addHook('onClose', async () => {
    const left = (users.get(cache) ?? 1) - 1
    users.set(cache, left)
    if (left === 0) await cache.close()
  })
}

/** Fastify plugin: `app.register(cachebackPlugin, { staleWhileRevalidate: 60 })`. Decorates `app.cacheback`; closes with the app. */
export const cachebackPlugin: FastifyPluginAsync<CachebackPluginOptions> = fp(plugin, {
  fastify: '5.x',
  name: '@cacheback/fastify',
})

export default cachebackPlugin

/** Where no route matches there may be no config. */
function configOf(request: FastifyRequest): CacheRouteOptions | false | undefined {
  const config: FastifyContextConfig | undefined = request.routeOptions.config
  return config?.cacheback
}

function cacheOf(options: CachebackOptions | ({ cache: Cacheback } & CacheRouteOptions)): {
  cache: Cacheback
  routeDefaults: CacheRouteOptions
} {
  if (!('cache' in options)) return { cache: cacheFrom(options), routeDefaults: {} }
  const { cache, ...routeDefaults } = options
  return { cache, routeDefaults }
}

class FastifyVisit implements Visit {
  readonly req: IncomingMessage & { readonly originalUrl?: string }
  readonly res: ServerResponse
  readonly #request: FastifyRequest
  readonly #reply: FastifyReply

  constructor(request: FastifyRequest, reply: FastifyReply) {
    this.req = request.raw
    this.res = reply.raw
    this.#request = request
    this.#reply = reply
  }

  get target(): string {
    return this.req.originalUrl ?? this.req.url ?? ''
  }

  get rewritten(): string | undefined {
    return this.req.url === this.target ? undefined : this.req.url
  }

  standing(): OutgoingHttpHeaders {
    return this.#reply.getHeaders() as OutgoingHttpHeaders
  }

  route(): string | undefined {
    return this.#request.routeOptions.url
  }

  /** What hooks have set on the reply would be lost with it: it goes onto the wire with the cache's answer. */
  take(): void {
    const headers = this.#reply.getHeaders()
    for (const name in headers) {
      const value = headers[name]
      if (value !== undefined && !this.res.hasHeader(name)) this.res.setHeader(name, value)
    }
    this.#reply.hijack()
  }
}
