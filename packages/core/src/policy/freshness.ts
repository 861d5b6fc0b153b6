import type { Rules } from '../settings.ts'
import { type Directives, directiveMs } from './cache-control.ts'
import type { CacheDirectives } from './directives.ts'
import { type FieldLines, valueOf, valuesOf } from './fields.ts'
import { parseHttpDate } from './http-date.ts'

/** When a response came about, in milliseconds of the wall clock. */
export interface Exchange {
  /** When the render began (RFC 9111 §4.2.3 request_time). */
  readonly requestedAt: number
  /** When its head was there (response_time). */
  readonly receivedAt: number
}

/** The times of a stored response, all absolute milliseconds. */
export interface Freshness {
  /** The moment at which its age was 0. */
  readonly bornAt: number
  readonly freshUntil: number
  /** Until when it may be served stale while it is refreshed (RFC 5861 §3). */
  readonly staleUntil: number
  /** Until when it may stand in for a failing render (RFC 5861 §4). */
  readonly errorUntil: number
}

/** How long a response is fresh, and whether nobody has said so (RFC 9111 §4.2.2). */
export interface Lifetime {
  readonly ms: number
  readonly isHeuristic: boolean
}

/** Ages at or beyond this are as good as infinite (RFC 9111 §1.2.2). */
const MAX_AGE_SECONDS = 2 ** 31

/** Statuses whose responses may be given a lifetime that they do not name (RFC 9110 §15.1). */
const HEURISTIC_STATUSES = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])

/**
 * The freshness lifetime (RFC 9111 §4.2.1): s-maxage, max-age, Expires − Date; then, for a 200 alone,
 * the route's `maxAge`; then a heuristic one. Undefined where nothing says anything.
 */
export function freshnessLifetime(
  status: number,
  fields: FieldLines,
  given: CacheDirectives,
  rules: Rules,
  receivedAt: number,
): Lifetime | undefined {
  const ms = explicitLifetimeMs(fields, given, receivedAt) ?? (status === 200 ? rules.maxAgeMs : undefined)
  if (ms !== undefined) return { ms, isHeuristic: false }
  const guess = rules.heuristic ? heuristicLifetimeMs(status, fields, given.directives, receivedAt) : undefined
  return guess === undefined ? undefined : { ms: guess, isHeuristic: true }
}

function explicitLifetimeMs(
  fields: FieldLines,
  { directives, isTargeted }: CacheDirectives,
  receivedAt: number,
): number | undefined {
  // To be validated before every use (§5.2.2.4) is to be fresh for no time at all.
  if (directives.has('no-cache')) return 0
  const explicit = directiveMs(directives, 's-maxage') ?? directiveMs(directives, 'max-age')
  if (explicit !== undefined) return explicit
  const expires = isTargeted ? [] : valuesOf(fields, 'expires')
  if (expires.length > 0) {
    // Several Expires, or one that is no date, mean expired (§5.3).
    const at = expires.length === 1 ? parseHttpDate(expires[0]!, receivedAt) : undefined
    return at === undefined ? 0 : Math.max(0, at - dateOf(fields, receivedAt))
  }
  return undefined
}

/** A tenth of the time since the last modification (RFC 9111 §4.2.2). */
function heuristicLifetimeMs(
  status: number,
  fields: FieldLines,
  directives: Directives,
  receivedAt: number,
): number | undefined {
  if (!HEURISTIC_STATUSES.has(status) && !directives.has('public')) return undefined
  const lastModified = valueOf(fields, 'last-modified')
  const modifiedAt = lastModified === undefined ? undefined : parseHttpDate(lastModified, receivedAt)
  return modifiedAt === undefined ? undefined : Math.max(0, (dateOf(fields, receivedAt) - modifiedAt) / 10)
}

/** RFC 9111 §4.2.3, with our own stale windows laid on top. */
export function freshnessOf(
  status: number,
  fields: FieldLines,
  directives: Directives,
  rules: Rules,
  exchange: Exchange,
  namedLifetimeMs: number,
): Freshness {
  const lifetimeMs = isError(status) ? Math.min(namedLifetimeMs, MAX_ERROR_LIFETIME_MS) : namedLifetimeMs
  const bornAt = birthOf(fields, exchange)
  const freshUntil = bornAt + lifetimeMs
  const windows = isError(status) ? NO_WINDOWS : staleWindowsMs(directives, rules)
  return { bornAt, freshUntil, staleUntil: freshUntil + windows.revalidate, errorUntil: freshUntil + windows.error }
}

