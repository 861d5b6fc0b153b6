import type { CachebackOptions, KeyvLike } from '@cacheback/core'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished } from 'vitest'
import { hit, numbered, STALE, STORED } from '../support/cache-status.ts'
import { fresh10 } from '../support/reply.ts'
import { startRedis } from '../support/redis.ts'
import { anyStore, scenario, type Stage } from '../support/scenario.ts'
import { FakeStore, redisKeyv } from '../support/stores.ts'
import { swr } from './failures.ts'
import { playOnAll } from './site.ts'

const HOUR = 3_600_000

/** A process whose clock goes wrong by so much, on a store that it shares with others. */
const processAt = ({ serve, clock }: Stage, store: FakeStore, skewMs: number, more: CachebackOptions = {}) =>
  serve({ options: { store, now: () => clock.now + skewMs, ...more }, routes: { '/x': numbered(swr) } })

for (const [id, memory] of [
  ['FAULT-130', undefined],
  ['FAULT-131', false],
] as const) {
  const where = memory === undefined ? 'in memory' : 'in the store alone'
  scenario(
    id,
    `the clock goes back an hour: what is stored ${where} is stale, not fresh for another hour, and nothing is deleted`,
    anyStore,
    async ({ serve, clock }) => {
      const store = new FakeStore()
      const site = await serve({ options: { store, memory }, routes: { '/x': numbered(swr) } })
      await site.ask('/x')
      clock.now -= HOUR
      expect(await site.ask('/x')).toMatchObject({ text: 'render 1', warning: STALE, age: 0 })
      expect(await site.ask('/x')).toMatchObject({ text: 'render 2', cacheStatus: hit(10) })
      clock.advance(11)
      expect(await site.ask('/x')).toMatchObject({ text: 'render 2', warning: STALE, age: 11 })
      expect(store.calls.delete).toBe(0)
      expect(store.frames.size).toBe(1)
    },
  )
}

scenario(
  'FAULT-132',
  'the clock goes back an hour: a page without a stale window is rendered anew',
  anyStore,
  async ({ serve, clock }) => {
    const store = new FakeStore()
    const site = await serve({ options: { store }, routes: { '/x': numbered(fresh10) } })
    await site.ask('/x')
    clock.now -= HOUR
    expect(await site.ask('/x')).toMatchObject({ text: 'render 2', warning: undefined })
    expect((await site.ask('/x')).cacheStatus).toBe(hit(10))
    expect(store.calls.delete).toBe(0)
  },
)

scenario(
  'FAULT-133',
  'the clock goes on an hour and back again, many times: a page each time, never from nowhere, and nothing is deleted',
  anyStore,
  async ({ serve, clock }) => {
    const store = new FakeStore()
    const site = await serve({ options: { store }, routes: { '/x': numbered(swr), '/y': numbered(fresh10) } })
    for (let jump = 0; jump < 10; jump++) {
      for (const path of ['/x', '/y']) {
        await site.ask(path)
        const got = await site.ask(path)
        expect(got).toMatchObject({ status: 200, cacheStatus: hit(10), age: 0 })
        expect(got.text).toBe(`render ${site.renders(path)}`)
      }
      clock.now += jump % 2 === 0 ? HOUR : -HOUR
    }
    expect(site.renders()).toBeLessThanOrEqual(20)
    expect(store.calls.delete).toBe(0)
    expect(store.frames.size).toBe(2)
  },
)

