import { crc32 } from 'node:zlib'

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { StoredParts } from '../engine/stored-parts.ts'
import { StoredResponse } from '../engine/stored-response.ts'
import { FOREIGN, decodeFrame, decodePurges, encodeIndex, encodePurges, encodeResponse, isVaryIndex } from './frame.ts'
import { KnownHeads } from './known-heads.ts'

const PARTS: StoredParts = {
  key: 'http:6:a.test2:/x0:',
  selecting: ['accept', 'text/html', 'x-a', null],
  status: 200,
  reason: undefined,
  fields: ['Content-Type', 'text/html', 'X-Latin', '\u00e9'],
  body: Buffer.from('<p>\u00e4</p>'),
  place: {
    host: 'a.test',
    hosts: ['a.test'],
    path: '/x',
    query: '?a=1',
    queryRule: { ignore: ['utm'] },
    search: 'params',
    route: '/:x',
    tags: ['one'],
  },
  freshness: { bornAt: 1, freshUntil: 2, staleUntil: 3, errorUntil: 4 },
  receivedAt: 1.5,
  authorized: false,
  keepUntil: 9,
  isHeuristic: false,
  hasOwnEtag: true,
  isWhole: true,
  isInner: false,
  epoch: 7,
}

/** A frame as a forger makes it: its checksum is right. */
function forge(head: unknown, body = PARTS.body, magic = 'cbk1'): Buffer {
  const text = typeof head === 'string' ? head : JSON.stringify(head)
  const rest = Buffer.concat([Buffer.from(text), body])
  const prefix = Buffer.alloc(8)
  prefix.writeUInt32BE(Buffer.byteLength(text))
  prefix.writeUInt32BE(crc32(rest), 4)
  return Buffer.concat([Buffer.from(magic), prefix, rest])
}

const { body, ...HEAD } = { kind: 'response', ...PARTS, bodyBytes: PARTS.body.length }
const known = new KnownHeads()

/** However often it has been read before, by a cache that remembers heads, the same comes of it. */
function decode(frame: Uint8Array): ReturnType<typeof decodeFrame> {
  const read = decodeFrame(frame, PARTS.key)
  expect(decodeFrame(frame, PARTS.key, known)).toEqual(read)
  expect(decodeFrame(frame, PARTS.key, known)).toEqual(read)
  return read
}

