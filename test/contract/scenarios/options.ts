import { createCacheback } from '@cacheback/core'
import { expect } from 'vitest'
import { anyStore, scenario } from '../../support/scenario.ts'

const unknown = [{ maxAges: 1 }, { memory: { maxByte: 1 } }, { refresh: { limit: 1 } }, { collapse: { ms: 1 } }]

const invalid = [
  { maxAge: -1 },
  { maxAge: '10' },
  { maxAge: Number.NaN },
  { maxAge: Number.POSITIVE_INFINITY },
  { staleWhileRevalidate: 'long' },
  { staleIfError: null },
  { vary: 'accept' },
  { vary: ['bad name'] },
  { query: 'page' },
  { query: { only: [] } },
  { query: { ignore: 'utm' } },
  { cookies: 'allow' },
  { cookies: { key: 'lang' } },
  { cookies: { key: ['a'], bypass: ['b'] } },
  { credentials: 'x-api-key' },
  { tags: 'articles' },
  { sealed: 1 },
  { skip: true },
  { collapse: { waitMs: -1 } },
  { collapse: 5000 },
  { renderTimeoutMs: 0 },
  { hitForMissMs: -1 },
  { omit: 'x-request-id' },
  { etag: 'strong' },
  { warning: 'yes' },
  { cacheStatus: { key: 'yes' } },
  { route: '' },
]

const invalidGlobally = [
  { store: {} },
  { store: 'redis://localhost' },
  { memory: true },
  { memory: { maxBytes: 0 } },
  { memory: { maxBytes: 1.5 } },
  { refresh: { concurrency: 0 } },
  { refresh: { queueLimit: -1 } },
  { refresh: { timeoutMs: 0 } },
  { refresh: 4 },
  { storeTimeoutMs: { get: 0 } },
  { storeTimeoutMs: 50 },
  { name: '' },
  { name: 'a b' },
  { version: 'a:b' },
  { now: 0 },
  { monotonicNow: 'x' },
]

const personal = [{ vary: ['Cookie'] }, { vary: ['authorization'] }, { vary: ['accept', 'X-Api-Key'] }]

const global = [
  { store: new Map() },
  { memory: false },
  { refresh: {} },
  { storeTimeoutMs: {} },
  { name: 'x' },
  { version: 'x' },
  { now: Date.now },
  { monotonicNow: Date.now },
]

const table: Record<string, [code: string, ofCache: object[], ofRoute: object[]]> = {
  'OPTION-01': ['CACHEBACK_UNKNOWN_OPTION', unknown, [{ maxAges: 1 }, { collapse: { ms: 1 } }]],
  'OPTION-02': ['CACHEBACK_INVALID_OPTION', [...invalid, ...invalidGlobally], invalid],
  'OPTION-03': ['CACHEBACK_CREDENTIAL_IN_VARY', personal, personal],
  'OPTION-04': ['CACHEBACK_GLOBAL_OPTION', [], global],
  'OPTION-05': ['CACHEBACK_NO_STORAGE', [{ memory: false }], []],
}

for (const [id, [code, ofCache, ofRoute]] of Object.entries(table)) {
  scenario(id, `${code} is thrown when the app is built`, anyStore, async ({ framework }) => {
    for (const options of ofCache) {
      await expect(framework.build(options), JSON.stringify(options)).rejects.toMatchObject({
        name: 'CachebackError',
        code,
      })
      expect(() => createCacheback(options), JSON.stringify(options)).toThrow(expect.objectContaining({ code }))
    }
    for (const options of ofRoute) {
      await expect(framework.buildRoute(options), JSON.stringify(options)).rejects.toMatchObject({ code })
    }
  })
}

scenario('OPTION-06', 'good options build, undefined ones count as absent', anyStore, async ({ framework }) => {
  const good = [
    {},
    { maxAge: 0, staleWhileRevalidate: 0.5, staleIfError: 86_400 },
    { maxAge: undefined, vary: undefined, store: undefined, memory: undefined },
    { vary: [], query: [], cookies: { key: ['lang'] }, credentials: [] },
    { query: { ignore: ['utm_source'] }, cacheStatus: { key: true }, omit: ['x-*'] },
    { collapse: { waitMs: 0 }, renderTimeoutMs: 1, hitForMissMs: 0 },
    { memory: { maxBytes: 1 }, refresh: { queueLimit: 0 }, name: 'shop', version: '2026-11.1' },
    { credentials: ['x-member'], vary: ['x-api-key'] },
  ]
  for (const options of good) await expect(framework.build(options), JSON.stringify(options)).resolves.toBeDefined()
  for (const options of [false, {}, { maxAge: 1, route: 'articles' }]) {
    await expect(framework.buildRoute(options)).resolves.toBeDefined()
  }
})

scenario('OPTION-07', 'an error says what is wrong and what to do', anyStore, async ({ framework }) => {
  const failure = await framework.build({ maxAge: '10' }).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(Error)
  expect(failure).toMatchObject({ message: expect.stringMatching(/maxAge.*"10".*seconds/), hint: expect.any(String) })
})
