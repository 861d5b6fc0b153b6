import { expect, onTestFinished, test } from 'vitest'

import { PARTS, request } from '../../../../test/support/unit.ts'
import { type RequestKey, keyOf } from '../policy/key.ts'
import { resolveRules } from '../settings.ts'
import { decodeFrame, encodeIndex, encodeResponse } from '../stores/frame.ts'
import type { Membership, RankedFrame } from '../stores/shared-store.ts'
import { GuardedStore } from './guarded-store.ts'
import { SharedShelf } from './shared-shelf.ts'
import { StoredResponse } from './stored-response.ts'
import { VaryLists } from './vary-lists.ts'

const REQUEST = request({ host: 'a.test' })

const KEY: RequestKey = keyOf(REQUEST, resolveRules([{}]))
const response = (status: number): Uint8Array => encodeResponse({ ...PARTS, key: KEY.full, status })

/** A shelf whose store answers when it is told to. */
function make(offsetMs: () => number | Promise<number> = () => 0) {
  interface Asked {
    readonly keys: readonly string[]
    readonly answer: (rows: (RankedFrame | undefined)[]) => void
    readonly fail: (error: Error) => void
  }
  const asked: Asked[] = []
  onTestFinished(() => asked.forEach(({ answer }) => answer([])))
  const member = {
    read: (url: string, entries: readonly string[]) =>
      new Promise((answer, fail) => asked.push({ keys: [url, ...entries], answer, fail })),
    put: async () => true,
  } as unknown as Membership
  const guarded = new GuardedStore({} as never, {
    timeoutMs: { get: 10_000, set: 10_000 },
    monotonicNow: () => 0,
    probeKey: 'p',
    onError: () => undefined,
    onBreaker: () => undefined,
  })
  const varyLists = new VaryLists()
  const shelf = new SharedShelf(guarded, member, 'n:', decodeFrame, varyLists, offsetMs)
  const look = async (): Promise<number | undefined> => (await shelf.read(KEY, REQUEST))?.parts.status
  const write = (): Promise<boolean> =>
    shelf.write(new StoredResponse({ ...PARTS, key: KEY.full, place: { ...PARTS.place, host: KEY.host } }, 1))
  return { shelf, asked, look, write, varyLists }
}

test('those who ask at the same moment share a read; who asks after a write shares none of before, and that one with others', async () => {
  const { asked, look, write } = make()
  const before = [look(), look()]
  expect(asked).toHaveLength(1)
  await write()
  const after = [look()]
  expect(asked).toHaveLength(2)
  asked[0]!.answer([{ frame: response(200), rank: 1 }])
  expect(await Promise.all(before)).toEqual([200, 200])
  // The end of the first read is not that of the second.
  after.push(look())
  expect(asked).toHaveLength(2)
  asked[1]!.answer([{ frame: response(404), rank: 2 }])
  expect(await Promise.all(after)).toEqual([404, 404])
  void look()
  expect(asked).toHaveLength(3)
})

test('a read is shared until the clock of the store is known, and one that fails is not kept', async () => {
  const times = [Promise.withResolvers<number>(), Promise.withResolvers<number>()]
  let lookedAtClock = 0
  const { shelf, asked, look } = make(() => times[lookedAtClock++]!.promise)
  const read = shelf.read(KEY, REQUEST)
  expect(shelf.read(KEY, REQUEST)).toBe(read)
  asked[0]!.answer([{ frame: response(200), rank: 1 }])
  await new Promise((resolve) => setImmediate(resolve))
  expect(shelf.read(KEY, REQUEST)).toBe(read)
  times[0]!.reject(new Error('no clock'))
  await expect(read).rejects.toThrow('no clock')
  const again = look()
  expect([asked.length, lookedAtClock]).toEqual([2, 2])
  asked[1]!.answer([{ frame: response(404), rank: 2 }])
  times[1]!.resolve(0)
  expect(await again).toBe(404)
})

test('nobody hears of a clock that fails where there is nothing to be told', async () => {
  const { asked, look } = make(() => Promise.reject(new Error('no clock')))
  const read = look()
  asked[0]!.answer([undefined])
  expect(await read).toBeUndefined()
})

test('a fetch that fails is not kept', async () => {
  const { asked, look } = make()
  const read = look()
  asked[0]!.fail(new Error('gone'))
  await expect(read).rejects.toThrow('gone')
  const again = look()
  asked[1]!.answer([{ frame: response(200), rank: 1 }])
  expect(await again).toBe(200)
})

test('the rank of what has been seen is known where it lies, at the URL and at its variants', async () => {
  const { shelf, asked, varyLists } = make()
  const english = request({ host: 'a.test', 'accept-language': 'en' })
  const read = shelf.read(KEY, english)
  asked[0]!.answer([{ frame: encodeIndex({ key: KEY.full, names: [['accept-language']] }), rank: 7 }])
  await expect.poll(() => asked.length).toBe(2)
  const frame = encodeResponse({ ...PARTS, key: KEY.full, selecting: ['accept-language', 'en'] })
  asked[1]!.answer([
    { frame: encodeIndex({ key: KEY.full, names: [['accept-language']] }), rank: 7 },
    { frame, rank: 6 },
  ])
  expect((await read)!.rank).toBe(6)
  expect(shelf.slotFor(KEY, english)).toMatchObject({ url: asked[0]!.keys[0], entry: asked[1]!.keys[1], rank: 6 })
  varyLists.note(KEY.full, [])
  expect(shelf.slotFor(KEY, english)).toEqual({ url: asked[0]!.keys[0], entry: asked[0]!.keys[0], rank: 7 })
})
