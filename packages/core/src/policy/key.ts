import { hash } from 'node:crypto'

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
  /** Host as sent; '' where there is none, which is not an empty one. */
  readonly host: string
  readonly hasHost: boolean
  /** The raw path. */
  readonly path: string
  /** The keyed query with its `?`, or ''. */
  readonly query: string
  readonly origin: readonly string[]
  /** The headers of the option `vary`. */
  readonly configured: Selecting
  /** The Cookie header made of the keyed cookies, or ''. */
  readonly cookies: string
  /** Of a QUERY: its content, and the fields that say what that is (RFC 10008 §2). */
  readonly content: Buffer | undefined
  readonly contentFields: Selecting
  /** What the handler sees instead of the target, where something outside has rewritten it. */
  readonly rewritten: string | undefined
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
  const hasHost = request.headers.host !== undefined
  const origin = originFields(request)
  const configured = rules.vary.length === 0 ? NONE : selectedBy(rules.vary, request)
  const hides = cookies.hides || hidesQuery(rules.query, rawQuery, query)
  const { content } = request
  const rewritten = request.rewritten === undefined ? undefined : keyedTarget(request.rewritten, rules)
  const contentFields = content === undefined ? NONE : selectedBy(CONTENT_FIELDS, request)
  const identity = { scheme, host, hasHost, path, query, origin, configured, cookies: cookies.keyed } as const
  const parts = { ...identity, content, contentFields, rewritten } as const
  return { ...parts, full: fullKey(parts), hides }
}

/** The same key with another query. */
export function withQuery(key: RequestKey, query: string): RequestKey {
  const { full: _full, ...parts } = { ...key, query }
  return { ...parts, full: fullKey(parts) }
}

function fullKey(parts: Omit<RequestKey, 'full' | 'hides'>): string {
  const { scheme, host, hasHost, path, query, origin, configured, cookies, rewritten, content, contentFields } = parts
  let full = `${scheme}:${hasHost ? sized(host) : '-'}${sized(path)}${sized(query)}`
  if (origin.length > 0) full += `o${sizedAll(origin)}`
  if (configured.length > 0) full += `v${sizedAll(configured)}`
  // Values of cookies are secrets: keys are shown and stored, so they hold a digest.
  if (cookies !== '') full += `c${digest(cookies)}`
  if (rewritten !== undefined) full += `r${sized(rewritten)}`
  if (content !== undefined) full += `q${digest(content)}${sizedAll(contentFields)}`
  return full
}

/** The full key of a plain request (see policy/plain.ts). */
export function plainKey(host: string, path: string, query: string): string {
  return `http:${sized(host)}${sized(path)}${sized(query)}`
}

/** The whole of it, whose full key has been made. */
export function keyOfPlain(
  { full, host, path, rawQuery, query }: Record<'full' | 'host' | 'path' | 'rawQuery' | 'query', string>,
  rules: Rules,
  request: RequestHead,
): RequestKey {
  // A plain request has a Cookie only where cookies are ignored.
  const hides = request.headers.cookie !== undefined || hidesQuery(rules.query, rawQuery, query)
  return { ...NOTHING_ELSE, full, host, path, query, hides }
}

/** What the key of a plain request has beside its Host, path and query. */
const NOTHING_ELSE = {
  scheme: 'http',
  hasHost: true,
  origin: [],
  configured: [],
  cookies: '',
  content: undefined,
  contentFields: [],
  rewritten: undefined,
} as const

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

/** In a store that has slots: where a variant lies, in the slot of its URL. */
export function variantStoreKey(urlKey: string, variant: string): string {
  return `${urlKey}:${digest(variant)}`
}

const NONE: Selecting = []
/** What is hidden of the target is hidden of what became of it. */
function keyedTarget(target: string, { query }: Rules): string {
  const mark = target.indexOf('?')
  return mark === -1 ? target : target.slice(0, mark) + keyedQuery(query, target.slice(mark))
}

const CONTENT_FIELDS = ['content-type', 'content-encoding', 'content-language']

const selectedBy = (names: readonly string[], request: RequestHead): Selecting =>
  names.flatMap((name) => [name, requestValue(request, name)])

const sized = (part: string): string => `${part.length}:${part}`
const sizedAll = (parts: readonly (string | null)[]): string =>
  `${parts.length}:${parts.map((part) => (part === null ? '-' : sized(part))).join('')}`

/** A short name for what is long or secret; no two texts with the same one can be found. */
export const digest = (text: string | Buffer): string => hash('sha256', text, 'base64url').slice(0, 27)

/** What Redis, globs, hash tags and terminals take for something else becomes %xx. */
const escape = (text: string): string =>
  text.replaceAll(/[^A-Za-z0-9._/%:;=@&,+$!()-]/g, (character) => {
    const code = character.charCodeAt(0)
    return `%${code.toString(16).padStart(code > 0xff ? 4 : 2, '0')}`
  })
