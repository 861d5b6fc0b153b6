import type { IncomingMessage } from 'node:http'

import { Keyv } from 'keyv'
import { describe, expectTypeOf, test } from 'vitest'
import {
  type CacheEvent,
  type CacheWorker,
  type Cacheback,
  type CachebackOptions,
  type CallInfo,
  CachebackError,
  type ErrorCode,
  type EventName,
  type Inspection,
  Job,
  type PeekedValue,
  type PurgeReport,
  type JobQueue,
  type RouteOptions,
  type Selector,
  type Stats,
  type Store,
  cached,
  type WarmResult,
  createCacheback,
  methodsOf,
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
  expectTypeOf<Cacheback['purge']>().returns.toEqualTypeOf<Promise<PurgeReport>>()
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
  expectTypeOf(purges).toEqualTypeOf<Promise<PurgeReport>[]>()
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

interface Tweet {
  readonly id: number
}
const tweetsOf = async (user: string, page = 1): Promise<Tweet[]> => [{ id: user.length + page }]

describe('a function', () => {
  test('keeps its arguments and its result', () => {
    const tweets = cache.wrap(tweetsOf)
    expectTypeOf(tweets).parameters.toEqualTypeOf<[user: string, page?: number | undefined]>()
    expectTypeOf(tweets).returns.toEqualTypeOf<Promise<Tweet[]>>()
    expectTypeOf(tweets.refresh).parameters.toEqualTypeOf<[user: string, page?: number | undefined]>()
    expectTypeOf(tweets.refresh).returns.toEqualTypeOf<Promise<Tweet[]>>()
    expectTypeOf(tweets.set).parameters.toEqualTypeOf<
      [args: [user: string, page?: number | undefined], value: Tweet[]]
    >()
    expectTypeOf(tweets.peek).returns.resolves.toEqualTypeOf<PeekedValue<Tweet[]> | undefined>()
    expectTypeOf(tweets.invalidate).returns.resolves.toEqualTypeOf<boolean>()
    expectTypeOf(tweets.delete).returns.resolves.toEqualTypeOf<boolean>()
    expectTypeOf(tweets.keyOf).returns.toEqualTypeOf<string>()
    // A synchronous one is a promise from then on.
    expectTypeOf(cache.wrap((n: number) => n * 2)).returns.toEqualTypeOf<Promise<number>>()
    // @ts-expect-error: a user is a string
    void tweets(1)
    // @ts-expect-error: tweets are objects
    void tweets.set(['ada'], ['x'])
  })

  test('gives what a miss gets that does not wait', () => {
    expectTypeOf(cache.wrap(tweetsOf, { fetchOnMiss: false })).returns.resolves.toEqualTypeOf<Tweet[] | undefined>()
    expectTypeOf(cache.wrap(tweetsOf, { fetchOnMiss: false, empty: null })).returns.resolves.toEqualTypeOf<
      Tweet[] | null
    >()
    expectTypeOf(cache.wrap(tweetsOf, { fetchOnMiss: (user) => user !== 'ada' })).returns.resolves.toEqualTypeOf<
      Tweet[] | undefined
    >()
    expectTypeOf(cache.wrap(tweetsOf, { fetchOnMiss: true })).returns.resolves.toEqualTypeOf<Tweet[]>()
  })

  test('gives what process makes of it', () => {
    const count = cache.wrap(tweetsOf, {
      process: (tweets, info, user, page) => {
        expectTypeOf(tweets).toEqualTypeOf<Tweet[]>()
        expectTypeOf(info).toEqualTypeOf<CallInfo>()
        expectTypeOf(user).toEqualTypeOf<string>()
        expectTypeOf(page).toEqualTypeOf<number | undefined>()
        return tweets.length
      },
    })
    expectTypeOf(count).returns.resolves.toEqualTypeOf<number>()
    expectTypeOf(count.refresh).returns.resolves.toEqualTypeOf<Tweet[]>()
  })

  test('has options that know it', () => {
    cache.wrap(tweetsOf, {
      maxAge: (tweets, user) => {
        expectTypeOf(tweets).toEqualTypeOf<Tweet[]>()
        expectTypeOf(user).toEqualTypeOf<string>()
        return tweets.length === 0 ? undefined : 60
      },
      tags: (user) => [`user:${user}`],
      key: (user, page) => [user, page],
      errorMaxAge: (error) => {
        expectTypeOf(error).toEqualTypeOf<unknown>()
        return 5
      },
    })
    // @ts-expect-error: no such option
    cache.wrap(tweetsOf, { ttl: 10 })
    // @ts-expect-error: seconds
    cache.wrap(tweetsOf, { maxAge: '10' })
    // @ts-expect-error: nothing is empty where every miss waits
    cache.wrap(tweetsOf, { empty: [] })
  })

  test('is called for whom it belongs to', () => {
    const load = cache.wrap(
      async function load(this: { readonly base: number }, n: number) {
        return this.base + n
      },
      {
        key(n) {
          return [this.base, n]
        },
      },
    )
    // @ts-expect-error: it has no base
    void load.call({}, 1)
    expectTypeOf(load.call({ base: 1 }, 1)).resolves.toEqualTypeOf<number>()
  })

  test('may be a class', () => {
    class Tweets extends Job<[user: string], Tweet[]> {
      async fetch(user: string) {
        return tweetsOf(user)
      }
    }
    void new Tweets(cache, { maxAge: 60, tags: (user) => [user] })
    expectTypeOf<Tweets['get']>().parameters.toEqualTypeOf<[user: string]>()
    expectTypeOf<Tweets['get']>().returns.resolves.toEqualTypeOf<Tweet[] | undefined>()
    expectTypeOf<Tweets['refresh']>().returns.resolves.toEqualTypeOf<Tweet[]>()
    // @ts-expect-error: it has no fetch
    class Nothing extends Job<[], number> {}
    // @ts-expect-error: its parts are methods
    void new Tweets(cache, { process: () => 1 })
    void Nothing
  })

  test('may be a method', () => {
    class Service {
      readonly tenant = 'a'
      @cached({ cache, maxAge: 60, instance: ({ tenant }: Service) => tenant })
      async find(id: number): Promise<Tweet> {
        return { id }
      }
      // @ts-expect-error: a cached method is async
      @cached({ cache, instance: 'any' })
      now(): number {
        return 1
      }
    }
    const service = new Service()
    expectTypeOf<Service['find']>().toEqualTypeOf<(id: number) => Promise<Tweet>>()
    expectTypeOf(methodsOf(service, 'find').refresh).toEqualTypeOf<(id: number) => Promise<Tweet>>()
    // @ts-expect-error: no such option
    cached({ cache, ttl: 1 })
  })
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
