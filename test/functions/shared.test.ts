import { type Cacheback, createCacheback } from '@cacheback/core'
import { redisStore } from '@cacheback/redis'
import { createClient } from '@redis/client'
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest'

import type { Clock } from '../support/clock.ts'
import { startProxy } from '../support/proxy.ts'
import { makeStage, settle } from './stage.ts'

const idle = (caches: readonly Cacheback[]) => Promise.all(caches.map((cache) => cache.idle()))

/** The calls that several have at once. */
const crowd = <Value>(calls: readonly (() => Promise<Value>)[], each = 10): Promise<Value[]> =>
  Promise.all(calls.flatMap((call) => Array.from({ length: each }, call)))

async function start(count = 3) {
  const stage = makeStage('shared')
  const caches = await Promise.all(Array.from({ length: count }, () => stage.open()))
  let n = 0
  const fetch = vi.fn<(id?: string) => Promise<number>>(async () => (n += 1))
  return { ...stage, caches, fetch }
}

// One function in several processes over one @cacheback/redis: each cache is a process.
describe('several processes × shared', () => {
  test('FS-01 a cold call that all have at once is one call of the function', async () => {
    const { caches, fetch, gate } = await start(4)
    const hold = gate()
    fetch.mockImplementation(async () => {
      await hold()
      return 7
    })
    const loads = caches.map((cache) => cache.wrap(fetch, { name: 'load' }))
    const waiting = crowd(loads.map((load) => () => load('ada')))
    await hold.reached()
    hold.open()
    expect(new Set(await waiting)).toEqual(new Set([7]))
    await idle(caches)
    expect(await crowd(loads.map((load) => () => load('ada')))).toHaveLength(40)
    expect(fetch).toHaveBeenCalledOnce()
  })

  test('FS-02 a stale one is called once as well, nobody waits, and all have the new value then', async () => {
    const { caches, clock, fetch, gate } = await start(4)
    const loads = caches.map((cache) => cache.wrap(fetch, { name: 'load', maxAge: 10 }))
    for (const load of loads) expect(await load()).toBe(1)
    await idle(caches)
    clock.advance(11)
    const hold = gate()
    fetch.mockImplementation(async () => {
      await hold()
      return 2
    })
    expect(new Set(await crowd(loads.map((load) => () => load())))).toEqual(new Set([1]))
    await hold.reached()
    expect(new Set(await crowd(loads.map((load) => () => load())))).toEqual(new Set([1]))
    hold.open()
    await idle(caches)
    expect(new Set(await crowd(loads.map((load) => () => load())))).toEqual(new Set([2]))
    expect(fetch).toHaveBeenCalledTimes(2)
    expect(caches.reduce((sum, cache) => sum + cache.stats().events.refresh, 0)).toBe(1)
  })

  test('FS-03 with empty on a miss: one call behind, in one process', async () => {
    const { caches, fetch, gate } = await start()
    const hold = gate()
    fetch.mockImplementation(async () => {
      await hold()
      return 7
    })
    const loads = caches.map((cache) => cache.wrap(fetch, { name: 'load', fetchOnMiss: false, empty: 0 }))
    expect(new Set(await crowd(loads.map((load) => () => load())))).toEqual(new Set([0]))
    await hold.reached()
    hold.open()
    await idle(caches)
    for (const load of loads) expect(await load()).toBe(7)
    expect(fetch).toHaveBeenCalledOnce()
  })

  test('FS-04 the process that calls is killed: the others wait two seconds, then one of them calls', async () => {
    const { fetch, gate, clock } = await start(0)
    const prefix = `killed-${process.pid}:`
    const [doomed, ...others] = await Promise.all([1, 2, 3].map(() => processOn(prefix, clock)))
    const hold = gate()
    fetch.mockImplementationOnce(async () => {
      await hold()
      return -1
    })
    void doomed!.cache
      .wrap(fetch, { name: 'load' })('ada')
      .catch(() => undefined)
    await hold.reached()
    doomed!.cut()
    const startedAt = performance.now()
    const loads = others.map(({ cache }) => cache.wrap(fetch, { name: 'load' }))
    expect(new Set(await crowd(loads.map((load) => () => load('ada'))))).toEqual(new Set([1]))
    const tookMs = performance.now() - startedAt
    expect(tookMs).toBeGreaterThan(500)
    expect(tookMs).toBeLessThan(3500)
    expect(fetch).toHaveBeenCalledTimes(2)
  })

  test('FS-05 a call that throws holds up nobody: the next process calls', async () => {
    const { caches, fetch, gate } = await start(2)
    const hold = gate()
    fetch.mockImplementationOnce(async () => {
      await hold()
      throw new Error('down')
    })
    const [here, there] = caches.map((cache) => cache.wrap(fetch, { name: 'load' }))
    const failing = here!()
    await hold.reached()
    const waiting = there!()
    hold.open()
    await expect(failing).rejects.toThrow('down')
    expect(await waiting).toBe(1)
    expect(fetch).toHaveBeenCalledTimes(2)
  })

  test('FS-06 an error that is kept is thrown in all processes', async () => {
    const { caches, fetch, gate } = await start(2)
    const hold = gate()
    fetch.mockImplementation(async () => {
      await hold()
      throw new RangeError('no')
    })
    const loads = caches.map((cache) => cache.wrap(fetch, { name: 'load', errorMaxAge: 60 }))
    const failing = loads.map(async (load) => expect(load()).rejects.toThrow(new RangeError('no')))
    await hold.reached()
    hold.open()
    await Promise.all(failing)
    await idle(caches)
    expect(fetch).toHaveBeenCalledOnce()
  })

  test('FS-07 a value that cannot be stored is made by each', async () => {
    const { caches } = await start(2)
    const make = vi.fn<() => Promise<{ now: () => number }>>(async () => ({ now: () => 1 }))
    const [here, there] = caches.map((cache) => cache.wrap(make, { name: 'make' }))
    const [first, second] = await Promise.all([here!(), there!()])
    expect([first.now(), second.now()]).toEqual([1, 1])
    expect(make).toHaveBeenCalledTimes(2)
  })

  test('FS-08 a call that hangs in another process is waited for as long as one here: refreshTimeoutMs', async () => {
    const { caches, fetch, gate } = await start(2)
    const hold = gate()
    fetch.mockImplementationOnce(async () => {
      await hold()
      return -1
    })
    const [here, there] = caches.map((cache) => cache.wrap(fetch, { name: 'load', refreshTimeoutMs: 300 }))
    const hung = here!()
    await hold.reached()
    // Those who wait there begin one call of their own, and no more.
    expect(new Set(await crowd([() => there!()]))).toEqual(new Set([1]))
    expect(fetch).toHaveBeenCalledTimes(2)
    hold.open()
    expect(await hung).toBe(-1)
    await idle(caches)
    // It began before the other one.
    expect(await here!()).toBe(1)
    expect(await there!()).toBe(1)
  })

  test('FS-09 the newer of two stays, whichever ends last', async () => {
    const { caches, fetch, gate } = await start()
    const [here, there, third] = caches.map((cache) => cache.wrap(fetch, { name: 'load' }))
    const hold = gate()
    fetch.mockImplementationOnce(async () => {
      await hold()
      return -1
    })
    const slow = here!.refresh()
    await hold.reached()
    expect(await settle(caches[1]!, there!.set([], 50))).toBe(true)
    hold.open()
    // Given to who asked for it, and not stored.
    expect(await settle(caches[0]!, slow)).toBe(-1)
    for (const load of [here!, there!, third!]) expect(await load()).toBe(50)
    expect(await settle(caches[2]!, third!.refresh())).toBe(1)
    expect(await third!.peek()).toMatchObject({ value: 1 })
    expect(await third!()).toBe(1)
  })

  test('FS-10 whoever has purged does not wait for the call that the purge has fenced', async () => {
    const { caches, fetch, gate } = await start(1)
    const load = caches[0]!.wrap(fetch, { name: 'load' })
    const hold = gate()
    fetch.mockImplementationOnce(async () => {
      await hold()
      return -1
    })
    const fenced = load()
    await hold.reached()
    await load.delete()
    expect(await load()).toBe(1)
    hold.open()
    expect(await settle(caches[0]!, fenced)).toBe(-1)
    expect(await load()).toBe(1)
  })

  test('FS-11 a call that counts as lost holds up no other process', async () => {
    const { caches, clock, fetch, gate } = await start(2)
    const [here, there] = caches.map((cache) =>
      cache.wrap(fetch, { name: 'load', maxAge: 10, refreshTimeoutMs: 30_000 }),
    )
    await settle(caches[0]!, here!())
    await settle(caches[1]!, there!())
    clock.advance(11)
    const hold = gate()
    fetch.mockImplementationOnce(async () => {
      await hold()
      return -1
    })
    expect(await here!()).toBe(1)
    await hold.reached()
    clock.advance(31)
    // It is found to be lost.
    expect(await here!()).toBe(1)
    await idle(caches)
    expect(fetch).toHaveBeenCalledTimes(3)
    expect(await here!()).toBe(2)
    await settle(caches[1]!, there!())
    expect(await there!()).toBe(2)
    hold.open()
  })

  test('FS-12 cut off from the others for too long, a process gives nothing that it cannot vouch for', async () => {
    const { clock, fetch } = await start(0)
    const site = await processOn(`cut-${process.pid}:`, clock, 5000)
    const load = site.cache.wrap(fetch, { name: 'load' })
    expect(await settle(site.cache, load())).toBe(1)
    expect(await load()).toBe(1)
    site.cut()
    clock.advance(4)
    expect(await load()).toBe(1)
    clock.advance(2)
    expect(await load()).toBe(2)
    // Nor is that one's call the last, if this lasts: it is vouched for as long as it was made a moment ago.
    expect(await load()).toBe(2)
    clock.advance(6)
    expect(await load()).toBe(3)
  })
})

/** A process whose connections can be cut as if it had been killed. */
async function processOn(prefix: string, clock: Clock, maxStalenessMs?: number) {
  const proxy = await startProxy(inject('redisSocket'))
  const store = redisStore({
    client: createClient({ socket: { host: '127.0.0.1', port: proxy.port, tls: false } }),
    prefix,
  })
  await store.ready()
  const cache = createCacheback({
    store,
    storeTimeoutMs: { get: 1000, set: 1000 },
    now: () => clock.now,
    monotonicNow: () => clock.monotonic,
    ...(maxStalenessMs === undefined ? {} : { memory: { maxStalenessMs } }),
  })
  onTestFinished(async () => {
    await cache.close()
    await proxy.close()
  })
  return { cache, cut: () => proxy.cut('reset') }
}