/** The moment at which its age was 0 (RFC 9111 §4.2.3). */
export function birthOf(fields: FieldLines, { requestedAt, receivedAt }: Exchange): number {
  const apparentAge = Math.max(0, receivedAt - dateOf(fields, receivedAt))
  const correctedAge = ageValueMs(fields) + Math.max(0, receivedAt - requestedAt)
  return receivedAt - Math.max(apparentAge, correctedAge)
}

/**
 * Responses that say that something went wrong, and not what there is: 404 and 410 are answers. An error handler often
 * sends the Cache-Control that was meant for the page, so even explicit freshness is not taken at its word.
 */
function isError(status: number): boolean {
  return status >= 400 && status !== 404 && status !== 410
}

const MAX_ERROR_LIFETIME_MS = 10_000
const NO_WINDOWS = { revalidate: 0, error: 0 }

/** The same lifetime, over so many milliseconds earlier; the windows behind it keep their length. */
export function shortened(freshness: Freshness, byMs: number): Freshness {
  const { bornAt, freshUntil, staleUntil, errorUntil } = freshness
  return { bornAt, freshUntil: freshUntil - byMs, staleUntil: staleUntil - byMs, errorUntil: errorUntil - byMs }
}

/** The same times by another clock. */
export function shifted(freshness: Freshness, byMs: number): Freshness {
  const { bornAt, freshUntil, staleUntil, errorUntil } = freshness
  return {
    bornAt: bornAt + byMs,
    freshUntil: freshUntil + byMs,
    staleUntil: staleUntil + byMs,
    errorUntil: errorUntil + byMs,
  }
}

/** Whether so much of the lifetime is over that the route wants a new response. */
export function isAhead({ bornAt, freshUntil }: Freshness, { refreshAhead }: Rules, now: number): boolean {
  return refreshAhead !== undefined && now >= bornAt + (freshUntil - bornAt) * refreshAhead
}

/** Whether anybody but the visitor for whom it was rendered may be served it. */
export function canBeShared({ freshUntil, staleUntil }: Freshness, now: number): boolean {
  return Math.max(freshUntil, staleUntil) > now
}

/** The current age in whole seconds (RFC 9111 §5.1). A clock that went back makes no negative ages. */
export function currentAge(freshness: Freshness, now: number): number {
  return Math.max(0, Math.floor((now - freshness.bornAt) / 1000))
}

/**
 * How long a response may be served beyond its lifetime. must-revalidate, proxy-revalidate and no-cache win over
 * everything. s-maxage implies proxy-revalidate (RFC 9111 §5.2.2.10) and so forbids the *configured* windows; a window
 * that the same response asks for by name is what its author means.
 */
function staleWindowsMs(directives: Directives, rules: Rules): { revalidate: number; error: number } {
  const forbidden = ['must-revalidate', 'proxy-revalidate', 'no-cache'].some((name) => directives.has(name))
  if (forbidden) return NO_WINDOWS
  const configured = !directives.has('s-maxage')
  return {
    revalidate: directiveMs(directives, 'stale-while-revalidate') ?? (configured ? rules.staleWhileRevalidateMs : 0),
    error: directiveMs(directives, 'stale-if-error') ?? (configured ? rules.staleIfErrorMs : 0),
  }
}

function dateOf(fields: FieldLines, receivedAt: number): number {
  const date = valueOf(fields, 'date')
  return (date === undefined ? undefined : parseHttpDate(date, receivedAt)) ?? receivedAt
}

/** The first member of Age, without parameters; what is no whole number is ignored (RFC 9111 §5.1). */
function ageValueMs(fields: FieldLines): number {
  const first = valueOf(fields, 'age')?.split(/[,;]/, 1)[0]?.trim()
  if (first === undefined || !/^\d+$/.test(first)) return 0
  return Math.min(Number(first), MAX_AGE_SECONDS) * 1000
}