describe('a response', () => {
  test('comes back as it was', () => {
    expect(decode(encodeResponse(PARTS))).toEqual(PARTS)
    expect(decode(forge(HEAD))).toEqual(PARTS)
  })

  test.each<[title: string, patch: Partial<StoredParts>]>([
    ['an empty body', { body: Buffer.alloc(0) }],
    ['all bytes there are', { body: Buffer.from(Array.from({ length: 256 }, (_, i) => i)) }],
    ['a reason of its own', { reason: 'Fine' }],
    [
      'no route, no tags, no fields',
      { place: { ...PARTS.place, search: undefined, route: undefined, tags: [] }, fields: [] },
    ],
    ...[true, false, [], ['a']].map((queryRule): [string, Partial<StoredParts>] => [
      `a query rule ${JSON.stringify(queryRule)}`,
      { place: { ...PARTS.place, queryRule } },
    ]),
  ])('with %s', (_, patch) => {
    expect(decode(encodeResponse({ ...PARTS, ...patch }))).toEqual({ ...PARTS, ...patch })
  })

  test('of any kind comes back as it was', () => {
    const text = fc.array(fc.nat({ max: 0xffff }), { maxLength: 20 }).map((codes) => String.fromCharCode(...codes))
    const token = fc.stringMatching(/^[A-Za-z-]{1,12}$/).map((name) => `x-${name}`)
    const value = fc.stringMatching(/^[\t -~\u0080-\u00ff]{0,20}$/)
    const list = fc.array(text, { maxLength: 3 })
    const time = fc.double({ noNaN: true, noDefaultInfinity: true }).map((one) => one + 0)
    const parts: fc.Arbitrary<StoredParts> = fc.record({
      key: text,
      selecting: fc
        .array(fc.tuple(token, fc.option(text)), { maxLength: 3 })
        .map((pairs) => pairs.flatMap(([name, one]) => [name.toLowerCase(), one])),
      status: fc.integer({ min: 200, max: 599 }).filter((status) => status !== 206 && status !== 304),
      reason: fc.option(value, { nil: undefined }),
      fields: fc.array(fc.tuple(token, value), { maxLength: 4 }).map((pairs) => pairs.flat()),
      body: fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
      place: fc.record({
        host: text,
        hosts: list,
        path: text,
        query: text,
        queryRule: fc.oneof(fc.boolean(), list, fc.record({ ignore: list }, { noNullPrototype: true })),
        search: fc.option(text, { nil: undefined }),
        route: fc.option(text, { nil: undefined }),
        tags: list,
      }),
      freshness: fc.record({ bornAt: time, freshUntil: time, staleUntil: time, errorUntil: time }),
      receivedAt: time,
      authorized: fc.boolean(),
      keepUntil: time,
      isHeuristic: fc.boolean(),
      hasOwnEtag: fc.boolean(),
      isWhole: fc.boolean(),
      isInner: fc.boolean(),
      epoch: fc.nat(),
    })
    fc.assert(
      fc.property(parts, (one) => {
        expect(decodeFrame(encodeResponse(one), one.key)).toEqual(one)
      }),
    )
  })

  test.each([10, 20_000])(
    'of %i bytes is read from the middle of a larger buffer, and does not hold on to it',
    (bytes) => {
      const content = Buffer.alloc(bytes, 'x')
      const frame = encodeResponse({ ...PARTS, body: content })
      const larger = new Uint8Array(frame.length + 20)
      larger.set(frame, 10)
      const read = new StoredResponse(decode(larger.subarray(10, 10 + frame.length)) as StoredParts, 1)
      larger.fill(0)
      expect(read.bytes).toEqual(content)
      expect(read.bytes.buffer).not.toBe(larger.buffer)
    },
  )
})

test.each(['x\0y', 'a,b', 'a b', 'A', '', 'a\n'])('%j is the name of no selecting header', (name) => {
  expect(decode(encodeIndex({ key: PARTS.key, names: [['accept'], [name]] }))).toBeUndefined()
  expect(decode(encodeResponse({ ...PARTS, selecting: [name, 'x'] }))).toBeUndefined()
})

test('what is not kept has the bytes of its frame, what is has bytes of its own', () => {
  const frame = encodeResponse({ ...PARTS, body: Buffer.alloc(20_000, 'x') })
  const bufferOf = (heads?: KnownHeads): ArrayBufferLike =>
    (decodeFrame(frame, PARTS.key, heads) as StoredParts).body.buffer
  expect([bufferOf(known), bufferOf(known)]).toEqual([frame.buffer, frame.buffer])
  expect(bufferOf()).not.toBe(frame.buffer)
})

test('a head is read once, and known by its bytes alone', () => {
  const heads = new KnownHeads()
  const read = (parts: StoredParts, key = parts.key) => decodeFrame(encodeResponse(parts), key, heads)
  const first = read(PARTS) as StoredParts
  const again = read(PARTS) as StoredParts
  expect(again.fields).toBe(first.fields)
  expect(again.place).toBe(first.place)
  // The same head, and bytes that are others: they are what is sent.
  const changed = { ...PARTS, body: Buffer.from(PARTS.body.toString().toUpperCase()) }
  expect(read(changed)).toEqual(changed)
  expect(read({ ...PARTS, status: 404 })).toEqual({ ...PARTS, status: 404 })
  expect(read(PARTS, 'another')).toBe(FOREIGN)
  expect(read(PARTS)).toEqual(PARTS)
})

