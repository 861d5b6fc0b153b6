import { expect, test } from 'vitest'
import { type Gate, makeGate } from '../../../../test/support/gate.ts'
import { PARTS, PLACE } from '../../../../test/support/unit.ts'
import type { ReadSelector } from '../policy/selector.ts'
import { encodePurges } from '../stores/frame.ts'
import type { Store } from '../stores/store.ts'
import { GuardedStore } from './guarded-store.ts'
import { PurgeLedger } from './purge-ledger.ts'
import { StoredResponse } from './stored-response.ts'

const clock = { wall: 1_000_000, monotonic: 5_000_000 }
const monotonicNow = (): number => clock.monotonic

/** A store that several processes share, and that can be away, or hold up those who write. */
function makeShared() {
  const frames = new Map<string, Uint8Array>()
  const shared = { isAway: false, hold: undefined as Gate | undefined, reads: 0, writes: 0, frames }
  const answer = async <T>(act: () => T): Promise<T> => {
    if (shared.isAway) throw new Error('away')
    return act()
  }
  const store: Store = {
    get: (key) => answer(() => ((shared.reads += 1), frames.get(key))),
    async set(key, frame) {
      shared.writes += 1
      await shared.hold?.()
      await answer(() => void frames.set(key, frame))
    },
    delete: (key) => answer(() => void frames.delete(key)),
  }
  const open = (now = () => clock.wall, onLearnt?: (selector: ReadSelector) => void): PurgeLedger => {
    const guard = {
      timeoutMs: { get: 50, set: 250 },
      monotonicNow,
      probeKey: 'probe',
      onError: () => {},
      onBreaker: () => {},
    }
    return new PurgeLedger(new GuardedStore(store, guard), 'purges', { now, monotonicNow }, onLearnt)
  }
  return { shared, open }
}

const url = (i: number): ReadSelector => ({ kind: 'url', host: 'www.a.test', path: `/${'x'.repeat(7000)}/${i}` })
const tag = (name: string): ReadSelector => ({ kind: 'tag', name })
const rendered = (epoch: number, ...tags: string[]): StoredResponse =>
  new StoredResponse({ ...PARTS, place: { ...PLACE, tags }, epoch }, 1)

test('without a store there is nothing to catch up with', async () => {
  const ledger = new PurgeLedger(undefined, 'purges', { now: () => 1000, monotonicNow: () => 0 })
  expect(ledger.catchUp()).toBeUndefined()
  await ledger.purge(tag('a'), false)
  expect([ledger.latest, ledger.admits(rendered(0, 'a')), ledger.admits(rendered(0, 'b'))]).toEqual([1000, false, true])
})

test('a purge reaches another process within a second, and one that starts later', async () => {
  const { open } = makeShared()
  const [here, there] = [open(), open()]
  await there.catchUp()
  await here.purge(tag('a'), false)
  clock.monotonic += 999
  expect(there.catchUp()).toBeUndefined()
  clock.monotonic += 1
  await there.catchUp()
  const later = open()
  await later.catchUp()
  for (const ledger of [here, there, later]) {
    expect([ledger.admits(rendered(0, 'a')), ledger.admits(rendered(0, 'b'))]).toEqual([false, true])
    expect(ledger.admits(rendered(ledger.latest, 'a'))).toBe(true)
  }
})

test.each([
  ['is heard of', 0],
  ['is heard of, though the clock of the other is ahead', 3_600_000],
])('a soft purge ends a lifetime no later than it %s', async (_, aheadMs) => {
  const { open } = makeShared()
  const [here, there] = [open(() => clock.wall + aheadMs), open()]
  const until = clock.wall + 7_200_000
  const freshness = { bornAt: 0, freshUntil: until, staleUntil: until + 5000, errorUntil: until }
  const held = new StoredResponse({ ...PARTS, freshness, place: { ...PLACE, tags: ['a'] } }, 1)
  await here.purge(tag('a'), true)
  await there.catchUp()
  expect(there.admits(held)).toBe(true)
  expect(held.freshness).toMatchObject({ freshUntil: clock.wall, staleUntil: clock.wall + 5000 })
})

