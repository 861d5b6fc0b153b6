import { expect } from 'vitest'
import type { Gate } from '../../support/gate.ts'
import { cacheControl, fresh10 } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'
import { FakeStore } from '../../support/stores.ts'
import { notModified, plain } from './http-origin.ts'

/** A store whose first write of a page waits at a gate. */
class SlowStore extends FakeStore {
  readonly #hold: Gate

  constructor(hold: Gate) {
    super()
    this.#hold = hold
  }

  override async set(key: string, frame: Uint8Array, ttlMs: number): Promise<void> {
    if (key.includes('/x') && this.#hold.arrivals === 0) await this.#hold()
    await super.set(key, frame, ttlMs)
  }
}

const mixed = (wait: (n: number, method: string) => Promise<void> = () => Promise.resolve()) => ({
  methods: ['GET', 'POST'],
  answer: async ({ n, method }: { n: number; method: string }) => {
    await wait(n, method)
    return plain(`render ${n}`, fresh10)
  },
})

for (const [id, memory] of [
  ['FENCE-01', {}],
  ['FENCE-02', { memory: false }],
] as const) {
  const where = id === 'FENCE-01' ? 'with copies in memory' : 'without copies in memory'
  scenario(id, `an unsafe request overtakes a write to the store, ${where}`, anyStore, async ({ serve, gate }) => {
    const hold = gate()
    const site = await serve({ options: { ...memory, store: new SlowStore(hold) }, routes: { '/x': mixed() } })
    expect((await site.visit('/x').done).text).toBe('render 1')
    await hold.reached()
    await site.visit('POST /x').done
    hold.open()
    await site.cache.idle()
    expect((await site.ask('/x')).text).toBe('render 3')
  })
}

scenario('FENCE-03', 'a refresh that is under way is fenced as a render is', async ({ serve, clock, gate }) => {
  const hold = gate()
  const control = cacheControl('max-age=10, stale-while-revalidate=60')
  const site = await serve({
    routes: {
      '/x': {
        methods: ['GET', 'POST'],
        answer: async ({ n, method }) => {
          if (method === 'GET' && n === 2) await hold()
          return plain(`render ${n}`, control)
        },
      },
    },
  })
  await site.ask('/x')
  clock.advance(11)
  expect((await site.visit('/x').done).text).toBe('render 1')
  await hold.reached()
  await site.visit('POST /x').done
  hold.open()
  await site.cache.idle()
  expect((await site.ask('/x')).text).toBe('render 4')
})

scenario('FENCE-04', 'a validation that is under way brings nothing back', async ({ serve, clock, gate }) => {
  const hold = gate()
  const fields = { ...fresh10, etag: '"v1"' }
  const site = await serve({
    routes: {
      '/x': {
        methods: ['GET', 'POST'],
        answer: async ({ n, method }) => {
          if (method === 'POST' || n !== 2) return plain(`render ${n}`, fields)
          await hold()
          return notModified(fields)
        },
      },
    },
  })
  await site.ask('/x')
  clock.advance(11)
  const validation = site.visit('/x').done
  await hold.reached()
  await site.visit('POST /x').done
  hold.open()
  expect(await validation).toMatchObject({ status: 200, complete: true })
  await site.cache.idle()
  expect((await site.ask('/x')).text).toBe('render 4')
})

scenario('FENCE-05', 'a failed unsafe request fences nothing', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': {
        methods: ['GET', 'POST'],
        answer: async ({ n, method }) => {
          if (method === 'POST') return plain('no', {}, 409)
          await hold()
          return plain(`render ${n}`, fresh10)
        },
      },
    },
  })
  const first = site.visit('/x').done
  await hold.reached()
  await site.visit('POST /x').done
  hold.open()
  await first
  await site.cache.idle()
  expect((await site.ask('/x')).text).toBe('render 1')
})
