import { expect, onTestFinished, test, vi } from 'vitest'

import { PARTS } from '../../../../test/support/unit.ts'
import { createCacheback } from '../cacheback.ts'
import { WIRE_VERSION } from '../policy/key.ts'
import { readSettings } from '../settings.ts'
import type { Membership, Party, SharedStore } from '../stores/shared-store.ts'
import { Claim } from './claim.ts'
import { Journal } from './journal.ts'
import { Library } from './library.ts'
import { StoredResponse } from './stored-response.ts'

const never = (): Promise<never> => new Promise(() => undefined)

/** A store that several processes could share, and that nobody answers. */
function silentStore(joined: Party[]): SharedStore {
  const member = new Proxy({ hears: false, leave: async () => undefined } as unknown as Membership, {
    get: (target, name) => (name in target ? target[name as keyof Membership] : never),
  })
  return {
    get: never,
    set: never,
    delete: never,
    join(party) {
      joined.push(party)
      return member
    },
  }
}

test('name, version and wire format tell the builds on one store apart', () => {
  const joined: Party[] = []
  for (const options of [{}, { version: '2' }, { name: 'other' }]) {
    const cache = createCacheback({ store: silentStore(joined), ...options })
    onTestFinished(() => cache.close())
  }
  expect(joined.map(({ namespace }) => namespace)).toEqual([
    `${WIRE_VERSION}:cacheback::`,
    `${WIRE_VERSION}:cacheback:2:`,
    `${WIRE_VERSION}:other::`,
  ])
})

test('a process says how far it may be behind, and whether it hears the others', async () => {
  let now = 1000
  const cache = createCacheback({ store: silentStore([]), monotonicNow: () => now })
  onTestFinished(() => cache.close())
  expect(cache.stats().sharing).toMatchObject({ hears: false, processes: 0 })
  now += 5000
  expect(cache.stats().sharing!.behindMs).toBeGreaterThan(5000)
  expect(createCacheback().stats().sharing).toBeUndefined()
})

test('a lease is given back also where the write never gets as far as the store', async () => {
  const library = new Library(
    readSettings({ store: silentStore([]), storeTimeoutMs: { get: 1, set: 1 } }),
    new Journal('x'),
  )
  onTestFinished(() => library.close())
  const response = new StoredResponse(PARTS, 1)
  const giveBack = vi.fn<() => void>()
  response.claim = new Claim({ url: 'u', entry: 'u' }, 'token', 1, 0, giveBack)
  library.keep(response)
  await library.idle()
  expect(giveBack).toHaveBeenCalledTimes(1)
})
