import type { IncomingMessage } from 'node:http'

import { Keyv } from 'keyv'
import { describe, expectTypeOf, test } from 'vitest'
import {
  type CacheEvent,
  type CacheWorker,
  type Cacheback,
  type CachebackOptions,
  CachebackError,
  type ErrorCode,
  type EventName,
  type Inspection,
  type JobQueue,
  type RouteOptions,
  type Selector,
  type Stats,
  type Store,
  type WarmResult,
  createCacheback,
} from './index.ts'

test('a cache is made of options, or of none', () => {
  expectTypeOf(createCacheback).returns.toEqualTypeOf<Cacheback>()
  createCacheback()
  createCacheback({})
  createCacheback({ maxAge: 10, staleWhileRevalidate: 300, staleIfError: 86_400, query: ['page'] })
  // As they come out of somebody's own configuration.
  createCacheback({ maxAge: undefined, memory: undefined, store: undefined })
  createCacheback({ vary: ['accept'] as const, cookies: { key: ['lang'] as const } } as const)
})

test('options are of their types', () => {
  // @ts-expect-error: seconds are a number
  createCacheback({ maxAge: '10' })
  // @ts-expect-error: no such option
  createCacheback({ ttl: 10 })
  // @ts-expect-error: a list
  createCacheback({ vary: 'accept' })
  // @ts-expect-error: a list of names
  createCacheback({ query: { ignore: 'utm' } })
  // @ts-expect-error: no such rule
  createCacheback({ cookies: 'keep' })
  // @ts-expect-error: true is the default, false the only other
  createCacheback({ memory: true })
  // @ts-expect-error: a misspelled member
  createCacheback({ memory: { maxbytes: 1 } })
  // @ts-expect-error: synchronous
  createCacheback({ skip: async () => true })
  // @ts-expect-error: strings
  createCacheback({ tags: () => [1] })
  createCacheback({ precompress: true, inFront: false, jitter: 0.1, refreshAhead: 0.9 })
  // @ts-expect-error: a share
  createCacheback({ jitter: '10%' })
})

test('callbacks know what they get', () => {
  createCacheback({
    skip: (request) => {
      expectTypeOf(request).toEqualTypeOf<IncomingMessage>()
      return request.headers['x-preview'] !== undefined
    },
    tags: (request, response) => {
      expectTypeOf(request).toEqualTypeOf<IncomingMessage>()
      expectTypeOf(response.status).toEqualTypeOf<number>()
      expectTypeOf(response.headers).toEqualTypeOf<Readonly<Record<string, string>>>()
      return ['a']
    },
  })
})

test('options of a route are those of a cache but for what belongs to the whole of it', () => {
  expectTypeOf<CachebackOptions>().toExtend<RouteOptions>()
  type Whole = Exclude<keyof CachebackOptions, keyof RouteOptions>
  expectTypeOf<Whole>().toEqualTypeOf<
    'store' | 'memory' | 'refresh' | 'storeTimeoutMs' | 'name' | 'version' | 'now' | 'monotonicNow'
  >()
})

describe('a store', () => {
  test('is a Keyv', () => {
    createCacheback({ store: new Keyv() })
    createCacheback({ store: new Keyv<string>({ namespace: 'x' }), memory: false })
  })

  test('is anything of the port', () => {
    const store: Store = {
      get: async () => new Uint8Array(),
      set: async (key, frame, ttlMs) => {
        expectTypeOf([key, frame, ttlMs] as const).toEqualTypeOf<readonly [string, Uint8Array, number]>()
      },
      delete: async () => undefined,
    }
    createCacheback({ store })
    createCacheback({ store: { ...store, close: async () => undefined } })
  })

  test('is nothing else', () => {
    // @ts-expect-error: a Map is neither
    createCacheback({ store: new Map<string, Uint8Array>() })
    // @ts-expect-error: an address is none
    createCacheback({ store: 'redis://localhost' })
    // @ts-expect-error: it must be able to delete
    createCacheback({ store: { get: async () => undefined, set: async () => undefined } })
  })
})

const cache = createCacheback()

