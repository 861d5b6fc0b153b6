import type { CachebackOptions, Store } from '@cacheback/core'
import { redisStore, type RedisStore } from '@cacheback/redis'
import KeyvRedis from '@keyv/redis'
import { createClient } from '@redis/client'
import { Keyv } from 'keyv'
import { inject } from 'vitest'

export const STORES = ['memory', 'keyv', 'redis', 'shared'] as const
export type StoreName = (typeof STORES)[number]

/** One test's place to store: every call gives the options of one more process with the same store behind it. */
export type Backing = () => Promise<CachebackOptions>

let tests = 0

/**
 * memory: in-process copies alone. keyv: copies before a Keyv in memory. redis: no copies, so that every hit comes from
 * a real Redis. shared: copies before @cacheback/redis, whose clock is the test's.
 */
export function makeBacking(name: StoreName, clock: { readonly now: number }): Backing {
  const namespace = `test-${process.pid}-${tests++}`
  if (name === 'memory') return async () => ({})
  if (name === 'keyv') {
    const shared = new Map()
    return async () => ({ store: new Keyv({ store: shared, namespace }) })
  }
  if (name === 'shared') {
    return async () => ({ store: onClock(await sharedRedis(inject('redisSocket'), `${namespace}:`), clock) })
  }
  return async () => ({ memory: false, store: await redisKeyv(inject('redisSocket'), namespace) })
}

/** A shared store, connected. */
export async function sharedRedis(path: string, prefix: string): Promise<RedisStore> {
  const store = redisStore({ client: createClient({ socket: { path, tls: false } }), prefix })
  await store.ready()
  return store
}

/** Every process of a test has the clock of the test, and so has the store. */
export function onClock(store: RedisStore, clock: { readonly now: number }): RedisStore {
  const join: RedisStore['join'] = (party) => {
    const member = store.join(party)
    member.time = async () => clock.now
    return member
  }
  return Object.assign(Object.create(store) as RedisStore, {
    join,
    get: (key: string) => store.get(key),
    set: (key: string, frame: Uint8Array, ttlMs: number) => store.set(key, frame, ttlMs),
    delete: (key: string) => store.delete(key),
    reset: () => store.reset?.(),
    close: async () => store.close?.(),
  })
}

const reconnectStrategy = (tries: number): number => Math.min(50 * 2 ** tries, 500)

/** The settings of docs/stores.md. */
export function redisOptions<Where extends object>(where: Where) {
  const socket = { ...where, connectTimeout: 1000, socketTimeout: 1500, reconnectStrategy }
  return { socket, pingInterval: 500, disableOfflineQueue: true }
}

/** A Keyv on Redis as a careful user makes it: connected before the first request. */
export async function redisKeyv(path: string, namespace: string): Promise<Keyv> {
  const adapter = new KeyvRedis<string>(redisOptions({ path, tls: false }), { throwOnErrors: true })
  const keyv = new Keyv({ store: adapter, namespace })
  keyv.on('error', () => undefined)
  await adapter.getClient()
  return keyv
}

/** A store of the port in a Map, which can be told to misbehave. */
export class FakeStore implements Store {
  readonly frames = new Map<string, Uint8Array>()
  readonly lifetimes: number[] = []
  readonly calls = { get: 0, set: 0, delete: 0, close: 0 }
  /** What happens instead of answering: rejects, throws at once, or never answers. */
  fault: 'reject' | 'throw' | 'hang' | undefined

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#answer('get', () => this.frames.get(key))
  }

  set(key: string, frame: Uint8Array, ttlMs: number): Promise<void> {
    return this.#answer('set', () => {
      this.lifetimes.push(ttlMs)
      this.frames.set(key, Uint8Array.from(frame))
    })
  }

  delete(key: string): Promise<void> {
    return this.#answer('delete', () => void this.frames.delete(key))
  }

  async close(): Promise<void> {
    this.calls.close++
  }

  #answer<T>(name: 'get' | 'set' | 'delete', act: () => T): Promise<T> {
    this.calls[name]++
    if (this.fault === 'hang') return new Promise(() => undefined)
    const error = new Error('the store is broken')
    if (this.fault === 'throw') throw error
    return this.fault === 'reject' ? Promise.reject(error) : Promise.resolve().then(act)
  }
}
