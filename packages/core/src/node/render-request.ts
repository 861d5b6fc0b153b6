import type { IncomingHttpHeaders } from 'node:http'

import type { RequestHead } from '../policy/fields.ts'
import type { RequestKey } from '../policy/key.ts'
import type { Selecting } from '../policy/vary.ts'
import { VERSION } from '../version.ts'
import { NOBODY, type RenderRequest } from './renderer.ts'

/** The visitor behind whose back, or for whom, a render is made. */
export interface RenderedFor {
  readonly head: RequestHead
  readonly remoteAddress: string | undefined
}

/**
 * The request that a detached render sends: the keyed parts, byte for byte, and nothing else of the visitor. Behind a
 * proxy the app decides by its peer's address whether to believe the forwarded origin, so that address is kept there,
 * and the visitor's own is replaced.
 */
export function renderRequest(
  key: RequestKey,
  selecting: Selecting,
  source?: RenderedFor,
  validators: readonly string[] = [],
): RenderRequest {
  const headers = key.hasHost ? ['Host', key.host] : []
  headers.push('Connection', 'close', ...validators)
  const forwarded = source !== undefined && key.origin.length > 0
  headers.push(...key.origin)
  if (forwarded) headers.push('X-Forwarded-For', NOBODY)
  pushPresent(headers, key.configured)
  pushPresent(headers, selecting)
  if (key.cookies !== '') headers.push('Cookie', key.cookies)
  if (!names(key.configured, selecting).has('accept')) headers.push('Accept', '*/*')
  if (!names(key.configured, selecting).has('user-agent')) headers.push('User-Agent', `cacheback/${VERSION}`)
  pushPresent(headers, key.contentFields)
  if (key.content !== undefined) headers.push('Content-Length', String(key.content.length))
  return {
    content: key.content,
    secure: key.scheme === 'https',
    target: key.path + key.query,
    headers,
    remoteAddress: (forwarded ? source.remoteAddress : undefined) ?? NOBODY,
  }
}

/** What policy reads of such a request, before it is sent. */
export function headOf({ secure, target, headers, content }: RenderRequest): RequestHead {
  const byName: IncomingHttpHeaders = {}
  for (let i = 0; i < headers.length; i += 2) byName[headers[i]!.toLowerCase()] = headers[i + 1]!
  const method = content === undefined ? 'GET' : 'QUERY'
  return { method, secure, target, rewritten: undefined, headers: byName, rawHeaders: headers, content }
}

function pushPresent(headers: string[], selecting: Selecting): void {
  for (let i = 0; i < selecting.length; i += 2) {
    const [name, value] = [selecting[i], selecting[i + 1]]
    // The origin fields stand there already, where a response names one in its Vary.
    const isThere = headers.some((header, index) => index % 2 === 0 && header.toLowerCase() === name)
    if (typeof name === 'string' && typeof value === 'string' && !isThere) headers.push(name, value)
  }
}

const names = (...lists: Selecting[]): Set<string | null> =>
  new Set(lists.flatMap((list) => list.filter((_, index) => index % 2 === 0)))
