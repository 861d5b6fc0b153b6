import { type OutgoingHttpHeader, type ServerResponse, STATUS_CODES } from 'node:http'

import { type FieldLines, isNamed } from '../policy/fields.ts'
import type { Head } from '../policy/storable.ts'

/** The arguments of writeHead in any of its forms: (status), (status, reason), each with an object, a flat array or an array of pairs. */
export type HeadArguments = readonly unknown[]

/** What has been set on a response so far, as field lines. */
export function standingFields(res: ServerResponse): string[] {
  const fields: string[] = []
  // Spelled as they were set: Node has that method on every outgoing message, its types on requests alone.
  const outgoing = res as unknown as { getRawHeaderNames: () => string[] }
  for (const name of outgoing.getRawHeaderNames()) push(fields, name, res.getHeader(lowerCased(name)))
  return fields
}

/** Node asks by the small letters of a name, which are made here once for each spelling: most apps have a few dozen. */
function lowerCased(name: string): string {
  let lower = lowered.get(name)
  if (lower === undefined) {
    lower = name.toLowerCase()
    if (lowered.size < MAX_LOWERED) lowered.set(name, lower)
  }
  return lower
}

const lowered = new Map<string, string>()
const MAX_LOWERED = 500

/** The head that writeHead would send: what has been set, and what these arguments replace and add. */
export function readHead(res: ServerResponse, args: HeadArguments): Head {
  const status = Number(args[0])
  const reason = typeof args[1] === 'string' ? args[1] : res.statusMessage
  return { status, reason: isUsual(status, reason) ? undefined : reason, fields: headFields(res, headersOf(args)) }
}

/**
 * The lines of a head as they went out, of which these name and value. The serialised head tells the whole truth, also of a
 * layer outside that hands Node fields of its own; without it (it is no documented property) what is set and what we passed
 * must do.
 */
export function writtenFields(res: ServerResponse, args: HeadArguments, lines: RegExp): FieldLines {
  const text = (res as { _header?: unknown })._header
  if (typeof text !== 'string') return args.length > 1 ? readHead(res, args).fields : standingFields(res)
  const fields: string[] = []
  lines.lastIndex = 0
  for (let line = lines.exec(text); line !== null; line = lines.exec(text)) fields.push(line[1]!, line[2]!.trim())
  return fields
}

/** Whether a head is the same bytes in every encoding: Node sends one as text together with a text, and as latin1 before bytes. */
export function isHeadAscii(res: ServerResponse): boolean {
  const text = (res as { _header?: unknown })._header
  if (typeof text === 'string') return ASCII.test(text)
  return [res.statusMessage, ...Object.values(res.getHeaders())].every((value) => ASCII.test(String(value)))
}

const ASCII = /^[\0-\x7f]*$/

function headFields(res: ServerResponse, headers: object | undefined): FieldLines {
  const standing = standingFields(res)
  if (headers === undefined) return standing
  const given = linesOf(headers)
  if (standing.length === 0) return given
  const replaced = new Set(given.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()))
  const fields: string[] = []
  for (let i = 0; i < standing.length; i += 2) {
    if (!replaced.has(standing[i]!.toLowerCase())) fields.push(standing[i]!, standing[i + 1]!)
  }
  fields.push(...given)
  return fields
}

/**
 * The same arguments with a field put in, in the same form: mixing forms, or setting a field beside an array of pairs,
 * makes Node throw. Without headers in the arguments the field is set on the response.
 */
export function withField(res: ServerResponse, args: HeadArguments, name: string, value: string): HeadArguments {
  const headers = headersOf(args)
  if (headers === undefined) {
    res.setHeader(name, value)
    return args
  }
  const before = args.slice(0, args.indexOf(headers))
  return [...before, put(headers, name, value)]
}

function put(headers: object, name: string, value: string): unknown {
  const wanted = lowerCased(name)
  if (!Array.isArray(headers)) {
    const fields: Record<string, unknown> = { ...headers }
    for (const other in fields) {
      if (isNamed(other, wanted)) delete fields[other]
    }
    fields[name] = value
    return fields
  }
  const isOther = (other: unknown): boolean => !isNamed(String(other), wanted)
  if (Array.isArray(headers[0])) return [...headers.filter((pair: unknown[]) => isOther(pair[0])), [name, value]]
  const lines: unknown[] = []
  for (let i = 0; i < headers.length; i += 2) {
    if (isOther(headers[i])) lines.push(headers[i], headers[i + 1])
  }
  return [...lines, name, value]
}

function headersOf(args: HeadArguments): object | undefined {
  const headers = typeof args[1] === 'string' || args[1] === undefined || args[1] === null ? args[2] : args[1]
  return typeof headers === 'object' && headers !== null ? headers : undefined
}

function linesOf(headers: object): string[] {
  const fields: string[] = []
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers)) push(fields, name, value as OutgoingHttpHeader | undefined)
  } else if (Array.isArray(headers[0])) {
    for (const [name, value] of headers as [string, OutgoingHttpHeader][]) push(fields, name, value)
  } else {
    for (let i = 0; i + 1 < headers.length; i += 2) push(fields, headers[i] as string, headers[i + 1] as string)
  }
  return fields
}

function push(fields: string[], name: string, value: OutgoingHttpHeader | undefined): void {
  if (value === undefined) return
  for (const line of Array.isArray(value) ? value : [value]) fields.push(name, String(line))
}

function isUsual(status: number, reason: string | undefined): boolean {
  return reason === undefined || reason === '' || reason === STATUS_CODES[status]
}

/** Fields that describe a body, for answers that have none (RFC 9110 §15.4.5). */
const CONTENT_FIELDS = new Set([
  'content-length',
  'content-type',
  'content-encoding',
  'content-language',
  'content-range',
  'transfer-encoding',
])

export function isContentField(name: string): boolean {
  return CONTENT_FIELDS.has(name.toLowerCase())
}

export function withoutContentFields(fields: FieldLines): string[] {
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    if (!isContentField(fields[i]!)) kept.push(fields[i]!, fields[i + 1]!)
  }
  return kept
}
