import { deserialize, serialize } from 'node:v8'

import { ownBytes } from '../own-bytes.ts'
import { isSoundClone } from './clone-scanner.ts'

/**
 * Values become bytes by V8's structured clone (docs/decisions/values.md): what it cannot clone throws, and so
 * does what would not be read again. A copy, since the serialiser's own buffer has room to grow.
 */
export function encodeValue(value: unknown): Buffer {
  const bytes = serialize(value)
  if (!isSoundClone(bytes)) throw new TypeError('an array with too many holes')
  return ownBytes(bytes)
}

/**
 * Bytes that come out of a store are not trusted: they may throw. Buffers and typed arrays among the values are views of
 * the very bytes that are read, so each reading has bytes of its own, in no pool shared with others.
 */
export function decodeValue(bytes: Buffer): unknown {
  return deserialize(ownBytes(bytes))
}

/** Reads bytes that nobody has read before. Throws for those that are no value, or would take more room than they are worth. */
export function decodeUnknown(bytes: Buffer): unknown {
  if (!isSoundClone(bytes)) throw new TypeError('no value')
  return decodeValue(bytes)
}

/** What V8 takes for an object, an array, a property, a number or the head of a string. */
const OBJECT_BYTES = 56
const SLOT_BYTES = 16

/**
 * Freezes a value that is plain all through (objects, arrays, primitives), so that all callers can share it, and returns
 * how many bytes it takes. Undefined for all others: a Date or a Map changes however frozen it is.
 */
export function freezePlain(value: unknown): number | undefined {
  let bytes = SLOT_BYTES
  const waiting: unknown[] = [value]
  while (waiting.length > 0) {
    const next = waiting.pop()
    if (typeof next === 'string') bytes += SLOT_BYTES + next.length * 2
    if (typeof next !== 'object' || next === null || Object.isFrozen(next)) continue
    if (!isPlain(next)) return undefined
    Object.freeze(next)
    bytes += OBJECT_BYTES
    for (const member of Object.values(next)) {
      bytes += SLOT_BYTES
      waiting.push(member)
    }
  }
  return bytes
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === Array.prototype
}

/** An error as it is stored: V8 keeps its kind, message, stack and cause; of its own properties those that are primitive. */
export function encodeError(error: unknown): Buffer {
  const own = error instanceof Error ? Object.entries(error).filter(([, value]) => Object(value) !== value) : []
  return encodeValue({ error, own })
}

export function decodeError(bytes: Buffer): unknown {
  const { error, own } = decodeUnknown(bytes) as { error: unknown; own: [string, unknown][] }
  for (const [name, value] of own) {
    Object.defineProperty(error, name, { value, writable: true, enumerable: true, configurable: true })
  }
  return error
}
