import { describe, expect, test } from 'vitest'
import type { FieldLines, RequestHead } from './fields.ts'
import { invalidatedGroups, invalidatedPaths, isUnsafe } from './invalidation.ts'

test.each([
  ...['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY'].map((method) => [method, false] as const),
  ...['POST', 'PUT', 'PATCH', 'DELETE', 'M-SEARCH', 'PURGE', 'FOO', 'get', ''].map((method) => [method, true] as const),
])('%s is unsafe, or unknown: %s', (method, unsafe) => {
  expect(isUnsafe(method)).toBe(unsafe)
})

const request = (head: Partial<RequestHead> = {}): RequestHead => ({
  method: 'POST',
  secure: false,
  target: '/articles/1?x',
  rewritten: undefined,
  headers: { host: 'A.test' },
  rawHeaders: [],
  ...head,
})

describe('invalidatedPaths of a POST to /articles/1?x', () => {
  const OWN = '/articles/1?x'

  test.each<[fields: FieldLines, more: string[]]>([
    [[], []],
    [['Location', '/articles'], ['/articles']],
    [['Location', '/articles?page=2'], ['/articles?page=2']],
    [['Location', '/articles#top'], ['/articles']],
    [['Location', '2'], ['/articles/2']],
    [['Location', '?y'], ['/articles/1?y']],
    [['Location', 'http://a.test/articles'], ['/articles']],
    [['Location', 'http://a.test:80/articles'], ['/articles']],
    [['Location', '//A.TEST/articles'], ['/articles']],
    [['content-location', '/articles/2'], ['/articles/2']],
    [
      ['Location', '/a', 'Content-Location', '/b'],
      ['/a', '/b'],
    ],
    [['Location', OWN], []],
    [['Location', ''], []],
    // TLS may end in front of this server.
    [['Location', 'https://a.test/articles'], ['/articles']],
    // Of another origin: never (RFC 9111 §4.4).
    [['Location', 'http://b.test/articles'], []],
    [['Location', '//b.test/articles'], []],
    [['Location', 'http://a.test:8080/articles'], []],
    [['Location', 'http://a.test.b.test/articles'], []],
    [['Location', 'http://a.test@b.test/articles'], []],
    [['Location', 'javascript:alert(1)'], []],
    [['Location', 'http://'], []],
    [['Location', 'http://[/'], []],
  ])('%j: %j', (fields, more) => {
    expect(invalidatedPaths(request(), fields)).toEqual([OWN, ...more])
  })

  test('over TLS and with a port', () => {
    const secure = request({ secure: true, headers: { host: 'a.test:8443' } })
    expect(invalidatedPaths(secure, ['Location', 'https://a.test:8443/a'])).toEqual([OWN, '/a'])
    expect(invalidatedPaths(secure, ['Location', 'https://a.test/a'])).toEqual([OWN])
  })

  // RFC 9112 §3.2.2: a server MUST accept the absolute-form, and its target URI is the same.
  test('a target in absolute-form is the same URI', () => {
    const absolute = request({ target: 'http://a.test/articles/1?x' })
    expect(invalidatedPaths(absolute, ['Location', '2'])).toEqual([OWN, '/articles/2'])
  })

  test('without a Host, what is relative is relative to the target', () => {
    expect(invalidatedPaths(request({ headers: {} }), ['Location', '2'])).toEqual([OWN, '/articles/2'])
  })
})

describe('invalidatedGroups', () => {
  test.each<[fields: FieldLines, groups: string[]]>([
    [[], []],
    [['Cache-Group-Invalidation', '"a"'], ['a']],
    [
      ['cache-group-invalidation', '"a", "b c"'],
      ['a', 'b c'],
    ],
    [
      ['Cache-Group-Invalidation', '"a"', 'Cache-Group-Invalidation', '"A"'],
      ['a', 'A'],
    ],
    [['Cache-Group-Invalidation', '"a";x=1'], ['a']],
    // Of another type: no group. No list: none at all (RFC 9651 §4.2).
    [['Cache-Group-Invalidation', '"a", b, 1'], ['a']],
    [['Cache-Group-Invalidation', '"a", "b'], []],
    [['Cache-Group-Invalidation', 'a b'], []],
    [['Cache-Groups', '"a"'], []],
  ])('%j: %j', (fields, groups) => {
    expect(invalidatedGroups(fields)).toEqual(groups)
  })
})
