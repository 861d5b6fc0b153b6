import { recordsOf } from '../engine/records.ts'
import { type RouteOptions } from '../options.ts'
import type { RequestHead } from '../policy/fields.ts'
import { type Rules, checkRouteOptions, resolveRules } from '../settings.ts'

/**
 * One layer of the cache, laid over those that a request has entered before it: each option of an inner layer replaces
 * the outer's, none merges. `false`: the cache keeps out.
 */
export interface Route {
  readonly rules: Rules | false
  /** The options of its layers, outermost first. */
  readonly options: readonly RouteOptions[]
  /** What this layer lies over. */
  readonly outer: Route | undefined
}

/** Knows the layers, and which path is ruled by which. */
export class Routes {
  /** The cache's own options, for paths of which nothing else is known. */
  readonly base: Route & { readonly rules: Rules }
  readonly #base: RouteOptions
  readonly #laid = new WeakMap<Route, WeakMap<Route, Route>>()
  /** Paths that an inner layer has taken over, so that the outermost can look up by its rules the next time. */
  readonly #records = recordsOf<Route>()

  constructor(base: RouteOptions) {
    this.#base = base
    this.base = { rules: resolveRules([base]), options: [], outer: undefined }
  }

  /** Makes a layer; throws CachebackError for bad options. */
  layer(options: RouteOptions | false = {}): Route {
    if (options === false) return { rules: false, options: [], outer: this.base }
    checkRouteOptions(options)
    if (Object.keys(options).length === 0) return this.base
    return { rules: resolveRules([this.#base, options]), options: [options], outer: this.base }
  }

  /** The inner layer over the outer; the same two always give the same route. */
  lay(outer: Route, inner: Route): Route {
    // A layer that says nothing changes nothing.
    if (inner === this.base) return outer
    // Over the cache's own options alone it is what it was made as: the same, whichever layers there are before it.
    if (outer === this.base) return inner
    const known = this.#laid.get(outer)?.get(inner)
    if (known !== undefined) return known
    const options = [...outer.options, ...inner.options]
    const rules = inner.rules === false ? false : resolveRules([this.#base, ...options])
    const route: Route = { rules, options, outer }
    const laid = this.#laid.get(outer) ?? new WeakMap<Route, Route>()
    this.#laid.set(outer, laid.set(inner, route))
    return route
  }

  /** The route by which a path was answered when it was last seen. */
  recorded(host: string, path: string): Route | undefined {
    return this.#records.size === 0 ? undefined : this.#records.get(placeOf(host, path))
  }

  record(host: string, path: string, route: Route): void {
    this.#records.set(placeOf(host, path), route)
  }

  forget(host: string, path: string): void {
    this.#records.delete(placeOf(host, path))
  }
}

/** Whether a route, from which a request set out, still may turn out to be the right one after these layers. */
export function liesOver(route: Route, entered: Route): boolean {
  for (let at: Route | undefined = route; at !== undefined; at = at.outer) {
    if (at === entered) return true
  }
  return false
}

/** No header and no path holds a line break, so no other pair has the same place. */
const placeOf = (host: string, path: string): string => `${host}\n${path}`

/** The host of a request as it was sent; '' where it names none. */
export const hostOf = ({ headers }: RequestHead): string => headers.host ?? ''

/** The path of a request as it was sent. */
export function pathOf({ target }: RequestHead): string {
  const mark = target.indexOf('?')
  return mark === -1 ? target : target.slice(0, mark)
}