test('what has the same checksum by chance is told apart, and the length of a body is looked at in any case', () => {
  const frame = encodeResponse(PARTS)
  const checksum = frame.readUInt32BE(8)
  const text = Buffer.from(frame.subarray(12, 12 + frame.readUInt32BE(4)))
  const { body: _, ...parts } = PARTS
  const heads = new KnownHeads()
  heads.note(checksum, Buffer.from(text.toString().replace('200', '201')), {
    key: PARTS.key,
    parts: { ...parts, status: 201 },
    bodyBytes: PARTS.body.length,
  })
  expect(decodeFrame(frame, PARTS.key, heads)).toEqual(PARTS)
  heads.note(checksum, text, { key: PARTS.key, parts, bodyBytes: PARTS.body.length + 1 })
  expect(decodeFrame(frame, PARTS.key, heads)).toBeUndefined()
})

test('what is whole, and stands under another key, is foreign', () => {
  expect(decode(encodeResponse({ ...PARTS, key: `${PARTS.key}x` }))).toBe(FOREIGN)
  expect(decode(encodePurges([]))).toBe(FOREIGN)
})

describe('what is broken is nothing', () => {
  test.each([
    ['a response', encodeResponse(PARTS)],
    ['a list of selecting headers', encodeIndex({ key: PARTS.key, names: [['a'], ['b', 'c']] })],
    // Were the length of its head not checked otherwise, this one would swallow a byte of the body.
    ['a body like the end of a head', encodeResponse({ ...PARTS, body: Buffer.from('   }}}') })],
  ])('every byte that is changed: %s', (_, frame) => {
    for (let at = 0; at < frame.length; at += 1) {
      for (const flip of [1, 0x20, 0x80, 0xff]) {
        const broken = Buffer.from(frame)
        broken[at]! ^= flip
        expect(decode(broken), `byte ${at}`).toBeUndefined()
      }
    }
  })

  test('every piece of it, and more than it', () => {
    const frame = encodeResponse(PARTS)
    for (let length = 0; length < frame.length; length += 1) expect(decode(frame.subarray(0, length))).toBeUndefined()
    expect(decode(Buffer.concat([frame, Buffer.from('x')]))).toBeUndefined()
  })

  test('any bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.uint8Array({ maxLength: 100 }).map((rest) => Buffer.concat([Buffer.from('cbk1'), rest])),
      fc.json().map((json) => forge(json)),
    )
    fc.assert(
      fc.property(bytes, (frame) => {
        // By chance it may name another key, and is foreign then.
        expect([undefined, FOREIGN]).toContain(decode(frame))
        expect([undefined, FOREIGN]).toContain(decodePurges(frame))
      }),
    )
  })

  test.each<[title: string, frame: Buffer]>([
    ['another version', forge(HEAD, body, 'cbk2')],
    ['no version', forge(HEAD, body, 'junk')],
    ['another kind', forge({ ...HEAD, kind: 'other' })],
    ['no kind', forge({ ...HEAD, kind: undefined })],
    ['no JSON', forge('{')],
    ['no object', forge('"x"')],
    ['null', forge('null')],
    ['a list', forge([HEAD])],
    ['a key on the prototype', forge(`{"__proto__":${JSON.stringify(HEAD)}}`)],
    ['less body than there should be', forge(HEAD, body.subarray(1))],
    ['more body than there should be', forge(HEAD, Buffer.concat([body, body]))],
  ])('%s', (_, frame) => {
    expect(decode(frame)).toBeUndefined()
  })

  /** Values that no member may have, unless it stands beside it. */
  const JUNK: readonly unknown[] = [
    undefined,
    null,
    true,
    'x',
    -1.5,
    [],
    ['x'],
    [1],
    {},
    { length: 0 },
    { toString: 'x' },
  ]
  const FITS: Record<string, readonly unknown[]> = {
    // Of another request, then.
    key: ['x'],
    selecting: [[]],
    reason: [undefined, 'x'],
    fields: [[]],
    authorized: [true],
    keepUntil: [-1.5],
    isHeuristic: [true],
    hasOwnEtag: [true],
    isWhole: [true],
    isInner: [true],
    search: [undefined, 'x'],
    receivedAt: [-1.5],
    epoch: [-1.5],
    bornAt: [-1.5],
    freshUntil: [-1.5],
    staleUntil: [-1.5],
    errorUntil: [-1.5],
    host: ['x'],
    hosts: [[], ['x']],
    path: ['x'],
    query: ['x'],
    queryRule: [true, [], ['x']],
    route: [undefined, 'x'],
    tags: [[], ['x']],
  }
  const junkFor = (name: string): [string, unknown][] =>
    JUNK.filter((junk) => !(FITS[name] ?? []).some((fit) => JSON.stringify(fit) === JSON.stringify(junk))).map(
      (junk) => [name, junk],
    )

  test.each(Object.keys(HEAD).flatMap(junkFor))('%s: %j', (name, junk) => {
    expect(decode(forge({ ...HEAD, [name]: junk }))).toBeUndefined()
  })
  test.each(Object.keys(PARTS.place).flatMap(junkFor))('place.%s: %j', (name, junk) => {
    expect(decode(forge({ ...HEAD, place: { ...PARTS.place, [name]: junk } }))).toBeUndefined()
  })
  test.each(Object.keys(PARTS.freshness).flatMap(junkFor))('freshness.%s: %j', (name, junk) => {
    expect(decode(forge({ ...HEAD, freshness: { ...PARTS.freshness, [name]: junk } }))).toBeUndefined()
  })

  test.each<[name: string, value: unknown]>([
    ...[0, 99, 100, 199, 206, 304, 600, 1000, 200.5, '200', '1e309'].map((status): [string, unknown] => [
      'status',
      status,
    ]),
    ['selecting', ['a']],
    ['selecting', [null, 'a']],
    ['selecting', ['a', 1]],
    ['reason', 'a\r\nb'],
    ['fields', ['a']],
    ['fields', ['a', 1]],
    ['fields', ['a', null]],
    ['fields', ['', 'b']],
    ['fields', ['a b', 'c']],
    ['fields', ['a:', 'c']],
    ['fields', ['X', 'a\r\nSet-Cookie: p=1']],
    ['fields', ['X', 'a\nb']],
    ['fields', ['X', 'a\u0000']],
    ['fields', ['X', '\u0101']],
    ['fields', ['X\r\nY', 'a']],
    ['fields', [['X', 'a']]],
    // Never stored by us; each would break what is sent.
    ...['Set-Cookie', 'set-cookie', 'Content-Length', 'Transfer-Encoding', 'Connection', 'Age', 'Trailer'].map(
      (name): [string, unknown] => ['fields', [name, 'a']],
    ),
  ])('%s: %j', (name, value) => {
    expect(decode(forge({ ...HEAD, [name]: value }))).toBeUndefined()
  })

  test('what is not known is left out', () => {
    const forged = forge({ ...HEAD, hits: 5, order: 9, place: { ...PARTS.place, extra: 1 }, toJSON: 'x' })
    expect(decode(forged)).toEqual(PARTS)
    expect(decode(forge(`{"__proto__":{"status":404},${JSON.stringify(HEAD).slice(1)}`))).toEqual(PARTS)
    expect(({} as { status?: number }).status).toBeUndefined()
  })
})

describe('a list of selecting headers', () => {
  const index = { key: 'k', names: [['a', 'b'], ['c']] }

  test('comes back as it was', () => {
    const read = decodeFrame(encodeIndex(index), 'k')
    expect(read).toEqual(index)
    expect([isVaryIndex(index), isVaryIndex(PARTS)]).toEqual([true, false])
    expect(decodeFrame(encodeIndex(index), 'other')).toBe(FOREIGN)
  })

  test.each([undefined, null, 'a', ['a'], [[1]], [null], {}])('is nothing with names %j', (names) => {
    expect(decodeFrame(forge({ kind: 'vary', key: 'k', names }, Buffer.alloc(0)), 'k')).toBeUndefined()
  })
})

test('the record of purges comes back as it was, and is nothing else', () => {
  const frame = encodePurges([{ number: 1 }, { number: 2 }])
  expect(decodePurges(frame)).toEqual([{ number: 1 }, { number: 2 }])
  expect(decodePurges(encodeResponse(PARTS))).toBe(FOREIGN)
  expect(decodePurges(encodeIndex({ key: 'k', names: [] }))).toBe(FOREIGN)
  expect(decodePurges(forge({ kind: 'other' }))).toBeUndefined()
})
