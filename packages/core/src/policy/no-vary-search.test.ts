import { describe, expect, test } from 'vitest'
import { type Place, readSelector, selects } from './selector.ts'
import { type SearchRule, canonicalQuery, parseSearchRule, readSearchRule } from './no-vary-search.ts'

const rule = (ignoresOrder: boolean, names: string[] = [], isExcept = false): SearchRule => ({
  ignoresOrder,
  names,
  isExcept,
})

describe('parseSearchRule', () => {
  test.each<[value: string, read: SearchRule | undefined]>([
    ['key-order', rule(true)],
    ['key-order=?1', rule(true)],
    ['params=("a")', rule(false, ['a'])],
    ['params=("a" "b")', rule(false, ['a', 'b'])],
    ['params=("a"), key-order', rule(true, ['a'])],
    ['except=("a")', rule(false, ['a'], true)],
    ['except=("a"), key-order', rule(true, ['a'], true)],
    ['except=()', rule(false, [], true)],
    // Parameters of the members, and what the draft does not know, mean nothing.
    ['params=("a";x "b");y, other=1', rule(false, ['a', 'b'])],
    ['params=("A")', rule(false, ['A'])],
    // Nothing that would make a difference.
    ['', undefined],
    ['key-order=?0', undefined],
    ['params=()', undefined],
    ['other', undefined],
    // Not valid: every difference matters.
    ['params', undefined],
    ['params=?1', undefined],
    ['params=?0', undefined],
    ['params="a"', undefined],
    ['params=(a)', undefined],
    ['params=("a" b)', undefined],
    ['params=("a" 1)', undefined],
    ['except', undefined],
    ['except="a"', undefined],
    ['except=("a" b)', undefined],
    ['params=("a"), except=("b")', undefined],
    ['params=(), except=()', undefined],
    ['key-order=1, params=("a")', undefined],
    ['key-order="", params=("a")', undefined],
    ['key-order=(), params=("a")', undefined],
    ['params=("a"', undefined],
    ['params=("a"),', undefined],
    ['params=("a") key-order', undefined],
    ['params=("é")', undefined],
    ['Params=("a")', undefined],
  ])('%j: %j', (value, read) => {
    expect(parseSearchRule(value)).toEqual(read)
  })

  // Names are written as they are in a query: percent-encoded UTF-8, + for a space (draft, "parse a key").
  test.each([
    ['caf%C3%A9', 'café'],
    ['a+b', 'a b'],
    ['a%20b', 'a b'],
    ['a%2Bb', 'a+b'],
    ['100%', '100%'],
    ['a&b=c', 'a&b=c'],
    ['?a', '?a'],
    ['', ''],
  ])('the name %j is %j', (written, name) => {
    expect(parseSearchRule(`except=("${written}")`)).toEqual(rule(false, [name], true))
  })

  test('several lines are one dictionary', () => {
    expect(readSearchRule(['No-Vary-Search', 'key-order', 'x', 'y', 'no-vary-search', 'params=("a")'])).toEqual(
      rule(true, ['a']),
    )
    expect(readSearchRule(['x', 'y'])).toBeUndefined()
  })
})

describe('canonicalQuery', () => {
  test.each<[one: SearchRule, same: string[], other: string[]]>([
    [rule(true), ['?a=1&b=2', '?b=2&a=1', '?%61=1&b=2'], ['?a=1', '?a=2&b=2', '?a=1&b=2&b=2']],
    // The order of one parameter's values still counts.
    [rule(true), ['?a=1&a=2&b', '?b=&a=1&a=2'], ['?a=2&a=1&b']],
    [rule(false, ['a']), ['?b=1', '?a=1&b=1', '?b=1&a', '?a=1&a=2&b=1'], ['', '?b=2', '?A=1&b=1']],
    [rule(false, ['a']), ['', '?', '?a', '?a=1&a=2', '?&&'], ['?b']],
    [rule(false, ['a']), ['?b=1&c=1', '?b=1&a&c=1'], ['?c=1&b=1']],
    [rule(true, ['a']), ['?b=1&c=1', '?c=1&a&b=1'], ['?b=1']],
    [rule(false, ['a'], true), ['?a=1', '?b=1&a=1&c'], ['', '?a=2', '?a=1&a=1']],
    [rule(false, [], true), ['', '?a', '?b=1&c=2'], []],
    // Only the first ? begins the query: the second belongs to a name.
    [rule(false, ['b']), ['?a=1'], ['??a=1']],
    [rule(false, ['a']), ['', '?a=1'], ['??a=1']],
    [rule(false, ['a b']), ['', '?a+b=1', '?a%20b=2'], ['?ab=1']],
  ])('%j: %j are one, %j others', (one, same, other) => {
    expect(new Set(same.map((query) => canonicalQuery(one, query))).size).toBe(1)
    for (const query of other) expect(canonicalQuery(one, query)).not.toBe(canonicalQuery(one, same[0]!))
  })

  test('nothing left is no query, as where there was none', () => {
    expect(canonicalQuery(rule(false, ['a']), '?a=1')).toBe('')
  })
})

test('a purge of one of these URLs is a purge of all', () => {
  const place: Place = {
    host: 'a.test',
    hosts: ['a.test'],
    path: '/x',
    query: '?b=1&utm=2',
    queryRule: true,
    search: 'params=("utm"), key-order',
    route: undefined,
    tags: [],
  }
  const isPurgedBy = (url: string, patch: Partial<Place> = {}): boolean =>
    selects(readSelector({ url }), { ...place, ...patch })
  const urls = ['/x?b=1', '/x?utm=9&b=1', 'http://a.test/x?b=1&utm=2', '/x', '/x?b=2', '/x?b=1&c', '/y?b=1']
  expect(urls.filter((url) => isPurgedBy(url))).toEqual(urls.slice(0, 3))
  // Where it is not honoured, a URL is its bytes.
  expect(isPurgedBy('/x?b=1', { search: undefined })).toBe(false)
})
