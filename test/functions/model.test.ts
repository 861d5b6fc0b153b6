import fc from 'fast-check'
import { expect, test } from 'vitest'

import { STORES } from '../support/stores.ts'
import { makeStage, settle } from './stage.ts'

const MAX_AGE = 10
const STALE = 20

interface Entry {
  value: number
  madeAt: number
  /** Made stale before its time. */
  staleAt: number
}

const agrees = (seen: unknown, said: unknown): void => {
  expect(seen).toBe(said)
}

/** What happens; after each, all that it has started comes to its end. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('call' as const), key: fc.nat(1) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), seconds: fc.constantFrom(1, 9, 10, 19, 31) }),
  },
  fc.record({ kind: fc.constantFrom('refresh', 'invalidate', 'delete', 'set', 'tag', 'soft'), key: fc.nat(1) }),
  fc.record({ kind: fc.constantFrom('purge', 'fail', 'heal') }),
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

// Any sequence of calls, changes, failures and time, against what a child could work out with pencil and paper.
test.each(STORES)('MODEL-01 values are what the model says × %s', async (store) => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), (steps) => play(steps))
  await fc.assert(property, { numRuns: store === 'redis' ? 40 : 150 })

  async function play(steps: readonly Step[]): Promise<void> {
    const { clock, open } = makeStage(store)
    const cache = await open()
    const model = new Map<number, Entry>()
    let made = 0
    let isDown = false
    const pausedUntil = new Map<number, { until: number; failures: number }>()
    const load = cache.wrap(
      async (_key: number) => {
        if (isDown) throw new Error('down')
        return (made += 1)
      },
      { name: 'load', maxAge: MAX_AGE, staleWhileRevalidate: STALE, tags: (key) => [`t${key}`] },
    )
    const keep = (key: number, value: number): void => {
      model.set(key, { value, madeAt: clock.now, staleAt: clock.now + MAX_AGE * 1000 })
      pausedUntil.delete(key)
    }
    const refreshBehind = (key: number): void => {
      const pause = pausedUntil.get(key)
      if (pause !== undefined && clock.monotonic < pause.until) return
      if (!isDown) return keep(key, made)
      const failures = (pause?.failures ?? 0) + 1
      pausedUntil.set(key, { until: clock.monotonic + Math.min(30_000, 1000 * 2 ** (failures - 1)), failures })
    }
    const usable = (key: number): Entry | undefined => {
      const entry = model.get(key)
      return entry !== undefined && clock.now < entry.staleAt + STALE * 1000 ? entry : undefined
    }
    try {
      for (const one of steps) {
        const key = 'key' in one ? one.key : 0
        const entry = usable(key)
        const kept = model.get(key)
        switch (one.kind) {
          case 'call': {
            const before = made
            const outcome = await settle(cache, load(key)).catch(() => 'down')
            if (entry === undefined) {
              agrees(outcome, isDown ? 'down' : before + 1)
              if (!isDown) keep(key, made)
            } else {
              agrees(outcome, entry.value)
              if (clock.now >= entry.staleAt) refreshBehind(key)
              else agrees(made, before)
            }
            break
          }
          case 'refresh': {
            const outcome = await settle(cache, load.refresh(key)).catch(() => 'down')
            agrees(outcome, isDown ? 'down' : made)
            if (!isDown) keep(key, made)
            else {
              const failures = (pausedUntil.get(key)?.failures ?? 0) + 1
              pausedUntil.set(key, { until: clock.monotonic + Math.min(30_000, 1000 * 2 ** (failures - 1)), failures })
            }
            break
          }
          case 'invalidate':
            await settle(cache, load.invalidate(key))
            if (kept !== undefined) {
              kept.staleAt = Math.min(kept.staleAt, clock.now)
              refreshBehind(key)
            }
            break
          case 'set':
            agrees(await settle(cache, load.set([key], -1)), true)
            keep(key, -1)
            break
          case 'delete':
            await settle(cache, load.delete(key))
            model.delete(key)
            break
          case 'tag':
            await settle(cache, cache.purge({ tag: `t${key}` }))
            model.delete(key)
            break
          case 'soft':
            await settle(cache, cache.purge({ tag: `t${key}` }, { soft: true }))
            if (kept !== undefined) kept.staleAt = Math.min(kept.staleAt, clock.now)
            break
          case 'purge':
            await settle(cache, cache.purge({ route: 'load' }))
            model.clear()
            break
          case 'pass':
            clock.advance(one.seconds)
            break
          case 'fail':
          case 'heal':
            isDown = one.kind === 'fail'
            break
          default:
        }
      }
    } finally {
      await cache.close()
    }
  }
})
