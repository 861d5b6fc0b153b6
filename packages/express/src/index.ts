import type { IncomingMessage, ServerResponse } from 'node:http'

import type { Cacheback, CachebackOptions, RouteOptions } from '@cacheback/core'
import { type Visit, cacheFrom, layerOf } from '@cacheback/core/adapter'

/** The middleware, with the cache behind it. */
export interface CachebackMiddleware {
  (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void): void
  readonly cache: Cacheback
}

/** What Express adds to a request. */
interface ExpressRequest extends IncomingMessage {
  readonly originalUrl?: string
  readonly baseUrl?: string
  readonly route?: { readonly path?: string | RegExp | readonly (string | RegExp)[] }
}

/**
 * Makes a caching middleware: `app.use(cacheback(cache))` for everything behind it,
 * `app.get(path, cacheback(cache, { maxAge: 10 }), handler)` for one route. The inner one rules.
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
  const middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void): void => {
    const outcome = enter(new ExpressVisit(req, res))
    if (outcome === 'proceed') next()
    else if (outcome !== 'answered') void outcome.then((settled) => settled === 'proceed' && process.nextTick(next))
  }
  return Object.assign(middleware, { cache })
}

class ExpressVisit implements Visit {
  readonly req: ExpressRequest
  readonly res: ServerResponse

  constructor(req: ExpressRequest, res: ServerResponse) {
    this.req = req
    this.res = res
  }

  get target(): string {
    return this.req.originalUrl ?? this.req.url ?? ''
  }

  /** Mounting moves a part of `url` into `baseUrl`, a bare `/` included; what differs beyond that was rewritten. */
  get rewritten(): string | undefined {
    const { baseUrl = '', url = '' } = this.req
    const seen = baseUrl + url
    const { target } = this
    if (seen === target || (baseUrl !== '' && url.startsWith('/') && baseUrl + url.slice(1) === target))
      return undefined
    return seen
  }

  standing(): undefined {
    return undefined
  }

  route(): string | undefined {
    const path = this.req.route?.path
    return path === undefined ? undefined : `${this.req.baseUrl ?? ''}${String(path)}`
  }

  take(): void {
    // Express does nothing after a middleware that does not call next.
  }
}
