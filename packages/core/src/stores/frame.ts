import { crc32 } from 'node:zlib'

import { MAX_TEXT_BYTES } from '../engine/representation.ts'
import type { StoredParts } from '../engine/stored-parts.ts'
import type { QueryRule } from '../options.ts'
import { HOP_BY_HOP } from '../policy/fields.ts'
import { WIRE_VERSION } from '../policy/key.ts'
import type { Place } from '../policy/selector.ts'
import { isSelectingName } from '../policy/vary.ts'
import { ownBytes } from '../own-bytes.ts'
import type { KnownHeads } from './known-heads.ts'

/**
 * A frame: magic and version, the length of the head, a checksum of all that follows, the head as JSON, the body raw.
 * What comes out of a store is not trusted: whatever does not fit to the last byte is no response.
 */
const MAGIC = Buffer.from(`cbk${WIRE_VERSION}`, 'latin1')
const PREFIX_BYTES = MAGIC.length + 8
const MAX_HEAD_BYTES = 1024 * 1024

/** What is stored under the key of a request whose responses vary: the lists of their selecting headers, newest first. */
export interface VaryIndex {
  readonly key: string
  readonly names: readonly (readonly string[])[]
}

/** All of a response but its body, of which it says how long it is. */
interface FrameHead {
  readonly key: string
  readonly parts: Omit<StoredParts, 'body'>
  readonly bodyBytes: number
}

/** What a head says, each part of it checked. */
export type ReadHead = FrameHead | VaryIndex

export function encodeResponse(parts: StoredParts): Buffer {
  const { body, ...head } = parts
  return encode({ kind: 'response', ...head, bodyBytes: body.length }, body)
}

export function encodeIndex(index: VaryIndex): Buffer {
  return encode({ kind: 'vary', ...index }, EMPTY)
}

/** The one record of the store that is no response, and no list of them. */
export function encodePurges(marks: readonly object[]): Buffer {
  return encode({ kind: 'purges', marks }, EMPTY)
}

/** What a frame is called that is whole and does not belong where it was found. */
export const FOREIGN: unique symbol = Symbol('foreign')

/** Reads what lies in a store, as far as its cache is concerned. */
export type Decode = (frame: Uint8Array, key: string) => StoredParts | VaryIndex | typeof FOREIGN | undefined

/**
 * Reads a frame that should stand under this full key. Undefined for all that is broken or of another version. `known`:
 * the heads that a cache without copies in memory has read before; what it reads does not outlive the answer to one
 * request, so the body stays where it is.
 */
export function decodeFrame(bytes: Uint8Array, key: string, known?: KnownHeads): ReturnType<Decode> {
  const opened = open(bytes)
  if (opened === undefined) return undefined
  const { checksum, text, body } = opened
  const before = known?.find(checksum, text)
  const head = before?.key === key ? before : readHead(text, key)
  if (head === undefined || head === FOREIGN) return head
  if (head !== before) known?.note(checksum, text, head)
  if (isVaryIndex(head)) return head
  if (head.bodyBytes !== body.length) return undefined
  return { ...head.parts, body: known === undefined ? keptBytes(body) : body }
}

/** Reads the record of purges. */
export function decodePurges(bytes: Uint8Array): unknown {
  const opened = open(bytes)
  const head = opened && parse(opened.text)
  if (head?.['kind'] === 'purges') return head['marks']
  return head?.['kind'] === 'response' || head?.['kind'] === 'vary' ? FOREIGN : undefined
}

export function isVaryIndex(stored: StoredParts | ReadHead): stored is VaryIndex {
  return 'names' in stored
}

const EMPTY = Buffer.alloc(0)

function encode(head: object, body: Buffer): Buffer {
  const headText = JSON.stringify(head)
  const headBytes = Buffer.byteLength(headText)
  const frame = Buffer.allocUnsafeSlow(PREFIX_BYTES + headBytes + body.length)
  MAGIC.copy(frame)
  frame.writeUInt32BE(headBytes, MAGIC.length)
  frame.write(headText, PREFIX_BYTES)
  body.copy(frame, PREFIX_BYTES + headBytes)
  frame.writeUInt32BE(crc32(frame.subarray(PREFIX_BYTES)), MAGIC.length + 4)
  return frame
}

interface Opened {
  readonly checksum: number
  /** The head, as JSON. */
  readonly text: Buffer
  readonly body: Buffer
}

/** Undefined where the frame is not as its prefix says. */
function open(bytes: Uint8Array): Opened | undefined {
  const frame = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (frame.length < PREFIX_BYTES || frame.compare(MAGIC, 0, MAGIC.length, 0, MAGIC.length) !== 0) return undefined
  const bodyAt = PREFIX_BYTES + frame.readUInt32BE(MAGIC.length)
  if (bodyAt > PREFIX_BYTES + MAX_HEAD_BYTES || bodyAt > frame.length) return undefined
  const checksum = frame.readUInt32BE(MAGIC.length + 4)
  if (checksum !== crc32(frame.subarray(PREFIX_BYTES))) return undefined
  return { checksum, text: frame.subarray(PREFIX_BYTES, bodyAt), body: frame.subarray(bodyAt) }
}

