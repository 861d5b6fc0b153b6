import { Keyv } from 'keyv'
import { describe, expect, test } from 'vitest'
import { CachebackError, type ErrorCode } from './errors.ts'
import { type CachebackOptions, DEFAULT_CREDENTIALS, DEFAULT_OMIT, type RouteOptions } from './options.ts'
import { checkRouteOptions, readSettings, resolveRules } from './settings.ts'

const STORE = { get: async () => undefined, set: async () => {}, delete: async () => {} }
const noop = (): undefined => undefined

/** Of each option some values that are right, and some that are wrong. */
const ROUTE: Record<string, { right: unknown[]; wrong: unknown[] }> = {
  maxAge: { right: [0, 0.5, 60, 2 ** 31], wrong: [-1, NaN, Infinity, 2 ** 31 + 1, '10', null] },
  staleWhileRevalidate: { right: [0, 300], wrong: [-1, NaN, '10'] },
  staleIfError: { right: [0, 300], wrong: [-1, NaN, true] },
  vary: { right: [[], ['Accept', 'x-a']], wrong: ['accept', [''], ['a b'], ['a,b'], [1], {}] },
  query: {
    right: [true, false, [], ['a'], { ignore: ['a'] }],
    wrong: ['a', [''], [1], {}, { ignore: 'a' }, { only: [] }],
  },
  cookies: {
    right: ['bypass', 'ignore', { bypass: ['a'] }, { key: ['a'] }],
    wrong: ['key', true, false, null, ['a'], {}, { key: 'a' }, { key: [''] }, { key: ['a'], bypass: ['b'] }],
  },
  credentials: { right: [[], ['X-Mine']], wrong: ['x-mine', [null], [' ']] },
  tags: { right: [() => ['a']], wrong: [['a'], 'a', {}] },
  sealed: { right: [true, false], wrong: [1, 'yes', null] },
  skip: { right: [() => true], wrong: [true, /x/] },
  collapse: {
    right: [{}, { waitMs: 0 }, { waitMs: undefined }],
    wrong: [true, 5000, [], { waitMs: -1 }, { waitMs: 0.5 }, { waitMs: 2 ** 31 }],
  },
  renderTimeoutMs: { right: [1, 2 ** 31 - 1], wrong: [0, 1.5, -1, '1', Infinity, 2 ** 31] },
  hitForMissMs: { right: [0, 1], wrong: [-1, 1.5, '1', 2 ** 31] },
  omit: { right: [[], ['x-*', 'X-A']], wrong: ['x', [''], ['x y']] },
  etag: { right: [true, false], wrong: ['strong', 0] },
  warning: { right: [true, false], wrong: [110] },
  cacheStatus: {
    right: [true, false, { key: true }, { key: false }],
    wrong: ['key', {}, { key: 1 }, { key: true, name: 'x' }],
  },
  keep: { right: [0, 86_400], wrong: [-1, NaN, '1', true] },
  heuristic: { right: [true, false], wrong: [0.1] },
  targetedCacheControl: { right: [[], ['CDN-Cache-Control']], wrong: ['CDN-Cache-Control', ['a b'], [1]] },
  requestCacheControl: { right: [true, false], wrong: ['no-cache'] },
  noVarySearch: { right: [true, false], wrong: [['a']] },
  queryMethod: { right: [true, false], wrong: ['QUERY'] },
  invalidateOnUnsafe: { right: [true, false], wrong: [['POST']] },
  inFront: { right: [true, false], wrong: ['front'] },
  precompress: { right: [true, false], wrong: ['br', ['br']] },
  jitter: { right: [0, 0.1, 0.5], wrong: [-0.1, 0.6, 1, NaN, '0.1'] },
  refreshAhead: { right: [0.5, 0.9], wrong: [0, 0.4, 1, 90, NaN, '0.9'] },
  route: { right: ['/x/:id'], wrong: ['', 5, /x/] },
}
const GLOBAL: typeof ROUTE = {
  store: {
    right: [STORE, new Keyv()],
    wrong: [null, 'redis://', {}, { get: noop, set: noop }, new Map().entries(), noop],
  },
  memory: {
    right: [
      {},
      { maxBytes: 1 },
      { maxBytes: undefined, maxEntryBytes: 1 },
      { maxStalenessMs: 1 },
      { maxStalenessMs: Infinity },
    ],
    wrong: [true, 0, null, [], { maxBytes: 0 }, { maxBytes: 1.5 }, { maxEntryBytes: '1' }, { maxStalenessMs: 0 }],
  },
  refresh: {
    right: [{}, { concurrency: 1, queueLimit: 0, timeoutMs: 1 }, { lostAfterMs: 1 }],
    wrong: [
      4,
      { concurrency: 0 },
      { queueLimit: -1 },
      { timeoutMs: 0 },
      { timeoutMs: 2 ** 31 },
      { lostAfterMs: 0 },
      ...[null, 1, {}, { open: true }, 'redis://localhost'].map((queue) => ({ queue })),
    ],
  },
  storeTimeoutMs: { right: [{}, { get: 1, set: 1 }], wrong: [50, { get: 0 }, { set: '1' }] },
  name: { right: ['a', 'my-cache_1.2'], wrong: ['', '1a', 'a b', 'a:b', 'a~', 'é', 'a\n', 'a'.repeat(41)] },
  version: { right: ['', '1.2.3', '2024-01-01'], wrong: ['a b', 'a:b', 1, 'a\n', 'a'.repeat(41)] },
  now: { right: [Date.now], wrong: [0, new Date(0)] },
  monotonicNow: { right: [() => 0], wrong: [0] },
}

