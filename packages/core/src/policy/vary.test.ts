import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { request } from '../../../../test/support/unit.ts'
import type { RouteOptions } from '../options.ts'
import { resolveRules } from '../settings.ts'
import type { FieldLines } from './fields.ts'
import { isSelectedBy, isSelectingTooLong, namesOf, readVary, selectingOf } from './vary.ts'

const list = (length: number): string => Array.from({ length }, (_, i) => `x-${i}`).join()

describe('readVary', () => {
  test.each<[fields: FieldLines, read: string[] | string, options?: RouteOptions]>([
    [[], []],
    [['Vary', ''], []],
    [['Vary', 'Accept-Language'], ['accept-language']],
    [
      ['Vary', 'b, A,, a ,\tB'],
      ['a', 'b'],
    ],
    [
      ['Vary', 'b', 'vary', 'a'],
      ['a', 'b'],
    ],
    // In any spelling, in any place.
    ...['*', '*, *', ', *', 'foo, *', '*,foo', ' * '].map((value): [FieldLines, string] => [
      ['Vary', value],
      'vary-any',
    ]),
    [['Vary', 'foo', 'Vary', '*'], 'vary-any'],
    ...['a b', 'a;b', '"a"', 'a:b', 'a\u0001', 'é', '(a)', 'x'.repeat(101)].map((value): [FieldLines, string] => [
      ['Vary', `accept, ${value}`],
      'vary-invalid',
    ]),
    [['Vary', 'x'.repeat(100)], ['x'.repeat(100)]],
    [['Vary', list(32)], list(32).split(',').toSorted()],
    [['Vary', list(33)], 'vary-invalid'],
    ...['Authorization', 'X-API-Key', 'proxy-authorization'].map((value): [FieldLines, string] => [
      ['Vary', value],
      'vary-credential',
    ]),
    [['Vary', 'X-Mine'], 'vary-credential', { credentials: ['x-mine'] }],
    [['Vary', 'X-API-Key'], ['x-api-key'], { credentials: ['x-mine'] }],
    [['Vary', 'Authorization'], 'vary-credential', { credentials: [] }],
    // In the key already.
    [['Vary', 'Host, a'], ['a']],
    [['Vary', 'A, b'], ['b'], { vary: ['a', 'c'] }],
    [['Vary', 'Cookie'], [], { cookies: 'bypass' }],
    [['Vary', 'Cookie, a'], ['a'], { cookies: { key: ['lang'] } }],
    // Not in the key at all.
    [['Vary', 'Cookie'], 'vary-cookie', { cookies: 'ignore' }],
    [['Vary', 'Cookie'], 'vary-cookie', { cookies: { bypass: ['sid'] } }],
  ])('%j: %j', (fields, read, options = {}) => {
    expect(readVary(fields, resolveRules([options]))).toEqual(
      typeof read === 'string' ? { reason: read } : { names: read },
    )
  })
})

describe('selecting headers', () => {
  const selecting = selectingOf(['a', 'b', 'c'], request({ a: 'x', b: '' }))

  test('are values, empty or absent', () => {
    expect(selecting).toEqual(['a', 'x', 'b', '', 'c', null])
    expect(namesOf(selecting)).toEqual(['a', 'b', 'c'])
  })

  test.each<[headers: Record<string, string>, isSelected: boolean]>([
    [{ a: 'x', b: '' }, true],
    [{ a: 'x', b: '', d: 'y' }, true],
    [{ a: 'x' }, false],
    [{ a: 'x', b: '', c: '' }, false],
    [{ a: 'X', b: '' }, false],
    [{ a: 'x,x', b: '' }, false],
    // White space around the members of a list, and empty members, are nothing (RFC 9110 §5.6.1).
    [{ a: ' x ', b: ' ' }, true],
    [{ a: 'x,', b: ',' }, true],
    [{ b: '' }, false],
    [{ a: 'x', b: 'null' }, false],
    [{ a: 'x', b: '', c: 'null' }, false],
    [{}, false],
  ])('%j is selected: %s', (headers, isSelected) => {
    expect(isSelectedBy(selecting, request(headers))).toBe(isSelected)
  })

  test('none select everybody', () => {
    expect(isSelectedBy([], request({ a: 'x' }))).toBe(true)
  })
})

