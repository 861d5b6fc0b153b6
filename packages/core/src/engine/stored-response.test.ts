import { describe, expect, test } from 'vitest'
import { PARTS, request } from '../../../../test/support/unit.ts'
import { DEFAULT_OMIT, type RouteOptions } from '../options.ts'
import type { Decision } from '../policy/decide.ts'
import type { FieldLines } from '../policy/fields.ts'
import { keyOf } from '../policy/key.ts'
import { selectingOf } from '../policy/vary.ts'
import { resolveRules } from '../settings.ts'
import { storedFields, storedResponse } from './rendered-response.ts'
import { StoredResponse, hasNoContent } from './stored-response.ts'

const NOW = Date.UTC(2031, 2, 5, 6, 7, 8)
const DATE = ['Date', 'Wed, 05 Mar 2031 06:07:08 GMT']

const HEADERS = { host: 'A.test', 'x-forwarded-host': 'b.test', accept: 'text/html' }

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
  const asked = request(HEADERS, { target: '/x?a=1&b=2' })
  const rules = resolveRules([options])
  const freshness = { bornAt: NOW, freshUntil: NOW + 1000, staleUntil: NOW + 2000, errorUntil: NOW + 3000 }
  return storedResponse(
    { key: keyOf(asked, rules), rules, request: asked, requestedAt: NOW, epoch: 7, order: 3 },
    { status, reason: undefined, fields },
    { freshness, vary, authorized: false, isHeuristic: false, keepUntil: NOW + 4000 },
    Buffer.from(body),
    {
      standing,
      receivedAt: NOW,
      route: '/:x',
      isWhole: false,
      isInner: false,
      selecting: selectingOf(vary, asked),
      tags,
    },
  )
}

test('what is stored of a response', () => {
  const options: RouteOptions = { query: ['a'] }
  const fields = [...DATE, 'ETag', '"a"', 'Cache-Tag', 'one, two']
  const response = make({ fields, tags: ['two', 'three'], vary: ['accept', 'x-a'], options })
  expect(response.whole).toEqual({
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
    isWhole: false,
    isInner: false,
    epoch: 7,
  })
  expect([response.order, response.hits, response.isRemoved]).toEqual([3, 0, false])
  expect(response.freshness).toEqual(response.parts.freshness)
})

describe('a lifetime that ends before its time', () => {
  const FRESHNESS = { bornAt: NOW, freshUntil: NOW + 1000, staleUntil: NOW + 3000, errorUntil: NOW + 4000 }
  const lasting = (patch: Partial<typeof FRESHNESS> = {}): StoredResponse =>
    new StoredResponse({ ...PARTS, freshness: { ...FRESHNESS, ...patch }, receivedAt: NOW }, 1)

  test('takes the windows behind it along', () => {
    const response = lasting()
    response.expire(NOW + 400)
    const ended = { bornAt: NOW, freshUntil: NOW + 400, staleUntil: NOW + 2400, errorUntil: NOW + 3400 }
    expect(response.freshness).toEqual(ended)
    // What is written to a store, and read by others, is what the app has said.
    expect(response.parts.freshness).toMatchObject(FRESHNESS)
    response.expire(NOW + 300)
    expect(response.freshness.staleUntil).toBe(NOW + 2300)
  })

  test.each([1000, 2000, 5000])('is not lengthened, nor are they: %d ms after it began', (ms) => {
    const response = lasting()
    response.expire(NOW + ms)
    expect(response.freshness).toMatchObject(FRESHNESS)
    response.expire(NOW + 400)
    const ended = response.freshness
    response.expire(NOW + ms)
    expect(response.freshness).toEqual(ended)
  })

  test('leaves alone what was stale from birth', () => {
    const response = lasting({ freshUntil: NOW - 10_000 })
    response.expire(NOW)
    expect(response.freshness).toMatchObject({ ...FRESHNESS, freshUntil: NOW - 10_000 })
  })

  test.each<[title: string, patch: Partial<typeof FRESHNESS>, decisions: Decision[]]>([
    ['both windows', {}, ['fresh', 'stale', 'stale', 'error-only', 'unusable']],
    ['one to be stale in', { errorUntil: NOW + 1000 }, ['fresh', 'stale', 'stale', 'unusable', 'unusable']],
    ['one for errors', { staleUntil: NOW + 1000 }, ['fresh', 'error-only', 'error-only', 'error-only', 'unusable']],
    // Nothing allows it to be stale, so it may not be served at all (must-revalidate has no windows either).
    [
      'none',
      { staleUntil: NOW + 1000, errorUntil: NOW + 1000 },
      ['fresh', 'unusable', 'unusable', 'unusable', 'unusable'],
    ],
  ])('with %s', (_, patch, decisions) => {
    const response = lasting(patch)
    const at = (ms: number): Decision => response.decide({ authorized: false }, NOW + ms)
    expect(at(999)).toBe('fresh')
    response.expire(NOW + 400)
    expect([399, 400, 2399, 2400, 3400].map(at)).toEqual(decisions)
  })
})

