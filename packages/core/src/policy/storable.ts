import type { Rules } from '../settings.ts'
import type { Directives } from './cache-control.ts'
import { directivesOf } from './directives.ts'
import { type FieldLines, valueOf, valuesOf } from './fields.ts'
import { type Exchange, type Freshness, freshnessLifetime, freshnessOf } from './freshness.ts'
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
  /** Whether its lifetime is a guess (RFC 9111 §4.2.2). */
  readonly isHeuristic: boolean
  /** Until when it is kept, if only to be validated. */
  readonly keepUntil: number
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
  const cacheDirectives = directivesOf(fields, rules)
  const { directives } = cacheDirectives
  const forbidden = ban(directives, status)
  if (forbidden !== undefined) return { reason: forbidden }
  const authorized = allowsAuthorization(directives)
  if (exchange.authorized && !authorized) return { reason: 'authorization' }
  const stream = streamingType(fields)
  if (stream !== undefined) return { reason: stream }
  const vary = readVary(fields, rules)
  if ('reason' in vary) return vary
  const lifetime = freshnessLifetime(status, fields, cacheDirectives, rules, exchange.receivedAt)
  if (lifetime === undefined) return { reason: 'no-freshness' }
  const freshness = freshnessOf(status, fields, directives, rules, exchange, lifetime.ms)
  // It counts from the moment of storing: freshness may have ended long before.
  const usableUntil = Math.max(exchange.receivedAt, freshness.staleUntil, freshness.errorUntil)
  // What can no more be served may still be validated, where the app has given it a validator.
  const keepMs = hasValidator(fields) ? rules.keepMs : 0
  if (usableUntil + keepMs <= exchange.receivedAt) {
    return { reason: directives.has('no-cache') ? 'no-cache' : 'expired' }
  }
  return { freshness, vary: vary.names, authorized, isHeuristic: lifetime.isHeuristic, keepUntil: usableUntil + keepMs }
}

/** Whether a response can be asked for again by condition (RFC 9110 §8.8). */
export function hasValidator(fields: FieldLines): boolean {
  return valueOf(fields, 'etag') !== undefined || valueOf(fields, 'last-modified') !== undefined
}

/** Statuses that we handle as their definition asks, so that must-understand overrules no-store (RFC 9111 §5.2.2.3). */
const UNDERSTOOD = new Set([200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 500, 501, 502, 503, 504])

/** The directive that forbids storing, if one does. */
function ban(directives: Directives, status: number): string | undefined {
  if (directives.has('private')) return 'private'
  if (directives.has('must-understand')) return UNDERSTOOD.has(status) ? undefined : 'must-understand'
  return directives.has('no-store') ? 'no-store' : undefined
}

/**
 * What only the layers outside the cache have added to a head, seen after it was written: a session's cookie, a ban.
 * Returns the reason why the response cannot be stored after all.
 */
export function forbiddenOutside(fields: FieldLines, status: number, rules: Rules): string | undefined {
  if (valueOf(fields, 'set-cookie') !== undefined) return 'set-cookie'
  const forbidden = ban(directivesOf(fields, rules).directives, status)
  if (forbidden !== undefined) return forbidden
  return valuesOf(fields, 'vary').some(isAny) ? 'vary-any' : undefined
}

const isAny = (vary: string): boolean => vary.includes('*') && vary.split(',').some((name) => name.trim() === '*')

/** The lines of a head that can forbid it: name and value. */
export function rulingLines({ targetedCacheControl }: Rules): RegExp {
  let lines = ruling.get(targetedCacheControl)
  if (lines === undefined) {
    const names = ['set-cookie', 'cache-control', 'vary', ...targetedCacheControl]
    const escaped = names.map((name) => name.replaceAll(/[^a-z0-9-]/g, String.raw`\$&`))
    lines = new RegExp(String.raw`^(${escaped.join('|')}):([^\r\n]*)`, 'gim')
    ruling.set(targetedCacheControl, lines)
  }
  return lines
}

const ruling = new WeakMap<readonly string[], RegExp>()

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
