import { type FieldLines, type RequestHead, valueOf } from './fields.ts'
import { stringsOf } from './tags.ts'

/** Methods that change nothing, by IANA's registry (RFC 9110 §9.2.1, RFC 10008, RFC 4918 §9.1, RFC 5323); whatever else there is may change something. */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'REPORT', 'SEARCH'])

export function isUnsafe(method: string): boolean {
  return !SAFE_METHODS.has(method)
}

/**
 * The paths, with their queries, that a successful unsafe request has changed (RFC 9111 §4.4): its own, and those of
 * Location and Content-Location where they have the same origin.
 */
export function invalidatedPaths(request: RequestHead, fields: FieldLines): string[] {
  const base = baseOf(request)
  if (base === undefined) return [request.target]
  const paths = [isAbsolute(request.target) ? base.pathname + base.search : request.target]
  for (const name of ['location', 'content-location']) {
    const value = valueOf(fields, name)
    const url = value !== undefined && URL.canParse(value, base.href) ? new URL(value, base) : undefined
    // The host as this request names it; the scheme may be that of a proxy in front.
    if (url?.host === base.host) paths.push(url.pathname + url.search)
  }
  return [...new Set(paths)]
}

const isAbsolute = (target: string): boolean => /^https?:\/\//i.test(target)

/** The URI of the request. Without a Host nothing can name the same origin but by a relative reference. */
function baseOf({ headers, secure, target }: RequestHead): URL | undefined {
  const origin = `${secure ? 'https' : 'http'}://${headers.host ?? 'unknown.invalid'}`
  const uri = isAbsolute(target) ? target : origin + target
  return URL.canParse(uri) ? new URL(uri) : undefined
}

/** The groups of its origin that a response to an unsafe request invalidates (RFC 9875 §3). */
export function invalidatedGroups(fields: FieldLines): string[] {
  return stringsOf(fields, 'cache-group-invalidation')
}
