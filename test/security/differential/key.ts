import type { RouteOptions } from '@cacheback/core'

// What is in the key of a request, told anew from the documentation: nothing of the product is asked.

/** A request as it was sent, or as a handler saw it. */
export interface Sent {
  readonly method: string
  /** Byte for byte. */
  readonly url: string
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  readonly content: string
}

export const ORIGIN = ['x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port', 'x-original-host']
const CREDENTIALS = ['proxy-authorization', 'x-api-key', 'x-auth-token', 'x-access-token', 'x-forwarded-user']
const OVERRIDES = ['x-original-url', 'x-rewrite-url', 'x-http-method-override', 'x-http-method', 'x-method-override']

export const pathOf = (url: string): string => (url.includes('?') ? url.slice(0, url.indexOf('?')) : url)

const nameOf = (pair: string): string => pair.split('=', 1)[0]!

/** The part of the query that the route's rule takes into the key. */
export function queryOf(url: string, { query = true }: RouteOptions): string {
  const raw = url.slice(pathOf(url).length)
  if (query === true || raw === '') return raw
  if (query === false) return ''
  const names = Array.isArray(query) ? (query as readonly string[]) : undefined
  const ignored = 'ignore' in query ? query.ignore : []
  const all = raw.slice(1).split('&')
  const kept = all.filter((pair) =>
    names === undefined ? !ignored.includes(nameOf(pair)) : names.includes(nameOf(pair)),
  )
  if (names !== undefined)
    kept.sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : Number(nameOf(one) > nameOf(other))))
  else if (kept.length === all.length) return raw
  return kept.length === 0 ? '' : `?${kept.join('&')}`
}

/** The cookies that the route's rule takes into the key. */
export function cookiesOf(cookie: string | undefined, { cookies = 'bypass' }: RouteOptions): string {
  if (cookie === undefined || typeof cookies === 'string' || !('key' in cookies)) return ''
  const pairs = cookie.split('; ')
  return cookies.key
    .toSorted()
    .flatMap((name) => pairs.filter((pair) => pair.startsWith(`${name}=`)))
    .join('; ')
}

/** Of Forwarded, what is about the origin. */
export const forwardedOrigin = (value: string | undefined): string =>
  [...(value ?? '').matchAll(/(?:host|proto)=[^;,]+/g)].join(';')

/** Two requests with the same key may be answered alike, if the selecting headers of the response agree as well. */
export function keyOf({ method, url, headers, content }: Sent, rules: RouteOptions): string {
  const origin = ORIGIN.map((name) => headers[name] ?? null)
  const configured = (rules.vary ?? []).map((name) => headers[name] ?? null)
  return JSON.stringify([
    headers['host'] ?? null,
    pathOf(url),
    queryOf(url, rules),
    origin,
    forwardedOrigin(headers['forwarded']),
    configured,
    cookiesOf(headers['cookie'], rules),
    method === 'QUERY' ? [content, headers['content-type'] ?? null] : null,
  ])
}

/** A selecting header as it may be compared: lists without their white space, languages without case. */
export function selectingValue(name: string, headers: Sent['headers']): string | null {
  const value = headers[name]
  if (value === undefined) return null
  const list = value
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '')
    .join(',')
  return name === 'accept-language' ? list.toLowerCase() : list
}

/** The names in a Vary field. */
export const varyNames = (value: string | undefined): string[] =>
  (value ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')

/** Why what a handler answers to this request may not be shared, whatever it answers. */
export function whyPersonal({ method, url, headers, content }: Sent, rules: RouteOptions): string | undefined {
  const isQuery = method === 'QUERY' && rules.queryMethod === true
  if (method !== 'GET' && method !== 'HEAD' && !isQuery) return 'method'
  if (!isQuery && content !== '') return 'body'
  const credentials = rules.credentials ?? CREDENTIALS
  const named = [...credentials, ...OVERRIDES, 'upgrade', 'range', 'if-match', 'if-unmodified-since']
  const found = named.find((name) => headers[name] !== undefined)
  if (found !== undefined) return found
  if (headers['accept']?.includes('text/event-stream') === true) return 'event-stream'
  // A handler sees more cookies or parameters than are in the key only if its answer is for this one visitor.
  const { cookie } = headers
  if (cookie !== undefined && cookie !== cookiesOf(cookie, rules)) return 'cookie'
  const hasUnkeyedQuery = url.slice(pathOf(url).length).length !== queryOf(url, rules).length
  return hasUnkeyedQuery ? 'query' : undefined
}

/** Credentials in `Vary` are never shared; cookies only where their own rule is in the key or bypasses. */
export function whyVaryForbids(names: readonly string[], rules: RouteOptions): string | undefined {
  const { cookies = 'bypass', credentials = CREDENTIALS } = rules
  if (names.includes('*')) return 'vary-any'
  if (names.includes('authorization') || names.some((name) => credentials.includes(name))) return 'vary-credential'
  const isCovered = cookies === 'bypass' || (typeof cookies === 'object' && 'key' in cookies)
  return names.includes('cookie') && !isCovered ? 'vary-cookie' : undefined
}
