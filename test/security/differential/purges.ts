import type { Selector } from '@cacheback/core'
import type { RouteOptions } from '@cacheback/core'
import { forwardedOrigin, pathOf, queryOf } from './key.ts'
import type { Moment, Render } from './world.ts'

/** A purge, or what an unsafe request has made of one. */
export interface Purge {
  readonly selector: Selector
  readonly soft: boolean
  /** What was rendered before this is meant by it. */
  readonly calledAt: Moment
  /** Who asks from then on must not meet it. */
  readonly heldFrom: Moment
}

/** Whether a purge means what a render has brought. */
export function isMeant({ selector }: Purge, { seen, behaviour }: Render, rules: RouteOptions): boolean {
  if ('all' in selector) return true
  if ('route' in selector) return seen.route === selector.route
  if ('tag' in selector) return (behaviour.tag ?? '').split(', ').includes(selector.tag)
  const whole = 'url' in selector ? selector.url : selector.prefix
  const [, host, rest] = /^http:\/\/([^/]+)(.*)$/.exec(whole) ?? [undefined, undefined, whole]
  if (host !== undefined && !hostsOf(seen.headers).includes(host.toLowerCase())) return false
  const place = pathOf(seen.url) + queryOf(seen.url, rules)
  return 'url' in selector ? place === pathOf(rest) + queryOf(rest, rules) : place.startsWith(rest)
}

/** As sent, and as forwarded. */
function hostsOf(headers: Readonly<Record<string, string>>): string[] {
  const forwarded = /host=([^;]+)/.exec(forwardedOrigin(headers['forwarded']))?.[1]
  return [headers['host'], headers['x-forwarded-host'], forwarded].flatMap((host) => host?.toLowerCase() ?? [])
}