/** Option and value, one row each. */
const rows = (table: typeof ROUTE, which: 'right' | 'wrong'): [name: string, value: unknown][] =>
  Object.entries(table).flatMap(([name, values]) => values[which].map((value): [string, unknown] => [name, value]))

function errorOf(act: () => unknown): CachebackError {
  try {
    act()
  } catch (error) {
    if (error instanceof CachebackError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

function expectError(act: () => unknown, code: ErrorCode, words: string): void {
  const error = errorOf(act)
  expect(error).toMatchObject({ name: 'CachebackError', code })
  expect(error.message).toContain(words)
  expect(error.hint.length).toBeGreaterThan(10)
  expect(error.message.endsWith(` ${error.hint}`)).toBe(true)
}

const read = (options: unknown) => readSettings(options as CachebackOptions)
const check = (options: unknown) => checkRouteOptions(options as RouteOptions)

test('these tables know every option', () => {
  const { hint } = errorOf(() => read({ unheardOf: 1 }))
  const known = [...hint.matchAll(/\b[a-z]\w*/gi)].map(([name]) => name).filter((name) => !/^(Known|here)$/.test(name))
  expect(known.toSorted()).toEqual([...Object.keys(GLOBAL), ...Object.keys(ROUTE)].toSorted())
})

describe('an option', () => {
  test.each(rows(ROUTE, 'right'))('%s: %j is right, everywhere', (name, value) => {
    expect(() => read({ [name]: value })).not.toThrow()
    expect(() => check({ [name]: value })).not.toThrow()
  })
  test.each(rows(GLOBAL, 'right'))('%s: %j is right for a whole cache', (name, value) => {
    expect(() => read({ [name]: value })).not.toThrow()
  })
  test.each(rows(ROUTE, 'wrong'))('%s: %j is wrong, everywhere', (name, value) => {
    expectError(() => read({ [name]: value }), 'CACHEBACK_INVALID_OPTION', `Option ${name}`)
    expectError(() => check({ [name]: value }), 'CACHEBACK_INVALID_OPTION', `Option ${name}`)
  })
  test.each(rows(GLOBAL, 'wrong'))('%s: %j is wrong', (name, value) => {
    expectError(() => read({ [name]: value }), 'CACHEBACK_INVALID_OPTION', `Option ${name}`)
  })
  test.each(rows(GLOBAL, 'right'))('%s: %j is for the whole cache, not for a route', (name, value) => {
    expectError(() => check({ [name]: value }), 'CACHEBACK_GLOBAL_OPTION', `Option ${name}`)
  })
  test.each(Object.keys({ ...GLOBAL, ...ROUTE }))('%s: undefined is as good as absent', (name) => {
    expect(read({ [name]: undefined })).toMatchObject({ name: 'cacheback', maxEntryBytes: 1_048_576 })
  })
})

describe('what is unknown', () => {
  test.each(['maxage', 'ttl', 'max-age', 'hook', 'cache', 'constructor', 'toString', '__proto__'])(
    'throws: %s',
    (name) => {
      const options: unknown = JSON.parse(`{"${name}":1}`)
      expectError(() => read(options), 'CACHEBACK_UNKNOWN_OPTION', `Unknown option ${name}.`)
      expectError(() => check(options), 'CACHEBACK_UNKNOWN_OPTION', `Unknown option ${name}.`)
    },
  )

  test.each<[options: object, path: string]>([
    [{ memory: { maxItems: 1 } }, 'memory.maxItems'],
    [{ refresh: { timeout: 1 } }, 'refresh.timeout'],
    [{ storeTimeoutMs: { delete: 1 } }, 'storeTimeoutMs.delete'],
    [{ collapse: { wait: 1 } }, 'collapse.wait'],
  ])('throws: %j', (options, path) => {
    expectError(() => read(options), 'CACHEBACK_UNKNOWN_OPTION', `Unknown option ${path}.`)
  })

  test.each([null, 5, 'x', [], true])('options are no %j', (options) => {
    expectError(() => read(options), 'CACHEBACK_INVALID_OPTION', 'Option options')
    expectError(() => check(options), 'CACHEBACK_INVALID_OPTION', 'Option options')
  })
})

describe('contradictions', () => {
  test('no copies in memory and no store', () => {
    expectError(() => read({ memory: false }), 'CACHEBACK_NO_STORAGE', 'memory')
    expect(read({ memory: false, store: STORE })).toMatchObject({ memoryMaxBytes: 0, store: STORE })
  })

  test('a queue to workers and no store', () => {
    const refresh = { queue: { open: () => undefined } }
    expectError(() => read({ refresh }), 'CACHEBACK_NO_SHARED_STORE', 'store')
    expect(read({ refresh, store: STORE }).refresh).toMatchObject(refresh)
  })

  test.each<[layers: RouteOptions[], name: string | undefined]>([
    [[{ vary: ['Cookie'] }], 'Cookie'],
    [[{ vary: ['accept', 'AUTHORIZATION'] }], 'AUTHORIZATION'],
    ...DEFAULT_CREDENTIALS.map((name): [RouteOptions[], string] => [[{ vary: [name] }], name]),
    [[{ vary: ['X-API-Key'], credentials: [] }], undefined],
    [[{ vary: ['x-mine'], credentials: ['X-Mine'] }], 'x-mine'],
    [[{ vary: ['cookie'], credentials: [] }], 'cookie'],
    // Of several layers together, too.
    [[{ credentials: ['x-mine'] }, { vary: ['x-mine'] }], 'x-mine'],
    [[{ vary: ['x-mine'] }, { credentials: ['x-mine'] }], 'x-mine'],
    [[{ credentials: [] }, { vary: ['x-api-key'] }], undefined],
  ])('credentials in vary: %j, %s', (layers, name) => {
    const throws = {
      code: 'CACHEBACK_CREDENTIAL_IN_VARY',
      message: expect.stringContaining(`vary names ${name},`) as string,
    }
    const tried = (act: () => unknown): unknown => (name === undefined ? act() : errorOf(act))
    const expected = name === undefined ? {} : throws
    expect(tried(() => resolveRules(layers))).toMatchObject(expected)
    const whole = tried(() => read(Object.assign({}, ...layers)))
    expect(whole).toMatchObject(expected)
  })
})

describe('the settings', () => {
  test('have defaults', () => {
    const { now, monotonicNow, ...settings } = readSettings()
    expect(settings).toEqual({
      name: 'cacheback',
      version: '',
      store: undefined,
      memoryMaxBytes: 64 * 1024 * 1024,
      maxEntryBytes: 1024 * 1024,
      memoryMaxStalenessMs: 1000,
      refresh: { concurrency: 4, queueLimit: 1000, timeoutMs: 30_000, queue: undefined, lostAfterMs: 60_000 },
      storeTimeoutMs: { get: 50, set: 250 },
    })
    expect(Math.abs(now() - Date.now())).toBeLessThan(1000)
    expect(Math.abs(monotonicNow() - performance.now())).toBeLessThan(1000)
  })

  test('are what was given, each beside the defaults of its neighbours', () => {
    const options = {
      name: 'x',
      version: '1',
      memory: { maxEntryBytes: 5 },
      refresh: { concurrency: 1 },
      storeTimeoutMs: { set: 9 },
    }
    expect(read(options)).toMatchObject({
      name: 'x',
      version: '1',
      memoryMaxBytes: 64 * 1024 * 1024,
      maxEntryBytes: 5,
      refresh: { concurrency: 1, queueLimit: 1000, timeoutMs: 30_000 },
      storeTimeoutMs: { get: 50, set: 9 },
    })
  })
})

describe('the rules of a route', () => {
  test('have defaults', () => {
    expect(resolveRules([])).toEqual({
      maxAgeMs: undefined,
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 0,
      vary: [],
      query: true,
      cookies: 'bypass',
      credentials: DEFAULT_CREDENTIALS.toSorted(),
      tags: undefined,
      sealed: false,
      skip: undefined,
      collapseWaitMs: 5000,
      renderTimeoutMs: undefined,
      hitForMissMs: 120_000,
      omit: DEFAULT_OMIT.toSorted(),
      etag: true,
      warning: true,
      cacheStatus: true,
      cacheStatusKey: false,
      route: undefined,
      keepMs: 86_400_000,
      heuristic: false,
      targetedCacheControl: [],
      requestCacheControl: false,
      invalidateOnUnsafe: true,
      noVarySearch: false,
      queryMethod: false,
      inFront: true,
      precompress: false,
      jitter: 0,
      refreshAhead: undefined,
    })
  })

  test.each<[options: RouteOptions, rules: object]>([
    [{ maxAge: 0 }, { maxAgeMs: 0 }],
    [
      { maxAge: 1.5, staleWhileRevalidate: 2, staleIfError: 3 },
      { maxAgeMs: 1500, staleWhileRevalidateMs: 2000, staleIfErrorMs: 3000 },
    ],
    [{ vary: ['X-B', 'x-a', 'X-A'] }, { vary: ['x-a', 'x-b'] }],
    [{ query: ['b', 'a', 'b', 'A'] }, { query: ['A', 'a', 'b'] }],
    [{ query: { ignore: ['b', 'a'] } }, { query: { ignore: ['b', 'a'] } }],
    [{ collapse: { waitMs: 0 } }, { collapseWaitMs: 0 }],
    [{ collapse: {} }, { collapseWaitMs: 5000 }],
    [{ hitForMissMs: 0 }, { hitForMissMs: 0 }],
    [{ omit: [] }, { omit: [] }],
    [{ keep: 1 }, { keepMs: 1000 }],
    // In their order.
    [{ targetedCacheControl: ['X-B', 'x-a'] }, { targetedCacheControl: ['x-b', 'x-a'] }],
    [{ credentials: ['X-Mine'] }, { credentials: ['x-mine'] }],
    [{ cacheStatus: false }, { cacheStatus: false, cacheStatusKey: false }],
    [{ cacheStatus: { key: true } }, { cacheStatus: true, cacheStatusKey: true }],
    [{ cacheStatus: { key: false } }, { cacheStatus: true, cacheStatusKey: false }],
  ])('are read from %j', (options, rules) => {
    expect(resolveRules([options])).toMatchObject(rules)
  })

  test('each option of an inner layer replaces the outer’s, none merges', () => {
    const layers: RouteOptions[] = [
      { maxAge: 1, vary: ['a'], omit: ['x-a'], collapse: { waitMs: 1 }, etag: false },
      { maxAge: 2, vary: ['b'], omit: undefined, collapse: {} },
      { maxAge: undefined, etag: true },
    ]
    expect(resolveRules(layers)).toMatchObject({
      maxAgeMs: 2000,
      vary: ['b'],
      omit: ['x-a'],
      collapseWaitMs: 5000,
      etag: true,
    })
  })

  test('take nothing from the options of the whole cache', () => {
    expect(resolveRules([{ name: 'x', maxAge: 1 } as RouteOptions])).not.toHaveProperty('name')
  })
})
