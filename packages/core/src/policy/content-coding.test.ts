import { describe, expect, test } from 'vitest'
import { resolveRules } from '../settings.ts'
import {
  type Coding,
  acceptedCodings,
  encodedFields,
  codingVary,
  isEncodable,
  varyingByEncoding,
} from './content-coding.ts'

const HTML = ['Content-Type', 'text/html; charset=utf-8']

test.each<[title: string, status: number, fields: string[], bytes: number, expected: boolean]>([
  ['a page', 200, HTML, 1024, true],
  ['JSON', 200, ['content-type', 'application/problem+json'], 5000, true],
  ['an image', 200, ['Content-Type', 'image/png'], 5000, false],
  ['no type', 200, [], 5000, false],
  ['too small', 200, HTML, 1023, false],
  ['not a 200', 404, HTML, 5000, false],
  ['in a coding already', 200, [...HTML, 'Content-Encoding', 'gzip'], 5000, false],
  ['no-transform', 200, [...HTML, 'Cache-Control', 'max-age=1, No-Transform'], 5000, false],
  ['a digest of its bytes', 200, [...HTML, 'Repr-Digest', 'sha-256=:x:'], 5000, false],
])('may be made in codings: %s', (_, status, fields, bytes, expected) => {
  expect(isEncodable(status, fields, bytes)).toBe(expected)
})

describe('what a client accepts', () => {
  test.each<[accept: string, accepted: Coding[]]>([
    ['gzip, deflate, br, zstd', ['br', 'zstd', 'gzip']],
    ['gzip', ['gzip']],
    ['GZIP', ['gzip']],
    ['br;q=0.1, gzip;q=0.9', ['gzip', 'br']],
    ['gzip;q=0.5, identity', []],
    ['gzip;q=0, *', ['br', 'zstd']],
    ['identity;q=0, gzip', ['gzip']],
    ['', []],
    ['deflate', []],
    [';;;', []],
    ['identity', []],
  ])('%j', (accept, accepted) => {
    expect(acceptedCodings(accept, ['br', 'zstd', 'gzip'])).toEqual(accepted)
  })

  test('of what there is', () => {
    expect(acceptedCodings('gzip, br', ['gzip'])).toEqual(['gzip'])
  })
})

test.each([
  [undefined, 'Accept-Encoding'],
  ['', 'Accept-Encoding'],
  ['Accept', 'Accept, Accept-Encoding'],
  ['accept-encoding', undefined],
  ['Accept, Accept-Encoding', undefined],
  ['*', undefined],
])('Vary: %s', (vary, needed) => {
  const fields = [...HTML, ...(vary === undefined ? [] : ['Vary', vary])]
  const expected = needed === undefined ? [] : ['Vary', needed]
  expect(codingVary(200, fields, resolveRules([{ precompress: true }]))).toEqual(expected)
  expect(codingVary(200, fields, resolveRules([{}]))).toEqual([])
  expect(codingVary(404, fields, resolveRules([{ precompress: true }]))).toEqual([])
})

test('the fields of a coding', () => {
  expect(varyingByEncoding(['Vary', 'a', 'X', '1', 'vary', 'b'])).toEqual(['X', '1', 'Vary', 'a, b, Accept-Encoding'])
  const stored = ['ETag', '"a"', 'X', '1', 'Accept-Ranges', 'bytes', 'Content-Length', '9']
  const others = ['Content-Encoding', 'br', 'Content-Length', '4']
  expect(encodedFields(stored, 'br', 4)).toEqual(['X', '1', 'ETag', '"a-br"', ...others])
  expect(encodedFields(['ETag', 'W/"a"'], 'br', 4)).toEqual(['ETag', 'W/"a-br"', ...others])
  expect(encodedFields([], 'br', 4)).toEqual(others)
})