test('the record is read once for all who ask at the same moment', async () => {
  const { shared, open } = makeShared()
  const ledger = open()
  await Promise.all([ledger.catchUp(), ledger.catchUp(), ledger.catchUp()])
  expect(shared.reads).toBe(1)
})

test('two processes that purge within a second both take what the other has named', async () => {
  const { open } = makeShared()
  const [here, there] = [open(), open()]
  await Promise.all([here.catchUp(), there.catchUp()])
  const held = rendered(0, 'a')
  await here.purge(tag('a'), false)
  clock.wall += 500
  await there.purge(tag('b'), false)
  clock.monotonic += 1000
  await there.catchUp()
  expect([there.admits(held), there.admits(rendered(0, 'b'))]).toEqual([false, false])
})

test('this holds for what was looked at between the two purges, too', async () => {
  const { open } = makeShared()
  const [here, there] = [open(), open()]
  await Promise.all([here.catchUp(), there.catchUp()])
  const held = rendered(0, 'a')
  await here.purge(tag('a'), false)
  clock.wall += 500
  const purging = there.purge(tag('b'), false)
  // As memory is swept while the store is being told.
  expect(there.admits(held)).toBe(true)
  await purging
  clock.monotonic += 1000
  await there.catchUp()
  expect(there.admits(held)).toBe(false)
})

test('with the store away a purge rejects, holds here, and is told when it is back', async () => {
  const { shared, open } = makeShared()
  const [here, there] = [open(), open()]
  await there.catchUp()
  shared.isAway = true
  await expect(here.purge(tag('a'), false)).rejects.toThrow('away')
  expect(here.admits(rendered(0, 'a'))).toBe(false)
  shared.isAway = false
  clock.monotonic += 1000
  await here.catchUp()
  await there.catchUp()
  expect(there.admits(rendered(0, 'a'))).toBe(false)
})

test.each<[title: string, lose: (frames: Map<string, Uint8Array>, old: Uint8Array) => void]>([
  ['was restored', (frames, old) => void frames.set('purges', old)],
  ['has lost its record', (frames) => void frames.delete('purges')],
])('a store that %s is told again what a process knows', async (_, lose) => {
  const { shared, open } = makeShared()
  const [here, idle] = [open(), open()]
  await here.purge(tag('a'), false)
  const old = shared.frames.get('purges')!
  await here.purge(tag('b'), false)
  lose(shared.frames, old)
  clock.monotonic += 1000
  await here.catchUp()
  const { writes } = shared
  const later = open()
  await later.catchUp()
  expect([later.admits(rendered(0, 'a')), later.admits(rendered(0, 'b')), later.latest]).toEqual([
    false,
    false,
    here.latest,
  ])
  // Once is enough, and who knows nothing says nothing.
  clock.monotonic += 1000
  await Promise.all([here.catchUp(), idle.catchUp()])
  expect(shared.writes).toBe(writes)
})

test('catching up never rejects', async () => {
  const { shared, open } = makeShared()
  shared.isAway = true
  await expect(open().catchUp()).resolves.toBeUndefined()
})

test('a clock with fractions is as good as any', async () => {
  const { open } = makeShared()
  const [here, there] = [open(() => 1_000_000.25), open()]
  await here.purge(tag('a'), false)
  await there.catchUp()
  expect(there.admits(rendered(0, 'a'))).toBe(false)
})

test('many purges of long URLs reach the others', async () => {
  const { open } = makeShared()
  const [here, there] = [open(), open()]
  await Promise.all(Array.from({ length: 50 }, (_, i) => here.purge(url(i), false)))
  await here.purge(tag('a'), false)
  await there.catchUp()
  expect([there.admits(rendered(0, 'a')), there.admits(rendered(0, 'b'))]).toEqual([false, true])
})

