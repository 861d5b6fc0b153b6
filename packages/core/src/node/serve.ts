import { type ServerResponse, STATUS_CODES } from 'node:http'

import { type StoredResponse, hasNoContent } from '../engine/stored-response.ts'
import { isNotModified } from '../policy/conditions.ts'
import type { FieldLines, RequestHead } from '../policy/fields.ts'
import { currentAge } from '../policy/freshness.ts'
import { ifRangeHolds, readRanges } from '../policy/ranges.ts'
import { withoutContentFields } from './head.ts'
import { type Partial, partialOf, unsatisfiable } from './partial.ts'
import type { Outlet } from './outlet.ts'

/** The fields that change from one answer to the next. */
export interface Label {
  readonly cacheStatus: string | undefined
  readonly warning: string | undefined
}

/** Sends a stored response: to a HEAD without its body, as 304 to a client that has it already. */
export function serve(outlet: Outlet, response: StoredResponse, request: RequestHead, label: Label, now: number): void {
  const { status, reason } = response.parts
  response.hits += 1
  const changing = ['Age', ageOf(response, now), ...labelFields(label)]
  const representation = response.representationFor(request.headers['accept-encoding'])
  if (status === 200 && isNotModified(representation.fields, request.headers, now)) {
    outlet.writeHead(304, 'Not Modified', [...withoutContentFields(representation.fields), ...changing])
    outlet.end()
    return
  }
  const partial = status === 200 ? partialFor(response, request, now) : undefined
  if (partial !== undefined) {
    const partialStatus = partial.body === undefined ? 416 : 206
    const replaced = new Set(partial.fields.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()))
    const kept = without(response.identity.fields, replaced)
    outlet.writeHead(partialStatus, STATUS_CODES[partialStatus]!, [...kept, ...partial.fields, ...changing])
    outlet.end(partial.body)
    return
  }
  outlet.writeHead(status, reason ?? STATUS_CODES[status] ?? '', [...representation.fields, ...changing])
  if (request.method === 'HEAD' || hasNoContent(status)) outlet.end()
  else outlet.end(representation.body)
}

/**
 * Sends a whole stored response in answer to a plain GET: one head, one write. Nothing is made for it but the fields that
 * change from answer to answer.
 */
export function serveWhole(
  res: ServerResponse,
  response: StoredResponse,
  acceptEncoding: string | undefined,
  label: Label,
  now: number,
): void {
  const { status, reason } = response.parts
  const representation = response.representationFor(acceptEncoding)
  response.hits += 1
  const { cacheStatus, warning } = label
  let fields: string[]
  if (cacheStatus === undefined) {
    fields = [...representation.fields, 'Age', ageOf(response, now), ...labelFields(label)]
  } else if (warning === undefined) {
    fields = representation.reusedFields
    fields[fields.length - 3] = ageOf(response, now)
    fields[fields.length - 1] = cacheStatus
  } else {
    fields = representation.reusedStaleFields
    fields[fields.length - 5] = ageOf(response, now)
    fields[fields.length - 3] = warning
    fields[fields.length - 1] = cacheStatus
  }
  res.writeHead(status, reason ?? STATUS_CODES[status] ?? '', fields)
  const { body } = representation
  if (hasNoContent(status)) res.end()
  else if (typeof body === 'string') res.end(body, 'latin1')
  else res.end(body)
}

const ageOf = ({ parts }: StoredResponse, now: number): string => String(currentAge(parts.freshness, now))

/** What a client that asks for ranges gets of a stored 200; undefined: all of it. Only GET knows ranges (RFC 9110 §14.2). */
function partialFor(response: StoredResponse, request: RequestHead, now: number): Partial | undefined {
  const { range } = request.headers
  if (range === undefined || request.method !== 'GET') return undefined
  if (!ifRangeHolds(request.headers, response.identity.fields, now)) return undefined
  const ranges = readRanges(range, response.identity.body.length)
  if (ranges === undefined) return undefined
  return ranges === 'unsatisfiable' ? unsatisfiable(response) : partialOf(response, ranges)
}

function without(fields: FieldLines, names: ReadonlySet<string>): string[] {
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    if (!names.has(fields[i]!.toLowerCase())) kept.push(fields[i]!, fields[i + 1]!)
  }
  return kept
}

function labelFields(label: Label): string[] {
  const { cacheStatus, warning } = label
  const fields: string[] = []
  if (warning !== undefined) fields.push('Warning', warning)
  if (cacheStatus !== undefined) fields.push('Cache-Status', cacheStatus)
  return fields
}