const of = (names: readonly string[], headers: Record<string, string>): unknown => selectingOf(names, request(headers))

describe('requests that are selected by the same share one list', () => {
  test('and one list alone', () => {
    expect(of(['a'], { a: 'x' })).toBe(of(['a'], { a: 'x', b: 'y' }))
    expect(of(['a'], { a: 'x' })).not.toBe(of(['a'], { a: 'y' }))
  })

  test('whatever stands in names and values, no list is taken for another', () => {
    const part = fc.array(fc.constantFrom('a', 'b', '0', '1', '2', ':', '-', ',', '\0', '\n'), { maxLength: 4 })
    const text = part.map((characters) => characters.join(''))
    const one = fc.array(fc.tuple(text, fc.option(text)), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(one, (pairs) => {
        const names = pairs.map(([name]) => name)
        const headers = Object.fromEntries(pairs.filter((pair): pair is [string, string] => pair[1] !== null))
        // Half of its members are names: as they were asked for, whatever was asked for before.
        expect(selectingOf(names, request(headers)).filter((_, index) => index % 2 === 0)).toEqual(names)
      }),
      { numRuns: 2000 },
    )
  })
})

test('what has been read of a Vary is kept for each set of rules', () => {
  const vary = ['Vary', 'X-Known-Once']
  const rules = resolveRules([])
  expect(readVary(vary, rules)).toEqual({ names: ['x-known-once'] })
  expect(readVary(vary, { ...rules, vary: ['x-known-once'] })).toEqual({ names: [] })
  expect(readVary(vary, { ...rules, credentials: ['x-known-once'] })).toEqual({ reason: 'vary-credential' })
  expect(readVary(vary, rules)).toEqual({ names: ['x-known-once'] })
  for (let i = 0; i < 100; i += 1) expect(readVary(['Vary', `a-${i}`], rules)).toEqual({ names: [`a-${i}`] })
  for (let i = 0; i < 100; i += 1) expect(readVary(['Vary', `a-${i}`], rules)).toEqual({ names: [`a-${i}`] })
})

describe('two values that mean the same select the same', () => {
  test.each<[name: string, one: string, other: string, isSame: boolean]>([
    ['a', 'foo, bar', 'foo,bar', true],
    ['a', 'foo, bar', 'foo,, ,bar ,', true],
    ['a', 'foo, bar', 'foobar', false],
    ['a', 'foo, bar', 'bar, foo', false],
    ['a', 'foo bar', 'foo  bar', false],
    ['a', 'foo', 'FOO', false],
    ['a', '"a, b"', '"a,b"', false],
    ['accept-language', 'de-AT, en', 'DE-at,EN', true],
    ['accept-language', 'de;q=0.5', 'de; q=0.5', false],
  ])('%s: %j and %j: %s', (name, one, other, isSame) => {
    const stored = selectingOf([name], request({ [name]: one }))
    expect(isSelectedBy(stored, request({ [name]: other }))).toBe(isSame)
    expect(isSelectedBy(stored, request({ [name]: one }))).toBe(true)
  })
})

test('a value as it is compared is compared as it is', () => {
  const value = fc
    .array(fc.constantFrom('a', 'B', '0', ',', ' ', '\t', '"', ';q=1', 'İ'), { maxLength: 8 })
    .map((parts) => parts.join(''))
  fc.assert(
    fc.property(fc.constantFrom('accept', 'accept-language'), value, (name, sent) => {
      const [, compared] = selectingOf([name], request({ [name]: sent }))
      expect(selectingOf([name], request({ [name]: compared! }))).toEqual([name, compared])
    }),
  )
})

test('a selecting value of over 1 KiB is too long', () => {
  expect(isSelectingTooLong(['a', 'x'.repeat(1024), 'b', null])).toBe(false)
  expect(isSelectingTooLong(['a', null, 'b', 'x'.repeat(1025)])).toBe(true)
})
