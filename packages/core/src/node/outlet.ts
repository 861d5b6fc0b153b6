import { ServerResponse } from 'node:http'

import type { FieldLines } from '../policy/fields.ts'

/** The way out of a stored response. */
export interface Outlet {
  writeHead(status: number, reason: string, fields: FieldLines): void
  /** A string is latin1. */
  end(body?: string | Buffer): void
}

/**
 * The ordinary way out: through whatever layers lie between the cache and the wire. A flat array to writeHead is the
 * quickest. A layer with its own `write` or `end` may want to set fields as late as in `end`, and one with its own
 * `writeHead` may know no flat arrays, or write into them (on-headers 1.0): there the head is left to Node.
 */
export function outletOf(res: ServerResponse): Outlet {
  const end = (body?: string | Buffer): unknown => (res as Ending).end(...endArguments(body))
  if (!isLayered(res))
    return { writeHead: (status, reason, fields) => res.writeHead(status, reason, fields as string[]), end }
  return {
    writeHead: (status, reason, fields) => setHead(res, status, reason, fields),
    end: (body) => end(bytesFor(body)),
  }
}

/** A head that Node is to write, with the first byte of the body or at the end. */
export function setHead(res: ServerResponse, status: number, reason: string, fields: FieldLines): void {
  res.statusCode = status
  res.statusMessage = reason
  setFields(res, fields)
}

/** Bytes of a layer's own: it may look into what passes it, and write there. */
export function bytesFor(body: string | Buffer | undefined): Buffer | undefined {
  if (body === undefined) return undefined
  return typeof body === 'string' ? Buffer.from(body, 'latin1') : Buffer.from(body)
}

/** Node's types know no union of the forms of `end`. */
interface Ending {
  end(...args: unknown[]): unknown
}

/** What `end` is to be called with; a layer would take undefined for a body. */
export function endArguments(body: string | Buffer | undefined): readonly unknown[] {
  if (body === undefined) return []
  return typeof body === 'string' ? [body, 'latin1'] : [body]
}

/** Whether something has put a method of its own on this response, through which what is sent has to go. */
export function isLayered(res: ServerResponse): boolean {
  return Object.hasOwn(res, 'end') || Object.hasOwn(res, 'write') || Object.hasOwn(res, 'writeHead')
}

/**
 * Whether the methods of this response are those that Node's had when the cache was loaded: no class has put others there,
 * and nothing that has changed the prototype since. Quicker to ask than the above, and stricter.
 */
export function isBare(res: ServerResponse): boolean {
  return res.end === NODES.end && res.write === NODES.write && res.writeHead === NODES.writeHead
}

const nodes = (method: string): unknown => Reflect.get(ServerResponse.prototype, method)
const NODES = { end: nodes('end'), write: nodes('write'), writeHead: nodes('writeHead') }

/** Sets fields, each name in the place of what stands there; repeated ones stay apart. */
export function setFields(res: ServerResponse, fields: FieldLines): void {
  const grouped = new Map<string, { readonly name: string; readonly values: string[] }>()
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase()
    const group = grouped.get(name) ?? { name: fields[i]!, values: [] }
    group.values.push(fields[i + 1]!)
    grouped.set(name, group)
  }
  for (const { name, values } of grouped.values()) res.setHeader(name, values.length === 1 ? values[0]! : values)
}
