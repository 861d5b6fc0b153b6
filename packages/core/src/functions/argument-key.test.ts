import { isDeepStrictEqual } from 'node:util'

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keyOfArguments } from './argument-key.ts'

const holed = (members: object): unknown[] => Object.assign([], members)
const keyOf = (...args: unknown[]): string => keyOfArguments('f', args)

describe('keys can be read', () => {
  test.each<[unknown[], string]>([
    [[], ''],
    [['ada', 2], 'ada,2'],
    [['a b', 'x,y', 'quote"', ''], '"a b","x,y","quote\\"",""'],
    [['1', 'true', 'null', 'NaN', '-0', '1n', '-'], '"1","true","null","NaN","-0","1n","-"'],
    [['en-GB', 'a@b.example', 'a/b'], 'en-GB,a@b.example,a/b'],
    [[1, -0, 0, Number.NaN, Infinity, 1e21, 1n], '1,-0,0,NaN,Infinity,1e+21,1n'],
    [[undefined, null, true], 'undefined,null,true'],
    [[{ page: 2, by: ['date', 'name'], 'a b': {} }], '{"a b":{},by:[date,name],page:2}'],
    [[new Date(0), new Date(Number.NaN)], 'Date(1970-01-01T00:00:00.000Z),Date(NaN)'],
    [
      [
        new Map([
          ['b', 1],
          ['a', 2],
        ]),
      ],
      'Map(a=>2,b=>1)',
    ],
    [[new Set([2, 1])], 'Set(1,2)'],
    [[/a/gi], 'RegExp(["/a/gi",0])'],
    [[new URL('http://a.test/x')], 'URL("http://a.test/x")'],
    [[new Uint8Array([1, 2]), Buffer.from([1, 2])], 'Uint8Array(AQI),Buffer(AQI)'],
    [[holed({ 0: 'a', 2: 'b' })], '[a,-,b]'],
  ])('%o', (args, key) => {
    expect(keyOf(...args)).toBe(key)
  })
})

describe('what differs has another key', () => {
  test.each<[unknown[], unknown[]]>([
    [[1], ['1']],
    [[], [undefined]],
    [['a'], ['a', undefined]],
    [[{ a: undefined }], [{}]],
    [[0], [-0]],
    [[null], [undefined]],
    [[1], [1n]],
    [['a', 'b'], ['a,b']],
    [[['a'], 'b'], [['a', 'b']]],
    [[[]], [holed({ length: 1 })]],
    [[[undefined]], [holed({ length: 1 })]],
    [[{ a: 1, b: 2 }], [{ a: '1,b:2' }]],
    [[{}], [[]]],
    [[new Date(0)], [0]],
    [[new Date(0)], ['Date(1970-01-01T00:00:00.000Z)']],
    [[new Map([['a', 1]])], [{ a: 1 }]],
    [[new Set(['a'])], [['a']]],
    [[new Uint8Array(4)], [new Uint8ClampedArray(4)]],
    [[new Uint8Array(100)], [new Uint8Array(101)]],
    [['x'.repeat(5000)], [`${'x'.repeat(4999)}y`]],
    [['\u{d800}'], ['\u{fffd}']],
  ])('%o and %o', (one, other) => {
    expect(keyOf(...one)).not.toBe(keyOf(...other))
  })
})

