import type { IncomingHttpHeaders } from 'node:http'

import { type Directives, directiveMs, parseCacheControl } from './cache-control.ts'
import type { Decision } from './decide.ts'
import { type FieldLines, valuesOf } from './fields.ts'
import { type Freshness, currentAge } from './freshness.ts'

/** What a client asks of caches on the way (RFC 9111 §5.2.1); read only where the route allows it. */
export interface Demands {
  readonly noStore: boolean
  readonly onlyIfCached: boolean
  readonly directives: Directives
}

/** The demands of a request, or undefined where it makes none. Pragma counts in the absence of Cache-Control (§5.4). */
export function readDemands(headers: IncomingHttpHeaders): Demands | undefined {
  const value = headers['cache-control'] ?? headers.pragma
  if (value === undefined) return undefined
  const directives = parseCacheControl([value])
  return { noStore: directives.has('no-store'), onlyIfCached: directives.has('only-if-cached'), directives }
}

/** Whether a stored response, of which `decide` has said this, is one that the client takes. */
export function meets(
  { directives }: Demands,
  decision: Decision,
  stored: { readonly freshness: Freshness; readonly fields: FieldLines },
  now: number,
): boolean {
  if (directives.has('no-cache')) return false
  const { freshness } = stored
  const maxAge = directiveMs(directives, 'max-age')
  if (maxAge !== undefined && currentAge(freshness, now) * 1000 > maxAge) return false
  if (freshness.freshUntil - now < (directiveMs(directives, 'min-fresh') ?? -Infinity)) return false
  if (decision === 'fresh' || decision === 'stale') return true
  // max-stale without a value takes any age, and never lifts a ban (§5.2.2.2, §5.2.2.4, §5.2.2.8, §5.2.2.10).
  const argument = directives.get('max-stale')
  if (argument === undefined || isNeverStale(stored.fields)) return false
  return argument === '' || now - freshness.freshUntil <= directiveMs(directives, 'max-stale')!
}

function isNeverStale(fields: FieldLines): boolean {
  const directives = parseCacheControl(valuesOf(fields, 'cache-control'))
  return ['must-revalidate', 'proxy-revalidate', 'no-cache', 's-maxage'].some((name) => directives.has(name))
}