for (const [id, skewMs, title] of [
  ['FAULT-134', HOUR, 'an hour ahead'],
  ['FAULT-135', -HOUR, 'an hour behind'],
] as const) {
  scenario(
    id,
    `two processes, one of them ${title}, on one store: both serve, neither believes the other's future, nothing is deleted`,
    anyStore,
    async (stage) => {
      const store = new FakeStore()
      const right = await processAt(stage, store, 0)
      const wrong = await processAt(stage, store, skewMs)
      const [early, late] = skewMs > 0 ? [right, wrong] : [wrong, right]
      expect((await late.ask('/x')).cacheStatus).toBe(STORED)
      // It comes from the future: nobody here knows how old it is.
      expect(await early.ask('/x')).toMatchObject({ status: 200, warning: STALE, age: 0 })
      expect((await early.ask('/x')).cacheStatus).toBe(hit(10))
      for (const site of [early, late, early, late]) {
        stage.clock.advance(11)
        expect(await site.ask('/x')).toMatchObject({ status: 200, warning: STALE })
        expect((await site.ask('/x')).warning).toBeUndefined()
      }
      expect(store.calls.delete).toBe(0)
      expect(store.frames.size).toBe(1)
    },
  )
}

scenario(
  'FAULT-136',
  'the purge of a process an hour behind holds for what was rendered before it',
  anyStore,
  async (stage) => {
    const { clock } = stage
    const store = new FakeStore()
    const right = await processAt(stage, store, 0)
    const behind = await processAt(stage, store, -HOUR)
    await right.ask('/x')
    // Known to this process alone so far: the other one answers nobody, and has not looked.
    await right.cache.purge({ tag: 'else' })
    expect((await right.ask('/x')).text).toBe('render 1')
    await right.cache.purge({ url: '/x' })
    expect((await right.ask('/x')).text).toBe('render 2')
    await behind.cache.purge({ url: '/x' })
    clock.advance(1.1)
    expect((await right.ask('/x')).text).toBe('render 3')
  },
)

/** Holds up the whole process, as a handler that computes does. */
function block(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

/** A Redis so far away, with something that happens in this process after each call to it. */
function followed(keyv: KeyvLike, awayMs: number, act: () => void): KeyvLike {
  const call = async <T>(made: Promise<T>): Promise<T> => {
    act()
    const result = await made
    if (awayMs > 0) await sleep(awayMs)
    return result
  }
  return {
    get: (key) => call(keyv.get(key)),
    set: (key, value, ttl) => call(keyv.set(key, value, ttl)),
    delete: (key) => keyv.delete(key),
    on: (event, listener) => keyv.on(event, listener),
    disconnect: () => keyv.disconnect!(),
  }
}

for (const [id, when, awayMs] of [
  // The client hands its commands over in the next turn.
  ['FAULT-137', 'on its way', 0],
  ['FAULT-138', 'being made', 10],
] as const) {
  scenario(
    id,
    `the loop is blocked for 500 ms while a call to Redis is ${when}: it counts as answered, and the breaker stays closed`,
    { ...anyStore, frameworks: ['fastify'], because: 'the store does not know of frameworks' },
    async ({ serve }) => {
      const redis = await startRedis()
      onTestFinished(() => redis.stop())
      let isBusy = false
      const act = (): void => {
        if (isBusy && when === 'being made') queueMicrotask(() => block(500))
        else if (isBusy) setImmediate(() => setImmediate(() => block(500)))
      }
      const store = followed(await redisKeyv(redis.socketPath, id), awayMs, act)
      const storeTimeoutMs = { get: 50, set: 250 }
      const site = await serve({
        options: { store, memory: false, storeTimeoutMs, monotonicNow: () => performance.now() },
        routes: { '/:id': numbered() },
      })
      const problems: unknown[] = []
      for (const event of ['store-error', 'breaker'] as const) site.cache.on(event, (told) => problems.push(told))
      await site.ask('/a')
      isBusy = true
      for (let round = 0; round < 3; round++) {
        expect.soft(await site.ask('/a')).toMatchObject({ text: 'render 1', cacheStatus: hit(10) })
      }
      // A write, too.
      await site.ask('/b')
      isBusy = false
      expect((await site.ask('/b')).cacheStatus).toBe(hit(10))
      expect(problems).toEqual([])
      expect(site.cache.stats().breaker).toBe('closed')
    },
  )
}

playOnAll()
