import { describe, expect, test, vi } from 'vitest'

import { FakeStore, STORES } from '../support/stores.ts'
import { listen, makeStage, settle } from './stage.ts'

const emptyObjects = async () => Array.from({ length: 5000 }, () => ({}))
const mixed = () => ({
  at: new Date(5),
  map: new Map([['a', new Set([1n])]]),
  bytes: Buffer.from('x'.repeat(20_000)),
  nothing: undefined,
  minus: -0,
  list: Object.assign([], { 0: 1, 2: 3 }),
})

describe.each(STORES)('values × %s', (store) => {
  async function start() {
    const stage = makeStage(store)
    return { ...stage, cache: await stage.open() }
  }

  test('FV-01 come back as they were: a Date is a Date', async () => {
    const { cache } = await start()
    const load = cache.wrap(async () => mixed(), { name: 'load' })
    for (let i = 0; i < 3; i += 1) expect(await settle(cache, load())).toStrictEqual(mixed())
    expect(cache.stats().events).toMatchObject({ miss: 1, hit: 2 })
  })

  test.each([[undefined], [null], [false], [''], [0]])('FV-02 that say nothing are values: %o', async (nothing) => {
    const { cache } = await start()
    const load = cache.wrap(async () => nothing as unknown, { name: 'load' })
    await settle(cache, load())
    expect(await settle(cache, load())).toBe(nothing)
    expect(cache.stats().events).toMatchObject({ miss: 1, hit: 1 })
  })

  test('FV-03 that are plain are frozen, for the first caller as for all others', async () => {
    const { cache } = await start()
    const own = { list: [{ n: 1 }] }
    const load = cache.wrap(async () => own, { name: 'load' })
    for (let i = 0; i < 2; i += 1) {
      const value = await settle(cache, load())
      expect(() => (value.list[0]!.n = 2)).toThrow(TypeError)
      expect(() => value.list.push({ n: 3 })).toThrow(TypeError)
    }
    // What the function keeps for itself is its own.
    own.list.push({ n: 4 })
    expect(await settle(cache, load())).toEqual({ list: [{ n: 1 }] })
  })

  test('FV-04 that are not plain are each caller’s own', async () => {
    const { cache } = await start()
    const load = cache.wrap(async () => ({ map: new Map([['a', { n: 1 }]]), bytes: Buffer.alloc(9000, 'a') }), {
      name: 'load',
    })
    // Plain parts of it, too, for whoever comes first as well.
    const pair = cache.wrap(async (): Promise<[Date, { n: number }]> => [new Date(5), { n: 1 }], { name: 'pair' })
    for (let i = 0; i < 3; i += 1) {
      const [at, plain] = await settle(cache, pair())
      expect([at, plain]).toEqual([new Date(5), { n: 1 }])
      at.setTime(i)
      plain.n = 2 + i
    }
    const crowd = await Promise.all([load(), load()])
    await cache.idle()
    for (const value of [...crowd, await settle(cache, load())]) {
      value.map.get('a')!.n = 2
      value.map.set('b', { n: 3 })
      value.bytes.fill('b')
    }
    const value = await settle(cache, load())
    expect(value.map).toEqual(new Map([['a', { n: 1 }]]))
    expect(value.bytes.equals(Buffer.alloc(9000, 'a'))).toBe(true)
  })

  test('FV-05 of a class are what structured cloning makes of them, from the first call on', async () => {
    class Money {
      amount = 5
      format() {
        return `${this.amount} €`
      }
    }
    const { cache } = await start()
    const load = cache.wrap(async () => new Money(), { name: 'load' })
    for (let i = 0; i < 2; i += 1) {
      const value = await settle(cache, load())
      expect(value).not.toBeInstanceOf(Money)
      expect(value).toEqual({ amount: 5 })
    }
  })

  test('FV-07 too deep for anybody to read are given, told and not stored', async () => {
    const { cache } = await start()
    const errors = listen(cache, 'store-error')
    const load = cache.wrap(
      async (depth: number) => {
        let value: unknown[] = []
        for (let i = 0; i < depth; i += 1) value = [value]
        return value
      },
      { name: 'load' },
    )
    for (let depth = 1000; depth < 400_000; depth *= 3) expect(await settle(cache, load(depth))).toHaveLength(1)
    expect(errors.length).toBeGreaterThan(0)
    expect(new Set(errors.map(({ reason }) => reason))).toEqual(new Set(['not-cloneable']))
  })

  test('FV-06 over maxEntryBytes are given, told and not stored', async () => {
    const { open } = await start()
    const cache = await open({
      memory: store === 'redis' ? { maxBytes: 2_000_000, maxEntryBytes: 1000 } : { maxEntryBytes: 1000 },
    })
    const errors = listen(cache, 'store-error')
    const load = cache.wrap(async (length: number) => 'x'.repeat(length), { name: 'load' })
    expect(await settle(cache, load(2000))).toHaveLength(2000)
    expect(errors).toEqual([expect.objectContaining({ reason: 'too-large', route: 'load' })])
    expect(await load.peek(2000)).toBeUndefined()
    await settle(cache, load(900))
    expect(await load.peek(900)).toBeDefined()
    expect(await settle(cache, load.set([2000], 'y'.repeat(2000)))).toBe(false)
  })
})

