import { describe, expect, test } from 'vitest'
import type { FieldLines } from './fields.ts'
import { ifRangeHolds, readRanges } from './ranges.ts'

const NOW = Date.UTC(2031, 2, 5, 6, 7, 8)
const at = (seconds: number): string => new Date(NOW + seconds * 1000).toUTCString()

describe('readRanges, of ten bytes', () => {
  test.each<[header: string, read: [first: number, last: number][] | 'unsatisfiable' | undefined]>([
    ['bytes=0-0', [[0, 0]]],
    ['bytes=0-9', [[0, 9]]],
    ['bytes=2-4', [[2, 4]]],
    ['bytes=002-004', [[2, 4]]],
    ['Bytes=2-4', [[2, 4]]],
    ['bytes=5-', [[5, 9]]],
    ['bytes=-3', [[7, 9]]],
    // Clamped to what there is (RFC 9110 §14.1.2).
    ['bytes=5-99', [[5, 9]]],
    ['bytes=-99', [[0, 9]]],
    [`bytes=5-${'9'.repeat(400)}`, [[5, 9]]],
    // Several: in the order in which they are asked for, nothing merged.
    [
      'bytes=0-1,4-5',
      [
        [0, 1],
        [4, 5],
      ],
    ],
    [
      'bytes=4-5, 0-1',
      [
        [4, 5],
        [0, 1],
      ],
    ],
    [
      'bytes= 0-1 ,\t4-5',
      [
        [0, 1],
        [4, 5],
      ],
    ],
    [
      'bytes=0-1,,4-5,',
      [
        [0, 1],
        [4, 5],
      ],
    ],
    [
      'bytes=0-1,-1',
      [
        [0, 1],
        [9, 9],
      ],
    ],
    [
      'bytes=0-1,0-1',
      [
        [0, 1],
        [0, 1],
      ],
    ],
    ['bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7', Array.from({ length: 8 }, (_, i) => [i, i])],
    // What cannot be had is left out, while anything can.
    ['bytes=0-1,20-30', [[0, 1]]],
    ['bytes=-0,0-1', [[0, 1]]],
    // 416 (RFC 9110 §15.5.17).
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=10-20', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=10-,20-', 'unsatisfiable'],
    [`bytes=${'9'.repeat(400)}-`, 'unsatisfiable'],
    // No range of ours: everything.
    ['', undefined],
    ['bytes', undefined],
    ['bytes 0-1', undefined],
    ['bytes =0-1', undefined],
    ['items=0-1', undefined],
    ['bytes=-', undefined],
    ['bytes=4-2', undefined],
    ['bytes=0-1,4-2', undefined],
    ['bytes=a-b', undefined],
    ['bytes=0x1-2', undefined],
    ['bytes=1.5-2', undefined],
    ['bytes=+1-2', undefined],
    ['bytes=--1', undefined],
    ['bytes=0 - 1', undefined],
    ['bytes=0-1;4-5', undefined],
    ['bytes=٣-٤', undefined],
    // Many, and more than there is (CVE-2011-3192).
    ['bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8', undefined],
    ['bytes=0-,0-', undefined],
    ['bytes=0-9,0-0', undefined],
  ])('%j: %j', (header, read) => {
    expect(readRanges(header, 10)).toEqual(read)
  })

  test('of none nothing can be had', () => {
    for (const header of ['bytes=0-', 'bytes=0-0', 'bytes=-1']) expect(readRanges(header, 0)).toBe('unsatisfiable')
  })
})

describe('ifRangeHolds', () => {
  const dated: FieldLines = ['Last-Modified', at(-60), 'Date', at(0)]

  test.each<[condition: string | undefined, fields: FieldLines, holds: boolean]>([
    [undefined, [], true],
    ['"a"', ['ETag', '"a"'], true],
    ['"a"', ['ETag', '"b"'], false],
    ['"a"', [], false],
    // Strong comparison (RFC 9110 §13.1.5), and one tag, not a list.
    ['W/"a"', ['ETag', 'W/"a"'], false],
    ['W/"a"', ['ETag', '"a"'], false],
    ['"a"', ['ETag', 'W/"a"'], false],
    ['"a", "b"', ['ETag', '"a"'], false],
    ['*', ['ETag', '"a"'], false],
    [at(-60), dated, true],
    [at(-61), dated, false],
    // The exact date, not a later one: another rule than that of If-Modified-Since.
    [at(-59), dated, false],
    [at(-60), ['Date', at(0)], false],
    ['', dated, false],
    ['junk', ['Last-Modified', 'junk', 'Date', at(0)], false],
    // A date is a strong validator only if the response is younger by a second at least (RFC 9110 §8.8.2.2).
    [at(-1), ['Last-Modified', at(-1), 'Date', at(0)], true],
    [at(0), ['Last-Modified', at(0), 'Date', at(0)], false],
    [at(0), ['Last-Modified', at(0), 'Date', at(-5)], false],
  ])('%j against %j: %s', (condition, fields, holds) => {
    expect(ifRangeHolds(condition === undefined ? {} : { 'if-range': condition }, fields, NOW)).toBe(holds)
  })
})