describe('what cannot be told apart throws', () => {
  class User {
    id = 1
  }
  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  let bomb: unknown = 'x'
  for (let i = 0; i < 60; i += 1) bomb = [bomb, bomb]

  test.each<[string, unknown]>([
    ['a function', () => undefined],
    ['a symbol', Symbol('s')],
    ['an instance of User', new User()],
    ['an instance of Promise', Promise.resolve()],
    ['an instance of Error', new Error('x')],
    ['an instance of WeakMap', new WeakMap()],
    ['an instance of Number', Object(1)],
    ['named by a symbol', { [Symbol('s')]: 1 }],
    ['array with properties', Object.assign(['a'], { index: 1 })],
    ['properties', Object.assign(new Date(0), { zone: 'a' })],
    ['properties', Object.assign(new Map([[1, 2]]), { zone: 'a' })],
    ['refers to itself', circular],
    ['longer than a key', bomb],
    ['longer than a key', holed({ length: 2 ** 31 })],
  ])('%s', (what, value) => {
    const error = expect.objectContaining({
      code: 'CACHEBACK_UNKEYABLE_ARGUMENT',
      message: expect.stringContaining(what) as string,
    })
    expect(() => keyOf(1, value)).toThrow(error)
    expect(() => keyOf(1, { deep: [value] })).toThrow(/Argument 2 of f /)
  })

  test('what a getter throws passes', () => {
    const value = {
      get boom() {
        throw new RangeError('mine')
      },
    }
    expect(() => keyOf(value)).toThrow(new RangeError('mine'))
  })
})

test('a long key is short, and begins like the argument', () => {
  const key = keyOf({ text: 'word '.repeat(10_000) })
  expect(key.length).toBeLessThan(200)
  expect(key).toMatch(/^\{text:"word word .*~[\w-]{43}$/)
})

/** Anything that can be an argument; small, so that equal ones come up. */
const argument = fc.letrec<{ any: unknown; leaf: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    tie('leaf'),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'a,b', '__proto__', ''), tie('any'), { maxKeys: 3, noNullPrototype: true }),
    fc.array(fc.tuple(tie('leaf'), tie('any')), { maxLength: 2 }).map((entries) => new Map(entries)),
    fc.array(tie('leaf'), { maxLength: 3 }).map((members) => new Set(members)),
  ),
  leaf: fc.oneof(
    fc.constantFrom<unknown>(
      0,
      -0,
      1,
      '1',
      '',
      'a',
      'a,b',
      'Date(0)',
      '{',
      ']',
      '-',
      '~',
      true,
      'true',
      undefined,
      null,
    ),
    fc.constantFrom<unknown>(Number.NaN, Infinity, 'Infinity', 1n, '1n', -1n),
    fc.integer({ min: -2, max: 2 }),
    fc.string({ maxLength: 3, unit: 'binary' }),
    fc.integer({ min: 0, max: 3 }).map((ms) => new Date(ms)),
    fc.uint8Array({ maxLength: 2 }),
    fc.constantFrom(/a/, /a/g, new URL('http://a.test/')),
  ),
})).any

const list = fc.array(argument, { maxLength: 3 })

/** The same, made anew, with the properties of objects and the members of Maps and Sets the other way round. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned)
  if (value instanceof Map) return new Map([...value].toReversed().map(([k, v]) => [k, turned(v)] as const))
  if (value instanceof Set) return new Set([...value].toReversed())
  if (value instanceof Date) return new Date(value)
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  const copy = {}
  for (const [name, member] of Object.entries(value).toReversed()) {
    Object.defineProperty(copy, name, { value: turned(member), enumerable: true, configurable: true, writable: true })
  }
  return copy
}

describe('keys are equal if and only if the arguments are', () => {
  test('for any two', () => {
    const property = fc.property(list, list, (one, other) => {
      expect(keyOf(...one) === keyOf(...other)).toBe(isDeepStrictEqual(one, other))
    })
    fc.assert(property, { numRuns: 3000 })
  })

  test('in whatever order their properties stand', () => {
    const property = fc.property(list, (args) => {
      const again = args.map(turned)
      expect(isDeepStrictEqual(again, args)).toBe(true)
      expect(keyOf(...again)).toBe(keyOf(...args))
    })
    fc.assert(property, { numRuns: 2000 })
  })

  test('for two that differ in one place', () => {
    const property = fc.property(argument, argument, argument, (shared, one, other) => {
      const pair = [one, other].map((value) => [{ shared, list: [value, shared] }])
      expect(keyOf(...pair[0]!) === keyOf(...pair[1]!)).toBe(isDeepStrictEqual(one, other))
    })
    fc.assert(property, { numRuns: 2000 })
  })
})