test('FV-10 that callers share count with what they take', async () => {
  const { open } = makeStage('memory')
  const cache = await open({ memory: { maxBytes: 1_000_000 } })
  // Three bytes each in the store, and some sixty in memory.
  const load = cache.wrap(async (n: number) => ({ n, list: Array.from({ length: 5000 }, () => ({})) }), {
    name: 'load',
  })
  for (let n = 0; n < 10; n += 1) await load(n)
  expect(cache.stats().memory.bytes).toBeLessThanOrEqual(1_000_000)
  expect(cache.stats().memory.entries).toBeLessThan(4)
  expect(cache.stats().events.evict).toBeGreaterThan(5)
})

test('FV-11 read from the store count with what they take, too', async () => {
  const { open } = makeStage('memory')
  const store = new FakeStore()
  const first = await open({ store })
  await settle(first, first.wrap(emptyObjects, { name: 'load' })())
  const second = await open({ store })
  const load = second.wrap(emptyObjects, { name: 'load' })
  await settle(second, load())
  expect(second.stats().events.hit).toBe(1)
  expect(second.stats().memory.bytes).toBeGreaterThan(5000 * 50)
})

test('FV-12 that nobody can read are misses, and replaced', async () => {
  const { open } = makeStage('memory')
  const store = new FakeStore()
  const write = await open({ store })
  const load = write.wrap(async () => 'good', { name: 'load' })
  await settle(write, load())
  const spoil = await spoiler(store)
  for (const change of [
    () => Buffer.alloc(0),
    () => Buffer.from('junk'),
    (body: Buffer) => body.subarray(0, -1),
    () => Buffer.from([255, 15, 0x5c, 99]),
  ]) {
    spoil(change)
    const read = await open({ store })
    const errors = listen(read, 'store-error')
    const again = read.wrap(async () => 'anew', { name: 'load' })
    expect(await settle(read, again())).toBe('anew')
    expect(await settle(read, again())).toBe('anew')
    expect(errors).toEqual([expect.objectContaining({ reason: 'undecodable' })])
  }
})

test('FV-13 that nobody can read are made anew behind, where a miss does not wait', async () => {
  const { open } = makeStage('memory')
  const store = new FakeStore()
  const write = await open({ store })
  await settle(write, write.wrap(async () => 'good', { name: 'load' })())
  const spoil = await spoiler(store)
  // As a newer Node may write it.
  spoil(() => Buffer.from([255, 0x7f, 0x5c, 99]))
  const read = await open({ store })
  const fetch = vi.fn<() => Promise<string>>(async () => 'anew')
  const load = read.wrap(fetch, { name: 'load', fetchOnMiss: false, empty: 'nothing' })
  expect(await settle(read, load())).toBe('nothing')
  expect(await settle(read, load())).toBe('anew')
  expect(fetch).toHaveBeenCalledOnce()
})

/** Replaces the value of the one call that is stored, in a frame that is whole. */
async function spoiler(store: FakeStore): Promise<(change: (body: Buffer) => Buffer) => void> {
  const { encodeResponse, decodeFrame } = await import('../../packages/core/src/stores/frame.ts')
  const [key, frame] = [...store.frames].find(([, bytes]) => Buffer.from(bytes).includes('good'))!
  const parts = decodeFrame(frame, 'function:load:')
  if (typeof parts !== 'object' || !('body' in parts)) throw new Error('no response')
  return (change) => void store.frames.set(key, encodeResponse({ ...parts, body: change(parts.body) }))
}
