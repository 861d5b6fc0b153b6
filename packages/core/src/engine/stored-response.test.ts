import { describe, expect, test } from 'vitest'
import { DEFAULT_OMIT, type RouteOptions } from '../options.ts'
import { resolveRules } from '../settings.ts'
import type { FieldLines, RequestHead } from '../policy/fields.ts'
import { keyOf } from '../policy/key.ts'
import { type StoredResponse, hasNoContent, storedFields, storedResponse } from './stored-response.ts'

const NOW = Date.UTC(2031, 2, 5, 6, 7, 8)
const DATE = ['Date', 'Wed, 05 Mar 2031 06:07:08 GMT']

interface Made {
  readonly status?: number
  readonly fields?: FieldLines
  readonly body?: string
  readonly standing?: FieldLines
  readonly tags?: string[]
  readonly vary?: string[]
  readonly options?: RouteOptions
}

function make({
  status = 200,
  fields = DATE,
  body = 'x',
  standing = [],
  tags = [],
  vary = [],
  options = {},
}: Made = {}) {
  const headers = { host: 'A.test', 'x-forwarded-host': 'b.test', accept: 'text/html' }
  const request: RequestHead = {
    method: 'GET',
    secure: false,
    target: '/x?a=1&b=2',
    rewritten: undefined,
    headers,
    rawHeaders: Object.entries(headers).flat(),
  }
  const rules = resolveRules([options])
  const freshness = { bornAt: NOW, freshUntil: NOW + 1000, staleUntil: NOW + 2000, errorUntil: NOW + 3000 }
  return storedResponse(
    { key: keyOf(request, rules), rules, request, requestedAt: NOW, epoch: 7, order: 3 },
    { status, reason: undefined, fields },
    { freshness, vary, authorized: false, isHeuristic: false, keepUntil: NOW + 4000 },
    Buffer.from(body),
    { standing, receivedAt: NOW, route: '/:x', tags },
  )
}

test('what is stored of a response', () => {
  const options: RouteOptions = { query: ['a'] }
  const fields = [...DATE, 'ETag', '"a"', 'Cache-Tag', 'one, two']
  const response = make({ fields, tags: ['two', 'three'], vary: ['accept', 'x-a'], options })
  expect(response.parts).toEqual({
    key: expect.stringContaining('/x') as string,
    selecting: ['accept', 'text/html', 'x-a', null],
    status: 200,
    reason: undefined,
    fields,
    body: Buffer.from('x'),
    place: {
      host: 'A.test',
      hosts: ['a.test', 'b.test'],
      path: '/x',
      query: '?a=1',
      queryRule: ['a'],
      search: undefined,
      route: '/:x',
      tags: ['one', 'two', 'three'],
    },
    freshness: { bornAt: NOW, freshUntil: NOW + 1000, staleUntil: NOW + 2000, errorUntil: NOW + 3000 },
    receivedAt: NOW,
    authorized: false,
    keepUntil: NOW + 4000,
    isHeuristic: false,
    hasOwnEtag: false,
    epoch: 7,
  })
  expect([response.order, response.hits, response.expiredByPurge]).toEqual([3, 0, false])
})

const etagOf = (response: StoredResponse): string | undefined => {
  const at = response.parts.fields.findIndex((name) => name.toLowerCase() === 'etag')
  return at === -1 ? undefined : response.parts.fields[at + 1]
}

describe('its ETag', () => {
  test('is of its bytes alone', () => {
    expect(etagOf(make())).toMatch(/^"[\w-]{27}"$/)
    expect(etagOf(make({ fields: [...DATE, 'X', 'y'] }))).toBe(etagOf(make()))
    expect(etagOf(make({ body: 'y' }))).not.toBe(etagOf(make()))
    expect(etagOf(make({ body: '' }))).toBeDefined()
  })

  test.each<[title: string, made: Made, etag: string | undefined]>([
    ['has its own', { fields: [...DATE, 'etag', 'W/"a"'] }, 'W/"a"'],
    ['has another validator', { fields: [...DATE, 'Last-Modified', DATE[1]!] }, undefined],
    ['is not a 200', { status: 404 }, undefined],
    ['must not', { options: { etag: false } }, undefined],
  ])('is not made where a response %s', (_, made, etag) => {
    expect(etagOf(make(made))).toBe(etag)
  })
})

describe('its fields', () => {
  test.each<[title: string, fields: FieldLines, standing: FieldLines, kept: FieldLines]>([
    [
      'in order, repeated ones apart',
      ['B', '1', 'a', '2', 'b', '3', ...DATE],
      [],
      ['B', '1', 'a', '2', 'b', '3', ...DATE],
    ],
    ['with a Date, where it has none', ['A', '1'], [], ['A', '1', ...DATE]],
    ['with its own Date', ['date', 'x'], [], ['date', 'x']],
    [
      'without framing',
      [...DATE, 'Content-Length', '1', 'Transfer-Encoding', 'chunked', 'Connection', 'close'],
      [],
      DATE,
    ],
    ['without what Connection names', [...DATE, 'Connection', 'x-secret', 'X-Secret', '1'], [], DATE],
    ['without what belongs to one exchange', [...DATE, 'X-Request-Id', '1', 'X-RateLimit-Limit', '5'], [], DATE],
    ['without Age', [...DATE, 'Age', '5'], [], DATE],
    [
      'without what stood there before',
      [...DATE, 'X-User', 'alice', 'X', '1'],
      ['x-user', 'alice'],
      [...DATE, 'X', '1'],
    ],
    ['with what stood there otherwise', [...DATE, 'X-A', '2'], ['X-A', '1'], [...DATE, 'X-A', '2']],
    [
      'with what has been added to',
      [...DATE, 'Vary', 'a', 'Vary', 'b'],
      ['Vary', 'a'],
      [...DATE, 'Vary', 'a', 'Vary', 'b'],
    ],
  ])('%s', (_, fields, standing, kept) => {
    const rules = resolveRules([{ omit: DEFAULT_OMIT }])
    expect(storedFields({ status: 200, reason: undefined, fields }, rules, standing, NOW)).toEqual(kept)
  })
})

test('it goes out with its length, unless it can have none', () => {
  expect(make({ body: 'äx', options: { etag: false } }).preparedFields).toEqual([...DATE, 'Content-Length', '3'])
  expect(make({ status: 204, body: '' }).preparedFields).toEqual(DATE)
  expect([200, 204, 304, 404].map(hasNoContent)).toEqual([false, true, true, false])
})

test('it counts all that it holds', () => {
  const bare = make().size
  expect(bare).toBeGreaterThan(600)
  expect(make({ body: 'x'.repeat(101) }).size).toBe(bare + 100)
  expect(make({ fields: [...DATE, 'X', 'x'.repeat(100)] }).size).toBeGreaterThan(bare + 100)
  expect(make({ tags: ['x'.repeat(100)] }).size).toBeGreaterThanOrEqual(bare + 100)
})

test('its store key is that of its variant', () => {
  const [one, other] = [make({ vary: ['accept'] }), make({ vary: ['x-a'] })]
  expect(one.storeKey('c::')).toMatch(/^c::A\.test\/x~/)
  expect(one.storeKey('c::')).not.toBe(other.storeKey('c::'))
  expect(one.variant).not.toBe(other.variant)
  expect(make().variant).toBe(make().parts.key)
})
