import { hash } from 'node:crypto'

import { unkeyableArgument } from '../errors.ts'

/** Longer keys keep their beginning, and a digest of the whole. */
const MAX_KEY_LENGTH = 1000
const READABLE_LENGTH = 150
/** What would have to be written down to be compared is too much to be a key; also what refers to itself ends here. */
const MAX_RENDERED_LENGTH = 1024 * 1024
const MAX_DEPTH = 100
const MAX_BYTES_SHOWN = 48

/**
 * The arguments of a call as readable text: `ada,2,{page:1}`. Two lists have the same text if and only if they are deeply
 * equal (as `util.isDeepStrictEqual` has it): the order of properties, and of what is in a Map or Set, makes no
 * difference; `1` and `'1'`, `0` and `-0`, `undefined` and nothing do. Throws CACHEBACK_UNKEYABLE_ARGUMENT.
 */
export function keyOfArguments(name: string, args: readonly unknown[]): string {
  let key = ''
  for (let i = 0; i < args.length; i += 1) {
    if (i > 0) key += ','
    key += renderArgument(name, args[i], i)
    if (key.length > MAX_RENDERED_LENGTH) throw unkeyableArgument(name, i, TOO_LONG)
  }
  return key.length > MAX_KEY_LENGTH ? `${key.slice(0, READABLE_LENGTH)}~${digest(key)}` : key
}

function renderArgument(name: string, value: unknown, index: number): string {
  try {
    return render(value, 0)
  } catch (error) {
    throw error instanceof Unkeyable ? unkeyableArgument(name, index, error.message) : error
  }
}

/** Something in an argument of which nobody can say whether it is equal to another. */
class Unkeyable extends Error {}

const TOO_LONG = 'is longer than a key can be'

function render(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return isBare(value) ? value : JSON.stringify(value)
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'bigint':
      return `${value}n`
    case 'boolean':
    case 'undefined':
      return String(value)
    case 'object':
      return value === null ? 'null' : renderObject(value, depth)
    case 'function':
      throw new Unkeyable('is or holds a function')
    case 'symbol':
      throw new Unkeyable('is or holds a symbol')
  }
}

/** What needs no quotes, since no other kind of value looks like it. */
const isBare = (text: string): boolean => /^[A-Za-z_][\w@/.-]*$/.test(text) && !WORDS.has(text)
const WORDS = new Set(['true', 'false', 'null', 'undefined', 'NaN', 'Infinity'])

function renderObject(value: object, depth: number): string {
  if (depth >= MAX_DEPTH) throw new Unkeyable('is nested too deeply, or refers to itself')
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return renderPlain(value as Record<string, unknown>, depth)
  const renderKnown = KNOWN.get(prototype)
  if (renderKnown !== undefined && prototype !== Array.prototype && Object.keys(value).length > 0) {
    throw new Unkeyable(`is or holds an instance of ${nameOf(value)} with properties`)
  }
  if (renderKnown !== undefined) return bounded(renderKnown(value as never, depth + 1))
  if (BYTES.has(prototype)) return renderBytes(value as ArrayBuffer | ArrayBufferView)
  throw new Unkeyable(`is or holds an instance of ${nameOf(value)}`)
}

function renderPlain(value: Record<string, unknown>, depth: number): string {
  if (Object.getOwnPropertySymbols(value).length > 0) throw new Unkeyable('holds a property named by a symbol')
  const parts: string[] = []
  let length = 0
  for (const name of Object.keys(value).toSorted()) {
    const part = `${isBare(name) ? name : JSON.stringify(name)}:${render(value[name], depth + 1)}`
    length += part.length
    if (length > MAX_RENDERED_LENGTH) throw new Unkeyable(TOO_LONG)
    parts.push(part)
  }
  return `{${parts.join(',')}}`
}

/** By prototype: of a subclass nobody knows what else it holds. */
const KNOWN = new Map<unknown, (value: never, depth: number) => string>([
  [Array.prototype, renderArray],
  [Date.prototype, (date: Date) => `Date(${Number.isNaN(date.getTime()) ? NaN : date.toISOString()})`],
  [Map.prototype, (map: Map<unknown, unknown>, depth: number) => `Map(${sorted(map.entries(), depth, renderEntry)})`],
  [Set.prototype, (set: Set<unknown>, depth: number) => `Set(${sorted(set.values(), depth, render)})`],
  [RegExp.prototype, (pattern: RegExp) => `RegExp(${JSON.stringify([`${pattern}`, pattern.lastIndex])})`],
  [URL.prototype, (url: URL) => `URL(${JSON.stringify(url.href)})`],
])

const BYTES = new Set<unknown>(
  [
    ArrayBuffer,
    Buffer,
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  ].map(({ prototype }) => prototype as unknown),
)

function renderArray(array: readonly unknown[], depth: number): string {
  const parts: string[] = []
  let length = 0
  let holes = 0
  for (let i = 0; i < array.length; i += 1) {
    // A dash alone is no number, and no string.
    const isHole = !(i in array)
    if (isHole) holes += 1
    const part = isHole ? '-' : render(array[i], depth)
    length += part.length + 1
    if (length > MAX_RENDERED_LENGTH) throw new Unkeyable(TOO_LONG)
    parts.push(part)
  }
  if (Reflect.ownKeys(array).length !== array.length - holes + 1) throw new Unkeyable('holds an array with properties')
  return `[${parts.join(',')}]`
}

const renderEntry = ([key, value]: [unknown, unknown], depth: number): string =>
  `${render(key, depth)}=>${render(value, depth)}`

function sorted<Member>(
  members: Iterable<Member>,
  depth: number,
  renderMember: (member: Member, depth: number) => string,
): string {
  const parts: string[] = []
  let length = 0
  for (const member of members) {
    const part = renderMember(member, depth)
    length += part.length
    if (length > MAX_RENDERED_LENGTH) throw new Unkeyable(TOO_LONG)
    parts.push(part)
  }
  return parts.toSorted().join(',')
}

function renderBytes(value: ArrayBuffer | ArrayBufferView): string {
  const bytes = ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : Buffer.from(value)
  const shown = bytes.length > MAX_BYTES_SHOWN ? `#${digest(bytes)}` : bytes.toString('base64url')
  return `${nameOf(value)}(${shown})`
}

function bounded(text: string): string {
  if (text.length > MAX_RENDERED_LENGTH) throw new Unkeyable(TOO_LONG)
  return text
}

function nameOf(value: object): string {
  const { name } = (value.constructor ?? {}) as { name?: unknown }
  return typeof name === 'string' && name !== '' ? name : 'a class'
}

const digest = (text: string | Buffer): string => hash('sha256', text, 'base64url')
