import { createServer } from 'node:http'

import type { Cacheback, Membership, Party, Put, RankedFrame, SharedStore } from '@cacheback/core'
import { expect, onTestFinished, test } from 'vitest'

import { makeClient } from '../support/client.ts'
import { makeGate } from '../support/gate.ts'
import { makeStage, settle } from './stage.ts'

const DOWN = new Error('down')
const TICK = Promise.resolve()

/** A shared store in this process, of which each part fails, or waits, when it is told to: for moments that no server can be brought to. */
class FakeShared implements SharedStore {
  readonly entries = new Map<string, RankedFrame>()
  readonly released: string[] = []
  marks: { number: number; selector: string; agoMs: number }[] = []
  isTelling = true
  takesPuts = true
  beforeRead = async (): Promise<void> => undefined
  #rank = 1000

  async get(): Promise<undefined> {
    return undefined
  }

  async set(): Promise<void> {}

  async delete(): Promise<void> {}

  join(_party: Party): Membership {
    const latest = (): number => this.marks.at(-1)?.number ?? 0
    const state = () => ({ latest: latest(), restoredAt: 0, processes: 1 })
    const told = <Value>(say: () => Value): Promise<Value> =>
      this.isTelling ? Promise.resolve(say()) : Promise.reject(DOWN)
    return {
      hears: true,
      read: async (url, entries) => {
        const found = [url, ...entries].map((key) => this.entries.get(key))
        await this.beforeRead()
        return found
      },
      claim: async () => ({ kind: 'granted', rank: ++this.#rank }),
      renew: async () => true,
      release: async (_lease, token) => void this.released.push(token),
      put: async (address, _lease, put) => this.#put(address.entry, put),
      remove: async ({ entry }) => void this.entries.delete(entry),
      time: async () => 0,
      beat: () => told(state),
      purgesSince: () => told(() => ({ ...state(), marks: this.marks })),
      purge: (selector) =>
        told(() => {
          const previous = latest()
          this.marks.push({ number: previous + 1, selector, agoMs: 0 })
          return { number: previous + 1, previous, acknowledged: Promise.resolve({ acknowledged: 1, missing: 0 }) }
        }),
      restore: async () => undefined,
      leave: async () => undefined,
    }
  }

  #put(entry: string, { frame, rank }: Put): boolean {
    if (!this.takesPuts) throw new Error('OOM')
    this.entries.set(entry, { frame, rank })
    return true
  }
}

async function open(maxStalenessMs = 1000) {
  const store = new FakeShared()
  const { open: openCache, clock } = makeStage('memory')
  const cache = await openCache({ store, maxAge: 600, memory: { maxStalenessMs } })
  return { store, clock, cache }
}

/** A function, and a page, that say how often they were made. */
const KINDS = {
  function(cache: Cacheback) {
    let n = 0
    const load = cache.wrap(async () => `${(n += 1)}`, { name: 'load' })
    return () => load()
  },
  page(cache: Cacheback) {
    let n = 0
    const server = createServer(cache.listener((_req, res) => void res.end(`${(n += 1)}`)))
    server.listen(0)
    const client = makeClient(server)
    onTestFinished(() => {
      client.close()
      server.close()
    })
    return async () => (await client.visit('/x').done).text
  },
}

test.each(Object.entries(KINDS))(
  'FS-20 what was purged elsewhere while this process was cut off is not given by a look that began before it heard (%s)',
  async (_kind, make) => {
    const { store, clock, cache } = await open()
    const load = make(cache)
    const other = cache.wrap(async () => 'other', { name: 'other' })
    expect(await settle(cache, load())).toBe('1')
    expect(await load()).toBe('1')
    // Cut off from the purges for longer than memory may be behind; meanwhile all is purged.
    store.isTelling = false
    clock.advance(5)
    store.entries.clear()
    store.marks = [{ number: 1, selector: '{"selector":{"kind":"all"},"soft":false}', agoMs: 4000 }]
    const gate = makeGate()
    store.beforeRead = gate
    const asked = load()
    await gate.reached()
    // While the store is still being asked, the purges are heard of again: by another call.
    store.isTelling = true
    clock.advance(0.2)
    const heard = other()
    await gate.reached(2)
    gate.open()
    expect(await asked).toBe('2')
    expect(await heard).toBe('other')
  },
)

// The moment is one microtask wide, and who knows where it lies: each of them is tried.
test('FS-21 a purge of which a store that is away cannot be told is rejected, at whatever moment it comes', async () => {
  const { store, cache } = await open(Infinity)
  store.isTelling = false
  const purge = (): Promise<string> =>
    cache.purge({ all: true }).then(
      () => 'told',
      () => 'rejected',
    )
  for (let ticks = 0; ticks < 40; ticks++) {
    const first = purge()
    for (let i = 0; i < ticks; i++) await TICK
    const second = purge()
    expect(await first).toBe('rejected')
    expect(await second, `${ticks} ticks later`).toBe('rejected')
  }
})

test('FS-22 a write that the store refuses gives its lease back', async () => {
  const { store, cache } = await open()
  store.takesPuts = false
  const load = cache.wrap(async () => 1, { name: 'load' })
  expect(await settle(cache, load())).toBe(1)
  await expect.poll(() => store.released).toHaveLength(1)
})
