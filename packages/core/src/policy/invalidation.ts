import { type FieldLines, type RequestHead, valueOf } from './fields.ts'
import { stringsOf } from './tags.ts'

/** Methods that change nothing (RFC 9110 §9.2.1, RFC 10008); whatever else there is may change something. */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY'])

export function isUnsafe(method: string): boolean {
  return !SAFE_METHODS.has(method)
}

/**
 * The paths, with their queries, that a successful unsafe request has changed (RFC 9111 §4.4): its own, and those of
 * Location and Content-Location where they have the same origin.
 */
export function invalidatedPaths(request: RequestHead, fields: FieldLines): string[] {
  const host = request.headers.host ?? ''
  const base = `${request.secure ? 'https' : 'http'}://${host}${request.target}`
  const paths = [request.target]
  for (const name of ['location', 'content-location']) {
    const value = valueOf(fields, name)
    const url = value !== undefined && URL.canParse(value, base) ? new URL(value, base) : undefined
    // The host as this request names it; the scheme may be that of a proxy in front.
    if (url !== undefined && URL.canParse(base) && url.host === new URL(base).host) {
      paths.push(url.pathname + url.search)
    }
  }
  return [...new Set(paths)]
}

/** The groups of its origin that a response to an unsafe request invalidates (RFC 9875 §3). */
export function invalidatedGroups(fields: FieldLines): string[] {
  return stringsOf(fields, 'cache-group-invalidation')
}