test('a selector is exactly one thing', () => {
  expectTypeOf<Cacheback['purge']>().parameter(0).toEqualTypeOf<Selector>()
  expectTypeOf<Cacheback['purge']>().returns.toEqualTypeOf<Promise<void>>()
  const purges = [
    cache.purge({ url: '/x' }),
    cache.purge({ route: '/:x' }),
    cache.purge({ prefix: 'https://a.test/' }, { soft: true }),
    cache.purge({ tag: 'a' }, {}),
    cache.purge({ all: true }),
    // @ts-expect-error: not all is nothing
    cache.purge({ all: false }),
    // @ts-expect-error: no such selector
    cache.purge({ host: 'a.test' }),
    // @ts-expect-error: one tag
    cache.purge({ tag: ['a'] }),
    // @ts-expect-error: a selector is an object
    cache.purge('/x'),
    // @ts-expect-error: everything must be asked for
    cache.purge(),
  ]
  expectTypeOf(purges).toEqualTypeOf<Promise<void>[]>()
})

test('events have names and tell what happened', () => {
  expectTypeOf<Cacheback['on']>().parameter(0).toEqualTypeOf<EventName>()
  const stop = cache.on('refresh-failed', (event) => {
    expectTypeOf(event).toEqualTypeOf<CacheEvent>()
    expectTypeOf(event.key).toEqualTypeOf<string>()
    expectTypeOf(event.route).toEqualTypeOf<string | undefined>()
    expectTypeOf(event.durationMs).toEqualTypeOf<number | undefined>()
  })
  expectTypeOf(stop).toEqualTypeOf<() => void>()
  // @ts-expect-error: no such event
  cache.on('hits', () => undefined)
  // @ts-expect-error: a listener is a function
  cache.on('hit', 'x')
})

test('the rest of a cache', () => {
  expectTypeOf(cache.stats()).toEqualTypeOf<Stats>()
  expectTypeOf(cache.stats().events.hit).toEqualTypeOf<number>()
  expectTypeOf<Cacheback['inspect']>().parameters.toEqualTypeOf<[url: string]>()
  expectTypeOf<Cacheback['inspect']>().returns.resolves.toEqualTypeOf<Inspection | undefined>()
  expectTypeOf<Cacheback['refresh']>().toBeCallableWith('http://a.test/')
  expectTypeOf<Cacheback['refresh']>().toBeCallableWith('http://a.test/', { accept: 'text/html' })
  expectTypeOf<Cacheback['refresh']>().returns.resolves.toEqualTypeOf<boolean>()
  expectTypeOf<Cacheback['idle']>().returns.resolves.toEqualTypeOf<void>()
  expectTypeOf<Cacheback['close']>().returns.resolves.toEqualTypeOf<void>()
  expectTypeOf(cache.attach(() => undefined)).toEqualTypeOf<Cacheback>()
})

test('an error has a code of a list', () => {
  expectTypeOf<CachebackError>().toExtend<Error>()
  expectTypeOf<CachebackError['code']>().toEqualTypeOf<ErrorCode>()
  expectTypeOf<'CACHEBACK_UNKNOWN_OPTION'>().toExtend<ErrorCode>()
})

test('a queue is an object that opens channels; a cache works, and is warmed', async () => {
  const queue: JobQueue = {
    open: () => ({
      add: async () => undefined,
      work: () => ({ close: async () => undefined }),
      schedule: async () => undefined,
      close: async () => undefined,
    }),
  }
  const working = createCacheback({ refresh: { queue, lostAfterMs: 1000 } })
  expectTypeOf(
    working.work({ queue, concurrency: 2, schedule: [{ url: 'http://a/', every: 300 }] }),
  ).toEqualTypeOf<CacheWorker>()
  working.work()
  // @ts-expect-error: a connection is no queue
  createCacheback({ refresh: { queue: 'redis://localhost' } })
  // @ts-expect-error: seconds
  working.work({ schedule: [{ url: 'http://a/', every: '5m' }] })
  const calls = [async () => 1, async () => 'x']
  expectTypeOf(
    await working.warm(['http://a/', { url: 'http://a/', headers: { accept: 'x' } }, ...calls]),
  ).toEqualTypeOf<WarmResult>()
  // @ts-expect-error: what is to be warmed?
  await working.warm([1])
})
