import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { decodeError, decodeUnknown, decodeValue, encodeError, encodeValue, freezePlain } from './codec.ts'

const holed = (members: object): unknown[] => Object.assign([], members)
const through = (value: unknown): unknown => decodeValue(encodeValue(value))

describe('a value comes back as it was', () => {
  test.each([
    [undefined],
    [null],
    [-0],
    [Number.NaN],
    [2n ** 80n],
    ['ü\u{1f600}\u{d800}'],
    [new Date(5)],
    [/a/giu],
    [new Map([[{ a: 1 }, new Set([1])]])],
    [holed({ 0: 1, 2: undefined })],
    [{ __proto__: null, a: undefined }],
    [new Uint16Array([1, 2, 3])],
    [new Float64Array([1.5])],
    [Buffer.from('bytes')],
    [new Uint8Array([1]).buffer],
    [new RangeError('x', { cause: 'y' })],
  ])('%o', (value) => {
    expect(through(value)).toEqual(value)
    expect(Object.prototype.toString.call(through(value))).toBe(Object.prototype.toString.call(value))
  })

  test('what refers to itself does so again', () => {
    const value: Record<string, unknown> = {}
    value['self'] = value
    const back = through(value) as Record<string, unknown>
    expect(back['self']).toBe(back)
  })

  test('whatever JSON can hold', () => {
    const property = fc.property(fc.jsonValue(), (value) => {
      expect(through(value)).toStrictEqual(value)
    })
    fc.assert(property)
  })

  test('nor what has more holes than bytes', () => {
    expect(() => encodeValue(holed({ length: 2 ** 20 }))).toThrow(/holes/)
    expect(through(holed({ length: 1000 }))).toHaveLength(1000)
  })

  test.each([[() => 1], [Symbol('s')], [{ a: Promise.resolve() }], [new WeakMap()]])('%o cannot', (value) => {
    expect(() => encodeValue(value)).toThrow(/could not be cloned/)
  })
})

test('bytes of a value are its own: neither of what is stored, nor of a pool', () => {
  const stored = encodeValue({ buffer: Buffer.from('hello'), numbers: new Float64Array([1]) })
  const before = Buffer.from(stored)
  const value = decodeValue(stored) as { buffer: Buffer; numbers: Float64Array }
  value.buffer.fill(0)
  expect(stored).toEqual(before)
  expect(value.buffer.buffer.byteLength).toBe(stored.length)
})

describe('an error', () => {
  test('keeps its kind, message and cause, and of its own properties the primitive ones', () => {
    const error = Object.assign(new TypeError('x', { cause: 'y' }), { code: 'E', socket: { write: () => 1 } })
    const back = decodeError(encodeError(error))
    expect(back).toBeInstanceOf(TypeError)
    expect(back).toMatchObject({ message: 'x', cause: 'y', code: 'E' })
    expect(back).not.toHaveProperty('socket')
  })

  test('may be anything that was thrown', () => {
    expect(decodeError(encodeError('no'))).toBe('no')
    expect(decodeError(encodeError(undefined))).toBeUndefined()
  })

  test('changes no prototype, whatever the store says', () => {
    const bytes = encodeValue({ error: new Error('x'), own: [['__proto__', { polluted: true }]] })
    const back = decodeError(bytes)
    expect(back).toBeInstanceOf(Error)
    expect(Object.getPrototypeOf(back)).toBe(Error.prototype)
    expect({}).not.toHaveProperty('polluted')
  })
})

describe('what is plain is frozen all through', () => {
  test('and its size told', () => {
    const value = { list: [{ a: 'x' }], empty: {}, n: 1 }
    const bytes = freezePlain(value)
    expect(bytes).toBeGreaterThan(100)
    expect(Object.isFrozen(value.list[0])).toBe(true)
    expect(Object.isFrozen(value.empty)).toBe(true)
    expect(freezePlain('x'.repeat(1000))).toBeGreaterThan(1000)
    expect(freezePlain(undefined)).toBeGreaterThan(0)
  })

  test.each([
    [new Date()],
    [[new Map()]],
    [{ a: new Set() }],
    [{ a: [Buffer.alloc(1)] }],
    [new Error('x')],
    [Object(1)],
  ])('and %o is not', (value) => {
    expect(freezePlain(value)).toBeUndefined()
  })

  test('also where it refers to itself, or is nested deeply', () => {
    const circle: Record<string, unknown> = {}
    circle['self'] = circle
    expect(freezePlain(circle)).toBeDefined()
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i += 1) deep = [deep]
    expect(freezePlain(deep)).toBeGreaterThan(100_000)
  })
})

const attempt = (act: () => unknown): void => {
  try {
    act()
  } catch (error) {
    if (!(error instanceof Error)) throw error
  }
}

// What comes out of a store may be anything: it throws or is a value, quickly, and changes nothing else.
test('hostile bytes', () => {
  const seeds = [
    { a: [1, 'x', { b: new Date(0) }], m: new Map([[1, new Set(['y'])]]), big: 5n },
    { buffer: Buffer.alloc(20), f: new Float64Array(3), dv: new DataView(new ArrayBuffer(4)) },
    [new Error('e'), /x/g, Object(1), Object('s'), holed({ 1: 1 })],
  ].map(encodeValue)
  const mutation = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }))
  const mutated = fc
    .tuple(fc.constantFrom(...seeds), fc.array(mutation, { minLength: 1, maxLength: 6 }), fc.option(fc.nat()))
    .map(([seed, changes, cut]) => {
      const bytes = Buffer.from(seed)
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte
      return cut === null ? bytes : bytes.subarray(0, cut % bytes.length)
    })
  const junk = fc.uint8Array({ maxLength: 40 }).map((tail) => Buffer.from([0xff, 0x0f, ...tail]))
  fc.assert(
    fc.property(fc.oneof(mutated, junk), (bytes) => {
      const startedAt = performance.now()
      attempt(() => freezePlain(decodeUnknown(bytes)))
      expect(performance.now() - startedAt).toBeLessThan(1000)
      expect(Object.keys(Object.prototype)).toEqual([])
    }),
    { numRuns: 20_000 },
  )
})
