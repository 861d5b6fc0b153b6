import { describe, expect, test } from 'vitest'
import { PARTS, PLACE, request } from '../../../../test/support/unit.ts'
import type { CachebackOptions } from '../options.ts'
import { type RequestKey, keyOf } from '../policy/key.ts'
import type { ReadSelector } from '../policy/selector.ts'
import type { Selecting } from '../policy/vary.ts'
import { readSettings, resolveRules } from '../settings.ts'
import type { Store } from '../stores/store.ts'
import { Journal } from './journal.ts'
import { Library } from './library.ts'
import { StoredResponse } from './stored-response.ts'

const NOW = Date.UTC(2031, 2, 5)
const ASKED = request({ host: 'a.test' })
const KEY: RequestKey = keyOf(ASKED, resolveRules([]))
const TAG: ReadSelector = { kind: 'tag', name: 't' }

function makeStore(): Store {
  const frames = new Map<string, Uint8Array>()
  return {
    get: async (key) => frames.get(key),
    set: async (key, frame) => void frames.set(key, frame),
    delete: async (key) => void frames.delete(key),
  }
}

const open = (options: CachebackOptions): Library =>
  new Library(readSettings({ now: () => NOW, ...options }), new Journal('x'))

const rendered = (order: number, selecting: Selecting = [], receivedAt = NOW): StoredResponse => {
  const freshness = { bornAt: NOW, freshUntil: NOW + 9000, staleUntil: NOW + 10_000, errorUntil: NOW + 9000 }
  const body = Buffer.from(String(order))
  const place = { ...PLACE, tags: ['t'] }
  const parts = { ...PARTS, key: KEY.full, selecting, place, freshness, receivedAt, keepUntil: NOW + 10_000, body }
  return new StoredResponse(parts, order)
}

/** The order of the render that is found in a store, as its body says. */
async function found(library: Library, headers: Record<string, string> = {}): Promise<string | undefined> {
  await library.idle()
  const response = await library.read(KEY, request({ host: 'a.test', ...headers }))
  return response?.bytes.toString()
}

describe.each([
  ['with copies in memory', {}],
  ['without', { memory: false } as const],
])('%s', (_, options) => {
  const make = (): Library => open({ ...options, store: makeStore() })

  test('an older render never replaces a newer one', async () => {
    const library = make()
    expect(library.keep(rendered(2))).toHaveProperty('written')
    expect(library.keep(rendered(1))).toEqual({ refused: 'superseded' })
    expect(await found(library)).toBe('2')
    expect(library.keep(rendered(3))).toHaveProperty('written')
    expect(library.keep(rendered(2))).toEqual({ refused: 'superseded' })
    expect(await found(library)).toBe('3')
  })

  test('an older render of another variant is kept beside it', async () => {
    const library = make()
    library.keep(rendered(2, ['x-a', 'b']))
    expect(library.keep(rendered(1, ['x-a', 'c']))).toHaveProperty('written')
    expect(await found(library, { 'x-a': 'b' })).toBe('2')
    expect(await found(library, { 'x-a': 'c' })).toBe('1')
    expect(library.keep(rendered(1, ['x-a', 'b']))).toEqual({ refused: 'superseded' })
  })

  test('what was purged while it was rendered is not kept', async () => {
    const library = make()
    await library.purge(TAG, false)
    expect(library.keep(rendered(1))).toEqual({ refused: 'purged' })
    expect(await found(library)).toBeUndefined()
  })

  test('a render that a purge has refused does not stand in the way of another', async () => {
    const library = make()
    await library.purge(TAG, false)
    library.keep(rendered(2))
    const after = rendered(1)
    expect(library.keep(new StoredResponse({ ...after.whole, epoch: library.epoch }, 1))).toHaveProperty('written')
  })

  test('what is read after a soft purge has been stale since then', async () => {
    const library = make()
    library.keep(rendered(1))
    await library.idle()
    await library.purge(TAG, true)
    const read = await library.read(KEY, ASKED)
    expect(read?.freshness).toMatchObject({ freshUntil: NOW, staleUntil: NOW + 1000 })
  })

  test('an unsafe request purges what is stored under its path, and needs no mark for others', async () => {
    const library = make()
    const response = rendered(1)
    library.keep(response)
    await library.idle()
    library.invalidations.invalidateUrl('a.test', '/other', undefined)
    library.invalidations.invalidateUrl('b.test', '/other?a=1', undefined)
    expect(library.epoch).toBe(0)
    library.invalidations.invalidateUrl('A.test', '/', undefined)
    expect(library.epoch).toBe(NOW)
    await library.idle()
    expect(library.admits(response)).toBe(false)
    expect(await found(library)).toBeUndefined()
  })

  test('an unsafe request purges what is being rendered', () => {
    const library = make()
    const ends = [library.invalidations.beginRender('/'), library.invalidations.beginRender('/')]
    ends[0]!()
    library.invalidations.invalidateUrl('a.test', '/', undefined)
    expect(library.keep(rendered(1))).toEqual({ refused: 'purged' })
    ends[1]!()
    const { epoch } = library
    library.invalidations.invalidateUrl('a.test', '/', undefined)
    expect(library.epoch).toBe(epoch)
  })

  test('an unsafe request purges what another process has stored', async () => {
    const store = makeStore()
    const [here, there] = [open({ ...options, store }), open({ ...options, store })]
    there.keep(rendered(1))
    await there.idle()
    here.invalidations.invalidateUrl('a.test', '/', KEY)
    await here.idle()
    expect(here.epoch).toBe(NOW)
    expect(await found(here)).toBeUndefined()
  })

  test('what has been removed is admitted no more, and gone from the store', async () => {
    const library = make()
    const response = rendered(1)
    library.keep(response)
    await library.idle()
    expect(library.admits(response)).toBe(true)
    library.remove(response)
    expect(library.admits(response)).toBe(false)
    expect(library.inMemory(KEY.full, ASKED)).toBeUndefined()
    expect(await found(library)).toBeUndefined()
  })

  test('what is removed while it is written is gone afterwards', async () => {
    const store = makeStore()
    const write = Promise.withResolvers<void>()
    const set: Store['set'] = (...entry) => write.promise.then(() => store.set(...entry))
    const library = open({ ...options, store: { ...store, set } })
    const response = rendered(1)
    library.keep(response)
    library.remove(response)
    expect(library.isIdle).toBe(false)
    write.resolve()
    expect(await found(library)).toBeUndefined()
    expect(library.isIdle).toBe(true)
  })
})

