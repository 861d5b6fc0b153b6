import {
  type CacheEvent,
  type Cacheback,
  type CachebackOptions,
  type EventName,
  createCacheback,
} from '@cacheback/core'
import { onTestFinished } from 'vitest'

import { Clock } from '../support/clock.ts'
import { type Gate, makeGate } from '../support/gate.ts'
import { type StoreName, makeBacking } from '../support/stores.ts'

/** Where functions are cached in a test: each cache that it opens is another process with the same store behind it. */
export interface Stage {
  readonly store: StoreName
  readonly clock: Clock
  readonly open: (more?: CachebackOptions) => Promise<Cacheback>
  /** Opens by itself when the test ends. */
  readonly gate: () => Gate
}

export function makeStage(store: StoreName): Stage {
  const clock = new Clock()
  const backing = makeBacking(store, clock)
  return {
    store,
    clock,
    async open(more) {
      const cache = createCacheback({
        now: () => clock.now,
        monotonicNow: () => clock.monotonic,
        // A busy machine is no slow store.
        storeTimeoutMs: { get: 3000, set: 3000 },
        ...(more?.store === undefined ? await backing() : {}),
        // The clock leaps: what is asked before and answered after a leap says nothing.
        ...(store === 'shared' ? { memory: { maxStalenessMs: Infinity } } : {}),
        ...more,
      })
      onTestFinished(() => cache.close())
      return cache
    },
    gate() {
      const gate = makeGate()
      onTestFinished(() => gate.open())
      return gate
    },
  }
}

/** What is told of an event from now on. */
export function listen(cache: Cacheback, event: EventName): CacheEvent[] {
  const heard: CacheEvent[] = []
  cache.on(event, (told) => heard.push(told))
  return heard
}

/** Waits for a call, and for what it has started behind it. */
export async function settle<Value>(cache: Cacheback, call: Promise<Value>): Promise<Value> {
  try {
    return await call
  } finally {
    await cache.idle()
  }
}
