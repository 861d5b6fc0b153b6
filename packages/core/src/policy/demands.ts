import type { IncomingHttpHeaders } from 'node:http'

import type { Rules } from '../settings.ts'
import { type Directives, directiveMs, parseCacheControl } from './cache-control.ts'
import type { Decision } from './decide.ts'
import { directivesOf } from './directives.ts'
import type { FieldLines } from './fields.ts'
import { type Freshness, currentAge } from './freshness.ts'

/** What a client asks of caches on the way (RFC 9111 §5.2.1); read only where the route allows it. */
export interface Demands {
  readonly noStore: boolean
  readonly onlyIfCached: boolean
  readonly directives: Directives
}

/** The demands of a request, or undefined where it makes none. Pragma counts in the absence of Cache-Control (§5.4). */
export function readDemands(headers: IncomingHttpHeaders): Demands | undefined {
  const value = headers['cache-control'] ?? (isPragmaNoCache(headers) ? 'no-cache' : undefined)
  if (value === undefined) return undefined
  const directives = parseCacheControl([value])
  return { noStore: directives.has('no-store'), onlyIfCached: directives.has('only-if-cached'), directives }
}

/** Pragma says one thing only. */
const isPragmaNoCache = ({ pragma }: IncomingHttpHeaders): boolean =>
  pragma !== undefined && parseCacheControl([pragma]).has('no-cache')

/** Whether a stored response, of which `decide` has said this, is one that the client takes. */
export function meets(
  { directives }: Demands,
  decision: Decision,
  stored: { readonly freshness: Freshness; readonly fields: FieldLines },
  now: number,
  rules: Rules,
): boolean {
  if (directives.has('no-cache')) return false
  const { freshness } = stored
  const maxAge = directiveMs(directives, 'max-age')
  if (maxAge !== undefined && currentAge(freshness, now) * 1000 > maxAge) return false
  if (freshness.freshUntil - now < (directiveMs(directives, 'min-fresh') ?? -Infinity)) return false
  if (decision === 'fresh') return true
  const argument = directives.get('max-stale')
  // Who names an age wants nothing stale, unless he says so as well (§5.2.1.1).
  if (argument === undefined) return decision === 'stale' && maxAge === undefined
  const isTooStale = argument !== '' && now - freshness.freshUntil > directiveMs(directives, 'max-stale')!
  // Beyond our own windows max-stale lifts no ban (§5.2.2.2, §5.2.2.4, §5.2.2.8, §5.2.2.10).
  return !isTooStale && (decision === 'stale' || !isNeverStale(stored.fields, rules))
}

function isNeverStale(fields: FieldLines, rules: Rules): boolean {
  const { directives } = directivesOf(fields, rules)
  return ['must-revalidate', 'proxy-revalidate', 'no-cache', 's-maxage'].some((name) => directives.has(name))
}
