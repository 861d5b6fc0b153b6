import type { IncomingHttpHeaders } from 'node:http'

import { type FieldLines, valueOf } from './fields.ts'
import { parseHttpDate } from './http-date.ts'

/** The first and the last byte of a range, both included. */
export type ByteRange = readonly [first: number, last: number]

/** More ranges than this are no reader's (CVE-2011-3192): the whole body then. */
const MAX_RANGES = 8

/**
 * The ranges of a body of this size that a Range header asks for (RFC 9110 §14.1.2), clamped to it. `undefined`: the
 * header is not for us (another unit, malformed, too many), send everything; `unsatisfiable`: 416.
 */
export function readRanges(header: string, size: number): readonly ByteRange[] | 'unsatisfiable' | undefined {
  const set = /^bytes=(.*)$/i.exec(header)?.[1]
  const specs = set?.split(',', MAX_RANGES + 1).map((spec) => spec.trim())
  if (specs === undefined || specs.length > MAX_RANGES) return undefined
  const ranges: ByteRange[] = []
  const named = specs.filter((spec) => spec !== '')
  if (named.length === 0) return undefined
  for (const spec of named) {
    const match = /^(\d*)-(\d*)$/.exec(spec)
    if (match === null || (match[1] === '' && match[2] === '')) return undefined
    const range = clamp(match[1]!, match[2]!, size)
    if (range === 'malformed') return undefined
    if (range !== undefined) ranges.push(range)
  }
  // More bytes than the whole is a trick, not a request.
  const bytes = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0)
  if (bytes > size) return undefined
  return ranges.length === 0 ? 'unsatisfiable' : ranges
}

/** Whether If-Range lets Range count (RFC 9110 §13.1.5): a strong ETag that is the same, or the exact Last-Modified. */
export function ifRangeHolds(headers: IncomingHttpHeaders, fields: FieldLines, now: number): boolean {
  const condition = headers['if-range']
  if (typeof condition !== 'string') return condition === undefined
  if (condition.includes('"')) return !condition.startsWith('W/') && condition === valueOf(fields, 'etag')
  const wanted = parseHttpDate(condition, now)
  const modifiedAt = dateIn(fields, 'last-modified', now)
  const madeAt = dateIn(fields, 'date', now)
  // A date is a strong validator only if the page was left alone for a second after it (RFC 9110 §8.8.2.2).
  const isStrong = modifiedAt !== undefined && madeAt !== undefined && madeAt - modifiedAt >= 1000
  return isStrong && wanted === modifiedAt
}

function dateIn(fields: FieldLines, name: string, now: number): number | undefined {
  const value = valueOf(fields, name)
  return value === undefined ? undefined : parseHttpDate(value, now)
}

function clamp(from: string, to: string, size: number): ByteRange | 'malformed' | undefined {
  if (from === '') {
    const length = Math.min(Number(to), size)
    return length === 0 ? undefined : [size - length, size - 1]
  }
  const first = Number(from)
  const last = to === '' ? Infinity : Number(to)
  if (last < first) return 'malformed'
  return first < size ? [first, Math.min(last, size - 1)] : undefined
}
