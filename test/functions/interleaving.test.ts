import { setImmediate } from 'node:timers/promises'

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { STORES } from '../support/stores.ts'
import { makeStage } from './stage.ts'

const KEYS = 2

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('call' as const), key: fc.nat(KEYS - 1) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('delete', 'purge'), key: fc.nat(KEYS - 1) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('release' as const), key: fc.nat(9) }) },
  fc.record({ kind: fc.constantFrom('refresh', 'invalidate'), key: fc.nat(KEYS - 1) }),
  fc.record({ kind: fc.constant('pass' as const), key: fc.constantFrom(1, 11) }),
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

// Who asks after a deletion has been confirmed never gets what was read before it, whatever is under way and however long.
test.each(STORES)('ORDER-01 nothing comes back that was deleted × %s', { timeout: 60_000 }, async (store) => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), (steps) => play(steps))
  await fc.assert(property, { numRuns: store === 'redis' ? 40 : 200 })

  async function play(steps: readonly Step[]): Promise<void> {
    const { clock, open } = makeStage(store)
    const cache = await open({ refresh: { concurrency: 10 } })
    const truth = Array.from({ length: KEYS }, () => 0)
    const confirmed = Array.from({ length: KEYS }, () => 0)
    const held: (() => void)[] = []
    let isOver = false
    const load = cache.wrap(
      async (key: number) => {
        const read = truth[key]!
        const { promise, resolve } = Promise.withResolvers<void>()
        held.push(resolve)
        if (!isOver) await promise
        return read
      },
      { name: 'load', maxAge: 10, tags: (key) => [`t${key}`] },
    )
    const calls: Promise<void>[] = []
    const ask = (key: number, get: (key: number) => Promise<number>): void => {
      const least = confirmed[key]!
      const check = async (): Promise<void> => {
        expect(await get(key)).toBeGreaterThanOrEqual(least)
      }
      calls.push(check())
    }
    try {
      for (const { kind, key } of steps) {
        if (kind === 'call') ask(key, load)
        if (kind === 'refresh') ask(key, load.refresh)
        if (kind === 'invalidate') await load.invalidate(key)
        if (kind === 'release' && held.length > 0) held.splice(key % held.length, 1)[0]!()
        if (kind === 'pass') clock.advance(key)
        if (kind === 'delete' || kind === 'purge') {
          truth[key]! += 1
          const version = truth[key]!
          await (kind === 'delete' ? load.delete(key) : cache.purge({ tag: `t${key}` }))
          confirmed[key] = version
        }
        await setImmediate()
      }
      isOver = true
      for (const release of held) release()
      await Promise.all(calls)
      await cache.idle()
      for (let key = 0; key < KEYS; key += 1) {
        expect(await load(key)).toBeGreaterThanOrEqual(confirmed[key]!)
        await cache.idle()
        expect(await load(key)).toBeGreaterThanOrEqual(confirmed[key]!)
      }
    } finally {
      isOver = true
      for (const release of held) release()
      await Promise.allSettled(calls)
      await cache.close()
    }
  }
})