test('many purges in one turn, and while they are being told, are two writes, which tell all of them', async () => {
  const { shared, open } = makeShared()
  const [here, there] = [open(), open()]
  shared.hold = makeGate()
  const names = Array.from({ length: 200 }, (_, i) => `t${i}`)
  const purge = (name: string): Promise<unknown> => here.purge(tag(name), false)
  const first = names.slice(0, 100).map(purge)
  await shared.hold.reached()
  const second = names.slice(100).map(purge)
  shared.hold.open()
  await Promise.all(first)
  expect(shared.writes).toBeLessThanOrEqual(2)
  await Promise.all(second)
  expect(shared.writes).toBe(2)
  await there.catchUp()
  expect(names.filter((name) => there.admits(rendered(0, name)))).toEqual([])
  await here.purge(tag('later'), false)
  expect(shared.writes).toBe(3)
})

test('what could not be told goes with the next purge', async () => {
  const { shared, open } = makeShared()
  const [here, there] = [open(), open()]
  const hold = makeGate()
  shared.hold = hold
  const first = here.purge(tag('a'), false)
  await hold.reached()
  const waiting = here.purge(tag('b'), false)
  shared.isAway = true
  hold.open()
  await expect(first).rejects.toThrow('away')
  await expect(waiting).rejects.toThrow('away')
  shared.isAway = false
  await here.purge(tag('c'), false)
  await there.catchUp()
  const admitted = ['a', 'b', 'c', 'd'].filter((name) => there.admits(rendered(0, name)))
  expect(admitted).toEqual(['d'])
})

test('the purges of other processes are heard of once, and those of this one not at all', async () => {
  const { open } = makeShared()
  const heard: ReadSelector[] = []
  const here = open()
  const there = open(undefined, (selector) => heard.push(selector))
  await here.purge(tag('a'), false)
  await there.catchUp()
  expect(heard).toEqual([tag('a')])
  await there.purge(tag('b'), false)
  await here.purge(url(1), true)
  clock.monotonic += 1000
  await there.catchUp()
  expect(heard).toEqual([tag('a'), url(1)])
  await here.purge(tag('c'), false)
  // It reads before it writes.
  await there.purge(tag('d'), false)
  expect(heard).toEqual([tag('a'), url(1), tag('c')])
  clock.monotonic += 1000
  await there.catchUp()
  expect(heard).toHaveLength(3)
})

const all = { number: 1, soft: false, selector: { kind: 'all' } }

test.each<[title: string, marks: unknown]>([
  ['no list', 'x'],
  ['nothing', undefined],
  ...[
    null,
    1,
    {},
    { ...all, number: '1' },
    { ...all, number: 1.5 },
    { ...all, number: null },
    { ...all, soft: 1 },
    { ...all, selector: null },
    { ...all, selector: { kind: 'every' } },
    { ...all, selector: { kind: 'tag' } },
    { ...all, selector: { kind: 'tag', name: 1 } },
    { ...all, selector: { kind: 'url', host: 'a' } },
    { ...all, selector: { kind: 'prefix', path: '/', host: 1 } },
  ].map((junk): [string, unknown] => [JSON.stringify(junk), [junk]]),
])('a record that is broken purges nothing: %s', async (_, marks) => {
  const { shared, open } = makeShared()
  shared.frames.set('purges', encodePurges(marks as object[]))
  const ledger = open()
  await ledger.catchUp()
  expect([ledger.latest, ledger.admits(rendered(0, 'a'))]).toEqual([0, true])
})

test('of a record that is partly broken the rest counts', async () => {
  const { shared, open } = makeShared()
  shared.frames.set('purges', encodePurges([{}, all]))
  const ledger = open()
  await ledger.catchUp()
  expect(ledger.admits(rendered(0, 'a'))).toBe(false)
})