function parse(text: Buffer): Record<string, unknown> | undefined {
  try {
    const head: unknown = JSON.parse(text.toString())
    return typeof head === 'object' && head !== null ? (head as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function readHead(text: Buffer, key: string): ReadHead | typeof FOREIGN | undefined {
  const head = parse(text)
  if (head === undefined) return undefined
  if (head['kind'] === 'purges' || (typeof head['key'] === 'string' && head['key'] !== key)) return FOREIGN
  if (head['key'] !== key) return undefined
  if (head['kind'] === 'vary') return readIndex(head, key)
  return head['kind'] === 'response' ? readResponse(head, key) : undefined
}

/** Copies the known properties one by one, each checked. */
function readResponse(head: Record<string, unknown>, key: string): FrameHead | undefined {
  const {
    selecting,
    status,
    reason,
    fields,
    place,
    freshness,
    receivedAt,
    authorized,
    epoch,
    bodyBytes,
    keepUntil,
    isHeuristic,
    hasOwnEtag,
    isWhole,
    isInner,
  } = head
  if (!isNumber(bodyBytes) || !isStatus(status) || !isFieldLines(fields)) return undefined
  if (!isSelecting(selecting) || !isNumber(receivedAt) || !isNumber(epoch) || typeof authorized !== 'boolean') {
    return undefined
  }
  if (typeof isWhole !== 'boolean' || typeof isInner !== 'boolean') return undefined
  if (!isNumber(keepUntil) || typeof hasOwnEtag !== 'boolean' || typeof isHeuristic !== 'boolean') return undefined
  if (reason !== undefined && (typeof reason !== 'string' || !isFieldValue('reason', reason))) return undefined
  const times = readTimes(freshness)
  const readPlace = readPlaceOf(place)
  if (times === undefined || readPlace === undefined) return undefined
  const parts = {
    key,
    selecting,
    status,
    reason,
    fields,
    place: readPlace,
    freshness: times,
    receivedAt,
    authorized,
    keepUntil,
    isHeuristic,
    hasOwnEtag,
    isWhole,
    isInner,
    epoch,
  }
  return { key, parts, bodyBytes }
}

function readIndex(head: Record<string, unknown>, key: string): VaryIndex | undefined {
  const { names } = head
  return Array.isArray(names) && names.every(isNames) ? { key, names } : undefined
}

function readTimes(value: unknown): StoredParts['freshness'] | undefined {
  const { bornAt, freshUntil, staleUntil, errorUntil } = asObject(value)
  if (!isNumber(bornAt) || !isNumber(freshUntil) || !isNumber(staleUntil) || !isNumber(errorUntil)) return undefined
  return { bornAt, freshUntil, staleUntil, errorUntil }
}

function readPlaceOf(value: unknown): Place | undefined {
  const { host, hosts, path, query, queryRule, search, route, tags } = asObject(value)
  if (typeof host !== 'string' || !isStrings(hosts) || typeof path !== 'string' || typeof query !== 'string') {
    return undefined
  }
  if (!isStrings(tags) || (route !== undefined && typeof route !== 'string')) return undefined
  if (search !== undefined && typeof search !== 'string') return undefined
  const rule = readQueryRule(queryRule)
  return rule === undefined ? undefined : { host, hosts, path, query, queryRule: rule, search, route, tags }
}

function readQueryRule(value: unknown): QueryRule | undefined {
  if (typeof value === 'boolean' || isStrings(value)) return value
  const { ignore } = asObject(value)
  return isStrings(ignore) ? { ignore } : undefined
}

const asObject = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((member) => typeof member === 'string')
/** What is no token can name no header, and would be taken for something else in a list of them. */
const isNames = (value: unknown): value is string[] => isStrings(value) && value.every(isSelectingName)
/** A final one that is ever stored: 206 and 304 are not. */
const isStatus = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) > 199 && Number(value) < 600 && value !== 206 && value !== 304

function isSelecting(value: unknown): value is (string | null)[] {
  return (
    Array.isArray(value) &&
    value.length % 2 === 0 &&
    value.every((member, index) =>
      index % 2 === 0
        ? typeof member === 'string' && isSelectingName(member)
        : member === null || typeof member === 'string',
    )
  )
}

/** CR, LF and the like would throw on every hit, and a Set-Cookie can only be a forgery. */
function isFieldLines(value: unknown): value is string[] {
  if (!isStrings(value) || value.length % 2 !== 0) return false
  for (let i = 0; i < value.length; i += 2) {
    if (!isFieldValue(value[i]!, value[i + 1]!)) return false
    if (FORBIDDEN_FIELDS.has(value[i]!.toLowerCase())) return false
  }
  return true
}

const FORBIDDEN_FIELDS = new Set(['set-cookie', 'content-length', 'age', ...HOP_BY_HOP])

/** RFC 9110 §5.1, §5.5: what Node would refuse to send, it would refuse on every hit. */
const isFieldValue = (name: string, value: string): boolean => FIELD_NAME.test(name) && FIELD_VALUE.test(value)
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const FIELD_VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/

/** A small body becomes a string at once; another must not keep the frame alive. */
const keptBytes = (body: Buffer): Buffer => (body.length <= MAX_TEXT_BYTES ? body : ownBytes(body))
