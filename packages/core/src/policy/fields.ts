import type { IncomingHttpHeaders } from 'node:http'

/**
 * Field lines as they go over the wire: name, value, name, value. Repeated fields stay apart and in order
 * (RFC 9110 §5.2), and the array is what `writeHead` takes fastest.
 */
export type FieldLines = readonly string[]

/** What selects a stored response. */
export interface SelectingHead {
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
}

/** The part of a request that policy reads. */
export interface RequestHead extends SelectingHead {
  readonly method: string
  /** Whether it came over TLS. */
  readonly secure: boolean
  /** The request target byte for byte as it was sent. */
  readonly target: string
  /** What the handler sees instead of the target, where something outside the cache has rewritten it. */
  readonly rewritten: string | undefined
  /** The content of a QUERY (RFC 10008), once it has been read. */
  readonly content?: Buffer | undefined
}

/** The content of a QUERY is read into memory before it is answered; a larger one is not for the cache. */
export const MAX_CONTENT_BYTES: number = 64 * 1024

/** Whether a name as it is spelled is this one, in lower-case. Most names differ in length; no other string is made. */
export function isNamed(spelled: string, name: string): boolean {
  if (spelled.length !== name.length) return false
  for (let i = 0; i < name.length; i += 1) {
    const wanted = name.charCodeAt(i)
    const found = spelled.charCodeAt(i)
    if (found !== wanted && (found !== wanted - CAPITAL || !isLetter(wanted))) return false
  }
  return true
}

/** From a capital letter to the small one. */
const CAPITAL = 32
const isLetter = (code: number): boolean => code >= 97 && code <= 122

/** All values of a field, in order. `name` is lower-case. */
export function valuesOf(fields: FieldLines, name: string): string[] {
  const values: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    if (isNamed(fields[i]!, name)) values.push(fields[i + 1]!)
  }
  return values
}

/** The fields but for those of this name. */
export function withoutField(fields: FieldLines, name: string): string[] {
  const others: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    if (!isNamed(fields[i]!, name)) others.push(fields[i]!, fields[i + 1]!)
  }
  return others
}

/** The combined value of a field (RFC 9110 §5.3), or undefined where it is absent. */
export function valueOf(fields: FieldLines, name: string): string | undefined {
  let found: string | undefined
  for (let i = 0; i < fields.length; i += 2) {
    if (isNamed(fields[i]!, name)) found = found === undefined ? fields[i + 1]! : `${found}, ${fields[i + 1]!}`
  }
  return found
}

/** The value of a field that has one line (`name` is lower-case), null where it has none, undefined where it has several. */
export function onlyLine(lines: FieldLines, name: string): string | null | undefined {
  let found: string | null = null
  for (let i = 0; i < lines.length; i += 2) {
    if (!isNamed(lines[i]!, name)) continue
    if (found !== null) return undefined
    found = lines[i + 1]!
  }
  return found
}

/** Of these, Node keeps only the first line in `headers`; a handler that reads `rawHeaders` sees them all. */
const KEPT_ONCE = new Set([
  'user-agent',
  'referer',
  'from',
  'max-forwards',
  'content-type',
  'age',
  'etag',
  'expires',
  'server',
  'location',
  'retry-after',
  'last-modified',
  'if-modified-since',
  '__proto__',
])

/** The combined value of a request header, every line of it; null where it is absent, which is not the empty value. */
export function requestValue(request: SelectingHead, name: string): string | null {
  if (KEPT_ONCE.has(name)) return valueOf(request.rawHeaders, name) ?? null
  const value = Object.hasOwn(request.headers, name) ? request.headers[name] : undefined
  if (value === undefined) return null
  return typeof value === 'string' ? value : value.join(', ')
}

/** Fields of one connection (RFC 9110 §7.6.1). */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** `Connection` may not name these away: they rule over storing (RFC 9110 §7.6.1 forbids it as well). */
const NEVER_BY_CONNECTION = new Set(['cache-control', 'set-cookie', 'vary'])

/** A predicate for the fields that belong to one exchange and are not stored (RFC 9111 §3.1). */
export function unstoredFields(fields: FieldLines, omit: readonly string[]): (name: string) => boolean {
  let isOmitted = omitting.get(omit)
  if (isOmitted === undefined) omitting.set(omit, (isOmitted = omissionOf(omit)))
  const connection = valuesOf(fields, 'connection')
  if (connection.length === 0) return isOmitted
  const named = new Set(
    connection
      .flatMap((value) => value.toLowerCase().split(','))
      .map((name) => name.trim())
      .filter((name) => !NEVER_BY_CONNECTION.has(name)),
  )
  return (name) => isOmitted(name) || named.has(name)
}

/** The predicates of the lists that there are: one or two an app. */
const omitting = new WeakMap<readonly string[], (name: string) => boolean>()

function omissionOf(omit: readonly string[]): (name: string) => boolean {
  const prefixes = omit.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1))
  const exact = new Set(omit)
  return (name) => isOfOneExchange(name) || exact.has(name) || prefixes.some((prefix) => name.startsWith(prefix))
}

/** Framing and Age are made anew for every response. */
const isOfOneExchange = (name: string): boolean => name === 'content-length' || name === 'age' || HOP_BY_HOP.has(name)
