import { STATUS_CODES, type ServerResponse } from 'node:http'

import { type StoredResponse, hasNoContent } from '../engine/stored-response.ts'
import { isNotModified } from '../policy/conditions.ts'
import type { RequestHead } from '../policy/fields.ts'
import { currentAge } from '../policy/freshness.ts'
import { withoutContentFields } from './head.ts'
import type { Outlet } from './wire.ts'

/** The fields that change from one answer to the next. */
export interface Label {
  readonly cacheStatus: string | undefined
  readonly warnings: readonly string[]
}

/** Sends a stored response: to a HEAD without its body, as 304 to a client that has it already. */
export function serve(
  outlet: Outlet,
  response: StoredResponse,
  request: RequestHead,
  label: Label,
  now: number,
  conditional = true,
): void {
  const { status, reason, body, fields, freshness } = response.parts
  response.hits += 1
  const changing = ['Age', String(currentAge(freshness, now)), ...labelFields(label)]
  if (conditional && status === 200 && isNotModified(fields, request.headers, now)) {
    outlet.writeHead(304, 'Not Modified', [...withoutContentFields(fields), ...changing])
    outlet.end()
    return
  }
  outlet.writeHead(status, reason ?? STATUS_CODES[status] ?? '', [...response.preparedFields, ...changing])
  if (request.method === 'HEAD' || hasNoContent(status)) outlet.end()
  else outlet.end(body)
}

export function labelFields(label: Label): string[] {
  const fields: string[] = []
  if (label.warnings.length > 0) fields.push('Warning', label.warnings.join(', '))
  if (label.cacheStatus !== undefined) fields.push('Cache-Status', label.cacheStatus)
  return fields
}

/** The ordinary way out: through whatever layers lie between the cache and the wire. */
export function outletOf(res: ServerResponse): Outlet {
  return {
    writeHead: (status, reason, fields) => res.writeHead(status, reason, fields as string[]),
    end: (body) => (body === undefined ? res.end() : res.end(body)),
  }
}
