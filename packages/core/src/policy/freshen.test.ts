import { describe, expect, test } from 'vitest'
import type { FieldLines } from './fields.ts'
import { freshenedFields, isAboutAnother } from './freshen.ts'

const NOW = Date.UTC(2031, 2, 5, 6, 7, 8)
const DATE = new Date(NOW).toUTCString()

describe('freshenedFields', () => {
  test.each<[title: string, stored: FieldLines, answer: FieldLines, fields: FieldLines]>([
    ['a 304 without fields begins a new age', ['A', '1'], [], ['A', '1', 'Date', DATE]],
    ['its Date is that of the answer', ['Date', 'old'], ['Date', 'new'], ['Date', 'new']],
    ['without one, of the moment', ['Date', 'old'], [], ['Date', DATE]],
    ['a field replaces its stored lines, all of them', ['a', '1', 'A', '2'], ['A', '3'], ['A', '3', 'Date', DATE]],
    ['with all of its own', ['A', '1'], ['a', '2', 'a', '3'], ['a', '2', 'a', '3', 'Date', DATE]],
    ['new fields are added', ['A', '1'], ['B', '2'], ['A', '1', 'B', '2', 'Date', DATE]],
    [
      'unknown ones and those of caching alike',
      ['Cache-Control', 'max-age=1', 'X-Foo', '1', 'Expires', 'x'],
      ['X-Foo', '2', 'Cache-Control', 'max-age=60'],
      ['Expires', 'x', 'X-Foo', '2', 'Cache-Control', 'max-age=60', 'Date', DATE],
    ],
    [
      'what describes the stored bytes stays (RFC 9111 §3.2)',
      ['Content-Encoding', 'gzip', 'Content-Digest', 'd'],
      ['Content-Length', '0', 'content-encoding', 'br', 'Content-Range', 'x', 'Content-Digest', 'e'],
      ['Content-Encoding', 'gzip', 'Content-Digest', 'd', 'Date', DATE],
    ],
    [
      'what does not, does not',
      ['Content-Language', 'de'],
      ['Content-Language', 'en'],
      ['Content-Language', 'en', 'Date', DATE],
    ],
    [
      'warnings of the 1xx kind go, from both; the others stay (RFC 7234 §4.3.4)',
      ['Warning', '110 - "x"', 'warning', '299 - "y"'],
      ['Warning', '113 - "z"'],
      ['warning', '299 - "y"', 'Date', DATE],
    ],
    [
      'a 2xx warning of the answer replaces',
      ['Warning', '214 - "x"'],
      ['Warning', '299 - "y"'],
      ['Warning', '299 - "y"', 'Date', DATE],
    ],
    ['1000 is no warning of that kind', ['Warning', '1000 - "x"'], [], ['Warning', '1000 - "x"', 'Date', DATE]],
  ])('%s', (_, stored, answer, fields) => {
    expect(freshenedFields(stored, answer, NOW)).toEqual(fields)
  })

  test('the Age of the answer counts, that of the stored response no more', () => {
    expect(freshenedFields(['Age', '50', 'Date', 'x'], ['Age', '5'], NOW)).toEqual(['Age', '5', 'Date', DATE])
  })
})

describe('isAboutAnother', () => {
  test.each<[stored: FieldLines, answer: FieldLines, isOther: boolean]>([
    [['ETag', '"a"'], ['ETag', '"a"'], false],
    [['ETag', '"a"'], ['etag', '"b"'], true],
    // What was asked with If-None-Match was compared weakly.
    [['ETag', '"a"'], ['ETag', 'W/"a"'], false],
    [['ETag', 'W/"a"'], ['ETag', '"a"'], false],
    [['ETag', 'W/"a"'], ['ETag', 'W/"b"'], true],
    // Without one it answers the one validator that was sent (RFC 9111 §4.3.4).
    [['ETag', '"a"'], [], false],
    [[], ['ETag', '"a"'], false],
    [['Last-Modified', 'x'], ['Last-Modified', 'y'], false],
  ])('%j and %j: %s', (stored, answer, isOther) => {
    expect(isAboutAnother(stored, answer)).toBe(isOther)
  })
})
