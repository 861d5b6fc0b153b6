import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deltaMs, directiveMs, parseCacheControl } from './cache-control.ts'

const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`

describe('parseCacheControl', () => {
  test.each<[value: string, directives: Record<string, string>]>([
    ['', {}],
    ['no-store', { 'no-store': '' }],
    ['PUBLIC, Max-Age=60', { public: '', 'max-age': '60' }],
    [' max-age=60 ,\tpublic ', { 'max-age': '60', public: '' }],
    [',, max-age=60 ,,', { 'max-age': '60' }],
    ['max-age="60"', { 'max-age': '60' }],
    ['max-age=', { 'max-age': '' }],
    ['private="set-cookie, x-a", public', { private: 'set-cookie, x-a', public: '' }],
    ['no-cache=""', { 'no-cache': '' }],
    ['foo="max-age=99"', { foo: 'max-age=99' }],
    ['foo="a, max-age=99", public', { foo: 'a, max-age=99', public: '' }],
    [String.raw`foo="a\"b, max-age=99"`, { foo: 'a"b, max-age=99' }],
    ['"max-age=99"', {}],
    ['max-age=60, max-age=30', { 'max-age': '30' }],
    ['max-age=30, max-age=60', { 'max-age': '30' }],
    ['max-age=60, max-age=junk', { 'max-age': 'junk' }],
    ['private, private="x"', { private: '' }],
    ['__proto__=1, constructor=2', { ['__proto__']: '1', constructor: '2' }],
  ])('%j', (value, directives) => {
    expect([...parseCacheControl([value])]).toEqual(Object.entries(directives))
  })

  test.each([
    ['no-store;x', 'no-store'],
    ['no-store x', 'no-store'],
    ['no-store="', 'no-store'],
    ['no-store=x=y', 'no-store'],
    ['private=""', 'private'],
    ['no-cache="x', 'no-cache'],
    ['foo="a,b", private', 'private'],
    ['foo=a"b,c", private', 'private'],
    ['max-age=60\t,\tPrivate', 'private'],
    // A quote that nothing closes is junk, not a string: it hides nothing.
    ['foo="x, no-store', 'no-store'],
    ['foo=a"b, private', 'private'],
    [String.raw`foo="x\", no-store`, 'no-store'],
    // Semicolons are a common mistake.
    ['max-age=60; private', 'private'],
    ['public; no-store, s-maxage=60', 'no-store'],
  ])('fails closed: %j is %s', (value, directive) => {
    expect([...parseCacheControl([value]).keys()]).toContain(directive)
  })

  test('reads each line by itself', () => {
    const directives = parseCacheControl(['max-age=60, ext="x', 'private, max-age=30'])
    expect(Object.fromEntries(directives)).toMatchObject({ 'max-age': '30', private: '' })
  })

  test('reads back whatever is written by the grammar', () => {
    const name = fc.stringMatching(/^[a-z][a-z-]{0,9}$/)
    const argument = fc.oneof(fc.constant(undefined), fc.stringMatching(/^[\t -~]{0,20}$/))
    const directives = fc.uniqueArray(fc.tuple(name, argument), { selector: ([one]) => one })
    fc.assert(
      fc.property(directives, (list) => {
        const written = list.map(([one, text]) => (text === undefined ? one : `${one}=${quoted(text)}`)).join(' , ')
        expect([...parseCacheControl([written])]).toEqual(list.map(([one, text]) => [one, text ?? '']))
      }),
    )
  })

  // A quadratic parser needs seconds for these.
  test.each([
    ['70,000 spaces', `a${' '.repeat(70_000)}z, no-store`],
    ['70,000 spaces behind =', `a=${' '.repeat(70_000)}z, no-store`],
    ['100,000 quotes', `a=${'"'.repeat(100_000)}, no-store`],
    ['100,000 escaped quotes', `a="${String.raw`\"`.repeat(50_000)}", no-store`],
    ['100,000 quotes that nothing closes', `a="${String.raw`\"`.repeat(50_000)}, no-store`],
    ['100,000 commas', `${','.repeat(100_000)}no-store`],
  ])('is linear in %s', (_, value) => {
    const startedAt = performance.now()
    expect(parseCacheControl([value]).has('no-store')).toBe(true)
    expect(performance.now() - startedAt).toBeLessThan(500)
  })
})

describe('directiveMs', () => {
  const LONGEST = 2 ** 31 * 1000

  test.each<[value: string, ms: number | undefined]>([
    ['public', undefined],
    ['max-age', 0],
    ['max-age=', 0],
    ['max-age=0', 0],
    ['max-age=60', 60_000],
    ['max-age=60;x', 60_000],
    ['max-age=060', 60_000],
    ['max-age="60"', 60_000],
    ['max-age=60, max-age=30', 30_000],
    ['max-age=60, max-age=junk', 0],
    ...['-2', 'a2', '2a', '2.5', '+5', '1e3', '0x10', "'60'", '٣'].map((junk): [string, number] => [
      `max-age=${junk}`,
      0,
    ]),
    ['max-age=2147483648', LONGEST],
    ['max-age=99999999999999999999', LONGEST],
    [`max-age=${'9'.repeat(40)}`, LONGEST],
  ])('%j: %j', (value, ms) => {
    expect(directiveMs(parseCacheControl([value]), 'max-age')).toBe(ms)
  })

  test('is a number from 0 to 2^31 seconds, whatever it reads', () => {
    fc.assert(
      fc.property(fc.string(), (argument) => {
        expect(deltaMs(argument)).toBeGreaterThanOrEqual(0)
        expect(deltaMs(argument)).toBeLessThanOrEqual(LONGEST)
      }),
    )
  })
})
