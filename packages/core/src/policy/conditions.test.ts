import type { IncomingHttpHeaders } from 'node:http'

import { describe, expect, test } from 'vitest'
import { isNotModified, matchesEtag } from './conditions.ts'
import type { FieldLines } from './fields.ts'

const NOW = Date.UTC(2031, 2, 5, 6, 7, 8)
const at = (seconds: number): string => new Date(NOW + seconds * 1000).toUTCString()

describe('matchesEtag', () => {
  test.each<[list: string, etag: string | undefined, matches: boolean]>([
    ['"a"', '"a"', true],
    ['"a"', '"b"', false],
    ['"a"', undefined, false],
    ['"b", "a"', '"a"', true],
    ['"b","a"', '"a"', true],
    [',, "a" ,', '"a"', true],
    ['"b", "c"', '"a"', false],
    ['W/"a"', '"a"', true],
    ['"a"', 'W/"a"', true],
    ['W/"a"', 'W/"a"', true],
    ['W/"b", W/"a"', 'W/"a"', true],
    ['""', '""', true],
    // A comma inside a tag separates nothing.
    ['"a,b"', '"a,b"', true],
    ['"a,b"', '"a"', false],
    ['"x", "a", "y"', '"x", "a"', false],
    ['"a, ", "b"', '", "', false],
    ['*', '"a"', true],
    [' * ', '"a"', true],
    ['*', undefined, true],
    ['"*"', '"a"', false],
    ['*, "b"', '"a"', false],
    ['"A"', '"a"', false],
    // Not in quotes is no tag, on either side.
    ['a', '"a"', false],
    ['a', 'a', false],
    ['"a', '"a"', false],
    ['', '"a"', false],
    ['"aé"', '"aé"', true],
  ])('%j and %j: %s', (list, etag, matches) => {
    expect(matchesEtag(list, etag)).toBe(matches)
  })

  test.each([
    ['W/"', 'W/"'.repeat(100_000)],
    ['"', '"'.repeat(100_000)],
    ['spaces', `"b"${' '.repeat(100_000)}`],
  ])('is linear in 100,000 %s', (_, list) => {
    const startedAt = performance.now()
    expect(matchesEtag(list, '"a"')).toBe(false)
    expect(performance.now() - startedAt).toBeLessThan(500)
  })
})

describe('isNotModified', () => {
  const modified: FieldLines = ['Last-Modified', at(-60)]

  test.each<[fields: FieldLines, headers: IncomingHttpHeaders, answer: boolean]>([
    [[], {}, false],
    [['ETag', '"a"'], {}, false],
    [['ETag', '"a"'], { 'if-none-match': '"a"' }, true],
    [['ETag', '"a"'], { 'if-none-match': '"b"' }, false],
    [['etag', '"a"', 'ETag', '"b"'], { 'if-none-match': '"a"' }, false],
    [modified, { 'if-modified-since': at(-60) }, true],
    [modified, { 'if-modified-since': at(-59) }, true],
    [modified, { 'if-modified-since': at(-61) }, false],
    [modified, { 'if-modified-since': at(60) }, true],
    [modified, { 'if-modified-since': 'junk' }, false],
    [modified, { 'if-modified-since': '' }, false],
    [modified, { 'if-modified-since': `${at(-60)}, ${at(-60)}` }, false],
    [[], { 'if-modified-since': at(-60) }, false],
    [['Last-Modified', 'junk'], { 'if-modified-since': at(60) }, false],
    // Without a Last-Modified the Date says as much (RFC 9111 §4.3.2).
    [['Date', at(-60)], { 'if-modified-since': at(-60) }, true],
    [['Date', at(-60)], { 'if-modified-since': at(-61) }, false],
    [[...modified, 'Date', at(-90)], { 'if-modified-since': at(-61) }, false],
    // If-None-Match comes first, and alone (RFC 9110 §13.2.2).
    [[...modified, 'ETag', '"a"'], { 'if-none-match': '"b"', 'if-modified-since': at(0) }, false],
    [[...modified, 'ETag', '"a"'], { 'if-none-match': '"a"', 'if-modified-since': at(-90) }, true],
    [modified, { 'if-none-match': '"a"', 'if-modified-since': at(0) }, false],
  ])('%j against %j: %s', (fields, headers, answer) => {
    expect(isNotModified(fields, headers, NOW)).toBe(answer)
  })
})
