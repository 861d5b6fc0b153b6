import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'

import { expect, test } from 'vitest'
import { withField } from './head.ts'

const put = (...args: readonly unknown[]): readonly unknown[] =>
  withField(new ServerResponse(new IncomingMessage(new Socket())), args, 'Cache-Status', 'new')

test.each<[form: string, headers: unknown, expected: unknown]>([
  ['an object', { 'X-A': 1, 'x-b': ['1', '2'] }, { 'X-A': 1, 'x-b': ['1', '2'], 'Cache-Status': 'new' }],
  [
    'an object that has it',
    { 'cache-status': 'old', 'CACHE-STATUS': 'older', a: '1' },
    { a: '1', 'Cache-Status': 'new' },
  ],
  [
    'pairs',
    [['a', '1']],
    [
      ['a', '1'],
      ['Cache-Status', 'new'],
    ],
  ],
  [
    'pairs that have it',
    [
      ['cache-status', 'old'],
      ['a', '1'],
      ['CACHE-STATUS', 'older'],
    ],
    [
      ['a', '1'],
      ['Cache-Status', 'new'],
    ],
  ],
  ['a flat array', ['a', '1', 'b', '2'], ['a', '1', 'b', '2', 'Cache-Status', 'new']],
  [
    'a flat array that has it',
    ['cache-status', 'old', 'a', '1', 'CACHE-STATUS', 'older'],
    ['a', '1', 'Cache-Status', 'new'],
  ],
  ['an empty array', [], ['Cache-Status', 'new']],
])('a field is put into %s, in the place of all that stands there', (_, headers, expected) => {
  const before = structuredClone(headers)
  expect(put(200, headers)).toEqual([200, expected])
  expect(put(200, 'Fine', headers)).toEqual([200, 'Fine', expected])
  // It is the app's, which may use it again.
  expect(headers).toEqual(before)
})

test('without headers among the arguments it is set', () => {
  const res = new ServerResponse(new IncomingMessage(new Socket()))
  expect(withField(res, [200], 'Cache-Status', 'new')).toEqual([200])
  expect(res.getHeader('cache-status')).toBe('new')
})
