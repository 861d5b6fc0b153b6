import type { Rules } from '../settings.ts'
import { type Directives, parseCacheControl } from './cache-control.ts'
import { type FieldLines, valueOf, valuesOf } from './fields.ts'
import { type Exchange, type Freshness, freshnessLifetimeMs, freshnessOf } from './freshness.ts'
import { readVary } from './vary.ts'

/** A response's head as it is about to go onto the wire. */
export interface Head {
  readonly status: number
  /** The reason phrase, where it is not the usual one. */
  readonly reason: string | undefined
  readonly fields: FieldLines
}

/** What is known of a response that may be stored. */
export interface Storable {
  readonly freshness: Freshness
  /** The names of its selecting headers. */
  readonly vary: readonly string[]
  /** Whether it may answer, or be made from, a request with Authorization (RFC 9111 §3.5). */
  readonly authorized: boolean
}

/**
 * Judges a head: may a shared cache store this response (RFC 9111 §3), and for how long? Returns the reason why not.
 * Whatever is not understood is not stored.
 */
export function judge(
  head: Head,
  rules: Rules,
  exchange: Exchange & { readonly authorized: boolean },
): Storable | { readonly reason: string } {
  const { status, fields } = head
  // 206 is a part, 304 an answer about something else, 1xx no response yet.
  if (status < 200 || status > 599 || status === 206 || status === 304) return { reason: 'status' }
  if (valueOf(fields, 'set-cookie') !== undefined) return { reason: 'set-cookie' }
  const directives = parseCacheControl(valueOf(fields, 'cache-control') ?? '')
  const forbidden = ['no-store', 'private', 'no-cache'].find((name) => directives.has(name))
  if (forbidden !== undefined) return { reason: forbidden }
  const authorized = allowsAuthorization(directives)
  if (exchange.authorized && !authorized) return { reason: 'authorization' }
  if (valueOf(fields, 'content-range') !== undefined) return { reason: 'content-range' }
  const stream = streamingType(fields)
  if (stream !== undefined) return { reason: stream }
  const vary = readVary(fields, rules)
  if ('reason' in vary) return vary
  const lifetimeMs = freshnessLifetimeMs(status, fields, directives, rules, exchange.receivedAt)
  if (lifetimeMs === undefined) return { reason: 'no-freshness' }
  const freshness = freshnessOf(fields, directives, rules, exchange, lifetimeMs)
  if (Math.max(freshness.staleUntil, freshness.errorUntil) <= exchange.receivedAt) return { reason: 'expired' }
  return { freshness, vary: vary.names, authorized }
}

/**
 * What only the layers outside the cache have added to a head, seen after it was written: a session's cookie, a ban.
 * Returns the reason why the response cannot be stored after all.
 */
export function forbiddenOutside(fields: FieldLines): string | undefined {
  if (valueOf(fields, 'set-cookie') !== undefined) return 'set-cookie'
  const directives = parseCacheControl(valueOf(fields, 'cache-control') ?? '')
  const forbidden = ['no-store', 'private'].find((name) => directives.has(name))
  if (forbidden !== undefined) return forbidden
  return valuesOf(fields, 'vary').some((value) => value.split(',').some((name) => name.trim() === '*'))
    ? 'vary-any'
    : undefined
}

/** Statuses with which a refresh has failed: the app is ill or busy, the page is not gone. */
export function isFailure(status: number): boolean {
  return status >= 500 || status === 408 || status === 429
}

/** Statuses for which a stored response may stand in (RFC 5861 §4). */
export function mayStandInFor(status: number): boolean {
  return status === 500 || status === 502 || status === 503 || status === 504
}

function allowsAuthorization(directives: Directives): boolean {
  return directives.has('public') || directives.has('s-maxage') || directives.has('must-revalidate')
}

/** Responses that never end, or whose parts are meant for one client. */
function streamingType(fields: FieldLines): string | undefined {
  const type = valueOf(fields, 'content-type')?.trimStart().toLowerCase()
  if (type?.startsWith('text/event-stream') === true) return 'event-stream'
  if (type?.startsWith('multipart/x-mixed-replace') === true) return 'multipart-replace'
  return undefined
}
