import type { IncomingMessage, ServerResponse } from 'node:http'

import type { Cacheback, CachebackOptions, RouteOptions } from '@cacheback/core'
import { type Visit, cacheFrom, layerOf } from '@cacheback/core/adapter'

/** The part of a Koa context that the middleware uses. */
export interface KoaContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly originalUrl: string
  respond?: boolean | undefined
}

/** The middleware, with the cache behind it. */
export interface CachebackMiddleware {
  (ctx: KoaContext, next: () => Promise<unknown>): Promise<void>
  readonly cache: Cacheback
}

/**
 * Makes a caching middleware: `app.use(cacheback(cache))` for everything behind it,
 * `router.get(path, cacheback(cache, { maxAge: 10 }), handler)` for one route. The inner one rules.
 *
 * @param given A cache made with createCacheback(), or the options for one of its own.
 * @param routeOptions Replace the cache's for what lies behind this middleware; `false` keeps the cache out of it.
 * @throws CachebackError for bad options.
 */
export function cacheback(
  given: Cacheback | CachebackOptions = {},
  routeOptions?: RouteOptions | false,
): CachebackMiddleware {
  const cache = cacheFrom(given)
  const enter = layerOf(cache, routeOptions)
  const middleware = async (ctx: KoaContext, next: () => Promise<unknown>): Promise<void> => {
    const outcome = enter(new KoaVisit(ctx))
    if ((typeof outcome === 'string' ? outcome : await outcome) === 'proceed') await next()
  }
  return Object.assign(middleware, { cache })
}

class KoaVisit implements Visit {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly #ctx: KoaContext & { readonly _matchedRoute?: string | RegExp }

  constructor(ctx: KoaContext) {
    this.req = ctx.req
    this.res = ctx.res
    this.#ctx = ctx
  }

  get target(): string {
    return this.#ctx.originalUrl
  }

  get rewritten(): string | undefined {
    return this.req.url === this.target ? undefined : this.req.url
  }

  standing(): undefined {
    return undefined
  }

  /** What @koa/router matched. */
  route(): string | undefined {
    const route = this.#ctx._matchedRoute
    return route === undefined ? undefined : String(route)
  }

  take(): void {
    this.#ctx.respond = false
  }
}