describe('a response that is read from a store', () => {
  test.each([
    ['older', NOW - 1, '1'],
    ['as old', NOW, '1'],
    ['younger', NOW + 1, '7'],
  ])('and is %s than the copy in memory', async (_, receivedAt, body) => {
    const store = makeStore()
    const [here, there] = [open({ store }), open({ store })]
    there.keep(rendered(7, [], receivedAt))
    await there.idle()
    here.memory.put(rendered(here.nextOrder()))
    expect(await found(here)).toBe(body)
    expect(here.memory.find(KEY.full, ASKED)?.bytes.toString()).toBe(body)
  })
})

test('renders and reads are numbered in one order', async () => {
  const library = open({ store: makeStore() })
  const before = library.nextOrder()
  library.keep(rendered(before))
  await library.idle()
  library.memory.clear()
  const read = await library.read(KEY, ASKED)
  expect(read!.order).toBeGreaterThan(before)
  expect(library.nextOrder()).toBeGreaterThan(read!.order)
})

test('a flight waits until others find what it has brought, but not where that is in memory at once', () => {
  const options = { store: makeStore(), storeTimeoutMs: { get: 40, set: 250 } }
  const done = Promise.resolve()
  expect(open(options).visible(done)).toBeUndefined()
  // A look is several reads: of the index, and of a variant for each list of selecting headers.
  expect(open({ ...options, memory: false }).visible(done)).toEqual({ done, lookMs: 6 * 40 })
})

test.each([
  ['with copies in memory a body of the store has bytes of its own', {}, false],
  ['without, it is sent from where it lies, and a head that comes again is known', { memory: false } as const, true],
])('%s', async (_, options, isWhereItLies) => {
  const store = makeStore()
  const long = new StoredResponse({ ...rendered(1, ['x-a', 'b']).whole, body: Buffer.alloc(20_000, 'x') }, 1)
  const writer = open({ store })
  writer.keep(long)
  await writer.idle()
  const library = open({ ...options, store })
  const read = async (): Promise<StoredResponse> =>
    (await library.read(KEY, request({ host: 'a.test', 'x-a': 'b' }))) as StoredResponse
  const [first, again] = [await read(), await read()]
  const frame = await store.get(long.storeKey(library.namespace))
  expect(first.bytes).toEqual(Buffer.alloc(20_000, 'x'))
  expect(first.bytes.buffer === frame!.buffer).toBe(isWhereItLies)
  expect([again === first, again.parts.selecting === first.parts.selecting]).toEqual([!isWhereItLies, true])
})
