import type { IncomingHttpHeaders } from 'node:http'

import { type FieldLines, valueOf } from './fields.ts'
import { parseHttpDate } from './http-date.ts'

/** The request headers that are kept from a handler whose response is to be stored, so that it answers in full. */
export const CONDITIONS = ['if-none-match', 'if-modified-since'] as const

/**
 * Whether a 200 with these fields is what the client has already (RFC 9110 §13.2.2): If-None-Match by weak comparison,
 * and only without it If-Modified-Since. A client's date that does not parse is no condition.
 */
export function isNotModified(fields: FieldLines, headers: IncomingHttpHeaders, now: number): boolean {
  const ifNoneMatch = headers['if-none-match']
  if (ifNoneMatch !== undefined) return matchesEtag(ifNoneMatch, valueOf(fields, 'etag'))
  const since = headers['if-modified-since']
  if (since === undefined) return false
  const sinceAt = parseHttpDate(since, now)
  // Without a Last-Modified, the date of origination says as much (RFC 9111 §4.3.2).
  const modified = valueOf(fields, 'last-modified') ?? valueOf(fields, 'date')
  const modifiedAt = modified === undefined ? undefined : parseHttpDate(modified, now)
  return sinceAt !== undefined && modifiedAt !== undefined && modifiedAt <= sinceAt
}

/** Walks the list once: `"a", W/"b,c", *`. Opaque tags may hold commas, so there is no splitting. */
export function matchesEtag(list: string, etag: string | undefined): boolean {
  if (list.trim() === '*') return true
  if (etag === undefined) return false
  const wanted = opaque(etag)
  let at = 0
  while (at < list.length) {
    const open = list.indexOf('"', at)
    if (open === -1) return false
    const close = list.indexOf('"', open + 1)
    if (close === -1) return false
    if (list.slice(open, close + 1) === wanted) return true
    at = close + 1
  }
  return false
}

/** The tag without its weakness, for weak comparison (RFC 9110 §8.8.3.2). */
export const opaque = (etag: string): string => (etag.startsWith('W/') ? etag.slice(2) : etag)
