import { createCacheback } from '@cacheback/core'
import KeyvRedis from '@keyv/redis'
import { Keyv } from 'keyv'
import { expect, inject } from 'vitest'
import { hit, STALE } from '../../support/cache-status.ts'
import { cacheControl, text } from '../../support/reply.ts'
import { anyStore, scenario, sharedStore } from '../../support/scenario.ts'
import { FakeStore } from '../../support/stores.ts'
import { settle, watchProcess } from './regressions-tools.ts'

type Call = 'get' | 'set' | 'delete'

/** A store of which one method fails and the others work. */
class PartlyBroken extends FakeStore {
  readonly #broken: Call

  constructor(broken: Call) {
    super()
    this.#broken = broken
  }

  override async get(key: string): Promise<Uint8Array | undefined> {
    return this.#broken === 'get' ? this.#fail('get') : super.get(key)
  }

  override async set(key: string, frame: Uint8Array, ttlMs: number): Promise<void> {
    return this.#broken === 'set' ? this.#fail('set') : super.set(key, frame, ttlMs)
  }

  override async delete(key: string): Promise<void> {
    return this.#broken === 'delete' ? this.#fail('delete') : super.delete(key)
  }

  #fail(name: Call): never {
    this.calls[name]++
    throw new Error(`no ${name} today`)
  }
}

const swr = cacheControl('max-age=10, stale-while-revalidate=600')
const isRefresh = (agent: string | undefined): boolean => agent?.startsWith('cacheback/') === true

for (const [id, broken] of [
  ['THREAT-16', 'get'],
  ['THREAT-17', 'set'],
  ['THREAT-18', 'delete'],
] as const) {
  scenario(
    id,
    `a store that fails at ${broken} alone costs nobody his page, and is heard of`,
    anyStore,
    async ({ serve, clock }) => {
      const errors = watchProcess()
      for (const memory of [{}, { memory: false }] as const) {
        const store = new PartlyBroken(broken)
        const site = await serve({
          options: { store, ...memory },
          routes: {
            '/:page': ({ params, headers }) =>
              // A refresh finds it gone: then there is something to delete.
              isRefresh(headers['user-agent']) ? text('gone', {}, 404) : text(`page ${params['page']}`, swr),
          },
        })
        const reasons: (string | undefined)[] = []
        site.cache.on('store-error', ({ reason }) => reasons.push(reason))
        for (let round = 0; round < 4; round++) {
          for (const page of ['a', 'b']) {
            for (let visit = 0; visit < 2; visit++) {
              expect(await site.ask(`/${page}`)).toMatchObject({ status: 200, text: `page ${page}`, complete: true })
            }
          }
          clock.advance(11)
        }
        expect(store.calls[broken]).toBeGreaterThan(0)
        expect(new Set(reasons)).toEqual(new Set([`${broken}-failed`]))
        expect(site.cache.stats().events['store-error']).toBe(store.calls[broken])
      }
      expect(errors).toEqual([])
    },
  )
}

scenario(
  'THREAT-19',
  'what one process has refreshed, another finds instead of rendering it again',
  sharedStore,
  async ({ serve, clock }) => {
    const [one, other] = [
      await serve({ routes: { '/x': ({ n }) => text(`one ${n}`, swr) } }),
      await serve({ routes: { '/x': ({ n }) => text(`other ${n}`, swr) } }),
    ]
    for (let round = 1; round <= 3; round++) {
      await one.ask('/x')
      await other.ask('/x')
      expect(await other.ask('/x')).toMatchObject({ text: `one ${round}`, cacheStatus: hit(10) })
      clock.advance(11)
      expect(await one.ask('/x')).toMatchObject({ text: `one ${round}`, warning: STALE })
      // With a copy in memory this one serves it stale once, and its refresh finds the new one in the store.
      await other.ask('/x')
      expect(await other.ask('/x')).toMatchObject({ text: `one ${round + 1}`, cacheStatus: hit(10), age: 0 })
    }
    expect(other.renders()).toBe(0)
    expect(one.renders()).toBe(4)
  },
)

scenario(
  'THREAT-20',
  'both copies are stale: the one that another process has stored later is served',
  sharedStore,
  async ({ serve, clock }) => {
    const fields = cacheControl('max-age=10, stale-while-revalidate=15')
    const [one, other] = [
      await serve({ routes: { '/x': ({ n }) => text(`one ${n}`, fields) } }),
      await serve({ routes: { '/x': ({ n }) => text(`other ${n}`, fields) } }),
    ]
    await one.ask('/x')
    expect((await other.ask('/x')).text).toBe('one 1')
    clock.advance(20)
    await one.ask('/x')
    clock.advance(20)
    expect(await other.ask('/x')).toMatchObject({ text: 'one 2', age: 20, warning: STALE, cacheStatus: hit(-10) })
    expect(await other.ask('/x')).toMatchObject({ text: 'other 1', cacheStatus: hit(10) })
  },
)

/** A client that has not been told to connect. */
function unconnected(path: string): Keyv {
  const socket = { path, tls: false as const, reconnectStrategy: false as const }
  return new Keyv({ store: new KeyvRedis({ socket, disableOfflineQueue: true }) })
}

class Unclosable extends FakeStore {
  override async close(): Promise<void> {
    throw new Error('there is no connection to close')
  }
}

scenario(
  'THREAT-21',
  'a cache that is closed before its store has connected, or where there is none, closes quietly',
  { stores: ['redis'], because: 'needs a client that connects late' },
  async ({ options }) => {
    const errors = watchProcess()
    const path = inject('redisSocket')
    for (const store of [unconnected(path), unconnected(`${path}-nobody`), new Unclosable()]) {
      const cache = createCacheback(await options({ store }))
      // Its first look makes a client connect.
      const look = cache.inspect('http://example.test/x')
      await Promise.all([cache.close(), cache.close()])
      expect(await look).toBeUndefined()
      await settle()
    }
    expect(errors).toEqual([])
  },
)