const etagOf = (response: StoredResponse): string | undefined => {
  const at = response.fields.findIndex((name) => name.toLowerCase() === 'etag')
  return at === -1 ? undefined : response.fields[at + 1]
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
      'with what earlier caches have said',
      [...DATE, 'Cache-Status', 'a; hit'],
      [],
      [...DATE, 'Cache-Status', 'a; hit'],
    ],
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
  expect(make({ body: 'äx', options: { etag: false } }).identity.fields).toEqual([...DATE, 'Content-Length', '3'])
  expect(make({ status: 204, body: '' }).identity.fields).toEqual(DATE)
  expect([200, 204, 304, 404].map(hasNoContent)).toEqual([false, true, true, false])
})

describe('what caches before the app have said', () => {
  const fields = ['cache-status', 'a; hit', ...DATE, 'Cache-Status', 'b; fwd=miss']

  test('is kept, and goes out with what we say', () => {
    const response = make({ fields, options: { etag: false } })
    expect(response.fields).toEqual(fields)
    expect(response.upstreamStatus).toBe('a; hit, b; fwd=miss')
    expect(make().upstreamStatus).toBeUndefined()
  })

  test.each([
    [200, [...DATE, 'Content-Length', '1']],
    [204, DATE],
  ])('does not go out beside it: %d', (status, sent) => {
    expect(make({ status, fields, options: { etag: false } }).identity.fields).toEqual(sent)
  })
})

describe('the app is asked about it by', () => {
  test.each<[title: string, fields: FieldLines, validators: FieldLines]>([
    ['its ETag', ['etag', 'W/"a"'], ['If-None-Match', 'W/"a"']],
    ['its Last-Modified', ['Last-Modified', 'x'], ['If-Modified-Since', 'x']],
    ['both', ['Last-Modified', 'x', 'ETag', '"a"'], ['If-None-Match', '"a"', 'If-Modified-Since', 'x']],
    // Ours it does not know.
    ['nothing', [], []],
  ])('%s', (_, fields, validators) => {
    expect(make({ fields: [...DATE, ...fields] }).validators).toEqual(validators)
  })
})

test('it counts all that it holds', () => {
  const bare = make().size
  expect(bare).toBeGreaterThan(600)
  expect(make({ body: 'x'.repeat(101) }).size).toBe(bare + 100)
  expect(make({ fields: [...DATE, 'X', 'x'.repeat(100)] }).size).toBeGreaterThan(bare + 100)
  expect(make({ tags: ['x'.repeat(100)] }).size).toBeGreaterThanOrEqual(bare + 100)
})

test.each<[rule: string, options: RouteOptions, target: string]>([
  ['params=("b")', { noVarySearch: true }, '/x?a=1'],
  ['params', { noVarySearch: true }, '/x?a=1&b=2'],
  ['params=("b")', {}, '/x?a=1&b=2'],
])('with No-Vary-Search: %s and %j it is stored as %s', (rule, options, target) => {
  const response = make({ fields: [...DATE, 'No-Vary-Search', rule], options })
  expect(response.parts.key).toBe(keyOf(request(HEADERS, { target }), resolveRules([])).full)
  expect(response.parts.place.search).toBe(target === '/x?a=1' ? rule : undefined)
})

test('its store key is that of its variant', () => {
  const [one, other] = [make({ vary: ['accept'] }), make({ vary: ['x-a'] })]
  expect(one.storeKey('c::')).toMatch(/^c::A\.test\/x~/)
  expect(one.storeKey('c::')).not.toBe(other.storeKey('c::'))
  expect(one.variant).not.toBe(other.variant)
  expect(make().variant).toBe(make().parts.key)
})

describe('an ETag of our own', () => {
  const given = { ...PARTS, hasOwnEtag: true, fields: ['X-A', '1'], body: Buffer.from('body') }

  test('is made for the first who asks, and is then what it is everywhere', () => {
    const response = new StoredResponse(given, 1)
    const { fields } = response.whole
    expect(fields).toEqual(['X-A', '1', 'ETag', expect.stringMatching(/^"[\w-]{27}"$/)])
    expect(response.identity.fields).toEqual([...fields, 'Content-Length', '4'])
    expect(response.fields).toEqual(fields)
    expect(response.validators).toEqual([])
    const read = new StoredResponse(response.whole, 2)
    expect(read.identity.fields).toEqual(response.identity.fields)
  })

  test('is counted once, wherever it comes from', () => {
    const response = new StoredResponse(given, 1)
    expect(new StoredResponse(response.whole, 2).size).toBe(response.size)
  })

  test('beside what an earlier cache has said, which is not sent as it was', () => {
    const response = new StoredResponse({ ...given, fields: ['Cache-Status', 'before; hit'] }, 1)
    expect(response.upstreamStatus).toBe('before; hit')
    expect(response.identity.fields).toEqual(['ETag', expect.any(String), 'Content-Length', '4'])
    expect(response.upstreamStatus).toBe('before; hit')
    expect(response.fields).toEqual(['Cache-Status', 'before; hit', 'ETag', expect.any(String)])
  })
})
