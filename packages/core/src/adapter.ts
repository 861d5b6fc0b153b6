/** What an adapter needs to fit a framework to the cache; see docs/how-it-works.md. */
export { cacheFrom } from './cacheback.ts'
/** What a queue has to tell the operator; see docs/workers.md. */
export { queueEvictionMessage, warnOnce } from './errors.ts'
export type { Outcome, Visit } from './node/visit.ts'

import type { ResponseCache } from './cacheback.ts'
import type { Outcome, Visit } from './node/visit.ts'
import type { RouteOptions } from './options.ts'
import type { Cacheback } from './types.ts'

/** Enters one layer of a cache with a visit. */
export type Layer = (visit: Visit) => Outcome | Promise<Outcome>

/** Makes a layer with a route's options; `false` keeps the cache out. Throws CachebackError for bad options. */
export function layerOf(cache: Cacheback, options?: RouteOptions | false): Layer {
  const { road } = cache as ResponseCache
  const route = road.routes.layer(options)
  return (visit) => road.enter(visit, route)
}
