import { createHash } from 'node:crypto'

import type { Rules } from '../settings.ts'
import { type CookieReading, readCookies } from './cookies.ts'
import { type RequestHead, requestValue } from './fields.ts'
import { originFields } from './origin.ts'
import { hidesQuery, keyedQuery } from './query.ts'
import type { Selecting } from './vary.ts'

/** What of a request is in the key, apart and together. A shared render is made from these parts and nothing else. */
export interface RequestKey {
  /** Every part with its length before it: no two different requests have the same. */
  readonly full: string
  readonly scheme: 'http' | 'https'
  /** Host as sent. */
  readonly host: string
  /** The raw path. */
  readonly path: string
  /** The keyed query with its `?`, or ''. */
  readonly query: string
  readonly origin: readonly string[]
  /** The headers of the option `vary`. */
  readonly configured: Selecting
  /** The Cookie header made of the keyed cookies, or ''. */
  readonly cookies: string
  /** Whether the request carries query parameters or cookies that the key does not cover: a handler must not see them in a render that is stored. */
  readonly hides: boolean
}

/** The key of a request under a route's rules. */
export function keyOf(
  request: RequestHead,
  rules: Rules,
  cookies: CookieReading = readCookies(rules.cookies, request.headers.cookie),
): RequestKey {
  const { target } = request
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  const rawQuery = mark === -1 ? '' : target.slice(mark)
  const query = keyedQuery(rules.query, rawQuery)
  const scheme = request.secure ? 'https' : 'http'
  const host = request.headers.host ?? ''
  const origin = originFields(request)
  const configured = rules.vary.length === 0 ? NONE : rules.vary.flatMap((name) => [name, requestValue(request, name)])
  let full = `${scheme}:${sized(host)}${sized(path)}${sized(query)}`
  if (origin.length > 0) full += `o${sizedAll(origin)}`
  if (configured.length > 0) full += `v${sizedAll(configured)}`
  // Values of cookies are secrets: keys are shown and stored, so they hold a digest.
  if (cookies.keyed !== '') full += `c${digest(cookies.keyed)}`
  if (request.rewritten !== undefined) full += `r${sized(request.rewritten)}`
  const hides = cookies.hides || hidesQuery(rules.query, rawQuery, query)
  return { full, scheme, host, path, query, origin, configured, cookies: cookies.keyed, hides }
}

/** The full key of one variant: the request's key and the values of the response's own selecting headers. */
export function variantKey(full: string, selecting: Selecting): string {
  return selecting.length === 0 ? full : `${full}s${sizedAll(selecting)}`
}

/** Raised whenever the meaning of a key or the form of a stored frame changes; older entries are then misses. */
export const WIRE_VERSION = 1

const MAX_READABLE_BYTES = 200

/**
 * The key in the store: readable `name:version:host/path`, escaped and at most 200 bytes, `~`, and a digest of the
 * full key, which itself stands in the entry and is compared on read.
 */
export function storeKey(namespace: string, host: string, path: string, full: string): string {
  const readable = `${namespace}${escape(host + path)}`.slice(0, MAX_READABLE_BYTES)
  return `${readable}~${digest(`${WIRE_VERSION}${full}`)}`
}

const NONE: Selecting = []

const sized = (part: string): string => `${part.length}:${part}`
const sizedAll = (parts: readonly (string | null)[]): string =>
  `${parts.length}:${parts.map((part) => (part === null ? '-' : sized(part))).join('')}`

const digest = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 27)

/** What Redis, globs, hash tags and terminals take for something else becomes %xx. */
const escape = (text: string): string =>
  text.replaceAll(/[^A-Za-z0-9._/%:;=@&,+$!()-]/g, (character) => {
    const code = character.charCodeAt(0)
    return `%${code.toString(16).padStart(code > 0xff ? 4 : 2, '0')}`
  })
