import { expect, test } from 'vitest'
import type { QueryRule } from '../options.ts'
import { hidesQuery, keyedQuery } from './query.ts'

const only: QueryRule = ['page', 'sort']
const ignore: QueryRule = { ignore: ['utm_source', 'fbclid'] }

test.each<[rule: QueryRule, query: string, keyed: string, hides: boolean]>([
  ...['', '?', '?a=1&b=2', '?b=2&a=1', '?a&a=', '?a=%ff', '?__proto__=1'].map(
    (query): [true, string, string, false] => [true, query, query, false],
  ),

  [false, '', '', false],
  [false, '?', '', true],
  [false, '?a=1', '', true],

  [only, '', '', false],
  [only, '?page=2', '?page=2', false],
  [only, '?page=2&x=1', '?page=2', true],
  [only, '?x=1', '', true],
  [only, '?', '', true],
  [only, '?page=2&', '?page=2', true],
  [only, '?sort=a&page=2', '?page=2&sort=a', false],
  [only, '?page=2&sort=a', '?page=2&sort=a', false],
  // Repeated parameters keep their order.
  [only, '?page=2&page=1', '?page=2&page=1', false],
  [only, '?page=1&page=2', '?page=1&page=2', false],
  [only, '?sort=b&page=2&sort=a&page=1', '?page=2&page=1&sort=b&sort=a', false],
  [only, '?page', '?page', false],
  [only, '?page=', '?page=', false],
  // Another spelling is another parameter; only & separates.
  [only, '?%70age=2', '', true],
  [only, '?Page=2', '', true],
  [only, '?page[]=2', '', true],
  [only, '?page=2;sort=a', '?page=2;sort=a', false],
  [only, '?x=1;page=2', '', true],
  [only, '?x=1%26page=2', '', true],
  [only, '?__proto__=1&constructor=2', '', true],
  [[], '?page=2', '', true],

  [ignore, '', '', false],
  [ignore, '?', '?', false],
  [ignore, '?a=1', '?a=1', false],
  [ignore, '?b=1&a=1&', '?b=1&a=1&', false],
  [ignore, '?utm_source=x', '', true],
  [ignore, '?utm_source', '', true],
  [ignore, '?a=1&utm_source=x&b=2&fbclid=y', '?a=1&b=2', true],
  [ignore, '?b=2&utm_source=x&a=1', '?b=2&a=1', true],
  [ignore, '?utm%5fsource=x', '?utm%5fsource=x', false],
  [ignore, '?utm_source[]=x', '?utm_source[]=x', false],
  // Cloaking: what some parsers take for a second parameter goes where the first one goes.
  [ignore, '?utm_source=x;callback=evil', '', true],
  [ignore, '?callback=a;utm_source=x', '?callback=a;utm_source=x', false],
  [{ ignore: [] }, '?a=1', '?a=1', false],
])('%j of %j: %j', (rule, query, keyed, hides) => {
  expect(keyedQuery(rule, query)).toBe(keyed)
  expect(hidesQuery(rule, query, keyed)).toBe(hides)
})
