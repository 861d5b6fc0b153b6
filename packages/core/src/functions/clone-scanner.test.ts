import { deserialize, serialize } from 'node:v8'

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isSoundClone } from './clone-scanner.ts'

const holed = (members: object): unknown[] => Object.assign([], members)

describe('what V8 writes is sound', () => {
  const circle: Record<string, unknown> = {}
  circle['self'] = circle

  test.each<[unknown]>([
    [undefined],
    [-0],
    [-5],
    [2 ** 31],
    [-(2n ** 200n)],
    ['latin ü'],
    ['x'.repeat(200)],
    ['two bytes \u{1f600}'],
    [{ odd: 'a', two: '\u{1f600}' }],
    [Object.assign(holed({ length: 50 }), Array.from({ length: 50 }).fill(1))],
    [holed({ 3: 'x', length: 1000 })],
    [Object.assign([1], { extra: 2 })],
    [new Map<unknown, unknown>([[1, new Map([[{}, new Set([1, circle])]])]])],
    [new Date()],
    [/a\/b/giu],
    [[Object(1), Object('s'), Object(true), Object(false), Object(1n)]],
    [[Buffer.from('b'), new Float64Array(3), new DataView(new ArrayBuffer(3)), new BigInt64Array(1)]],
    [new ArrayBuffer(5)],
    [new RangeError('x', { cause: [new TypeError('y', { cause: new Error('z') }), new Error('')] })],
    [[new EvalError('a'), new ReferenceError('b'), new SyntaxError('c'), new URIError('d')]],
    [Object.assign(new Error('no stack'), { stack: undefined })],
    [circle],
  ])('%o', (value) => {
    expect(isSoundClone(serialize(value))).toBe(true)
  })

  test('whatever it is', () => {
    const anything = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withUnicodeString: true,
    })
    const property = fc.property(anything, (value) => {
      expect(isSoundClone(serialize(value))).toBe(true)
    })
    fc.assert(property, { numRuns: 2000 })
  })
})

describe('what asks for more room than it is worth is not', () => {
  test.each([
    // Thirty million elements in seven bytes.
    ['an array with holes', Buffer.from('ff0f61bba7a505', 'hex')],
    ['the same in another', Buffer.from('ff0f4102618090a10e4000808080a10e24000200', 'hex')],
    ['a buffer that can grow', Buffer.from('ff0f7e008080808008', 'hex')],
    ['something behind it', Buffer.concat([serialize(1), Buffer.from([0])])],
    ['half of it', serialize({ a: 'text' }).subarray(0, -3)],
    ['another version', Buffer.from('ff7f30', 'hex')],
    ['a shared buffer', Buffer.from('ff0f7500', 'hex')],
    ['nothing', Buffer.alloc(0)],
  ])('%s', (_what, bytes) => {
    expect(isSoundClone(bytes)).toBe(false)
  })
})

/** How many places the arrays of a value have. */
function roomOf(bytes: Buffer): number {
  let room = 0
  const seen = new Set<unknown>()
  const waiting: unknown[] = []
  try {
    waiting.push(deserialize(bytes))
  } catch {
    // What has the form of a value need not be one.
  }
  while (waiting.length > 0) {
    const next = waiting.pop()
    if (typeof next !== 'object' || next === null || seen.has(next)) continue
    seen.add(next)
    if (Array.isArray(next)) room += next.length
    if (next instanceof Map) waiting.push(...next.keys(), ...next.values())
    else if (next instanceof Set) waiting.push(...next)
    else if (!ArrayBuffer.isView(next)) waiting.push(...Object.values(next))
  }
  return room
}

test('what is sound takes little room, whatever was changed in it', () => {
  const seeds = [
    { a: [1, 'x', { b: new Date(0) }], m: new Map([[1, new Set(['y'])]]), big: 5n, holes: holed({ 5: 1 }) },
    [new Error('e', { cause: [1] }), /x/g, Object('s'), holed({ 1: 1 }), Buffer.alloc(5), 'zz'],
  ].map(serialize)
  const tags = Buffer.from('^_0TFINZzc"SoabADyxR{[}$@r;:\',V\\~', 'latin1')
  const byte = fc.oneof(fc.constantFrom(...tags), fc.integer({ min: 0, max: 255 }))
  const changed = fc
    .tuple(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(), byte), { maxLength: 4 }))
    .map(([seed, changes]) => {
      const bytes = Buffer.from(seed)
      for (const [at, value] of changes) bytes[at % bytes.length] = value
      return bytes
    })
  const made = fc.array(byte, { maxLength: 30 }).map((rest) => Buffer.from([0xff, 0x0f, ...rest]))
  const property = fc.property(fc.oneof(changed, made), (bytes) => {
    if (!isSoundClone(bytes)) return
    expect(roomOf(bytes)).toBeLessThanOrEqual(bytes.length + 65_536)
  })
  fc.assert(property, { numRuns: 20_000 })
})
