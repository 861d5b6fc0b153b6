import { createCacheback, type CachebackOptions, type Store } from '@cacheback/core'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Route } from '../../support/app.ts'
import { makeGate } from '../../support/gate.ts'
import { stream, text } from '../../support/reply.ts'
import { swr } from '../failures.ts'
import { measureProcess } from './measure.ts'
import type { AppOptions, Figures, Order } from './order.ts'
import { serveOrders } from './serve.ts'

// An app in a process of its own, for what can be seen only there: memory, and how long the loop is held up.

const [framework = 'fastify', given = '{}'] = process.argv.slice(2)
const {
  pageBytes = 1000,
  bigMiB = 1,
  slowStoreMs,
  renderMs,
  ...options
} = JSON.parse(given) as CachebackOptions & AppOptions
const CHUNK = Buffer.alloc(128 * 1024, 'x')
const STARTED_AT = Date.now()
const measure = measureProcess()
const gate = makeGate()
let elapsedMs = 0
let renders = 0
let running = 0
let mostRunning = 0
let writes = 0
let mostWrites = 0

/** Takes its time for every write, and has never heard of anything. */
const slowStore = (ms: number): Store => ({
  get: async () => undefined,
  set: async () => {
    mostWrites = Math.max(mostWrites, ++writes)
    await sleep(ms)
    writes -= 1
  },
  delete: async () => undefined,
})

/** The first bytes at once, the rest when the gate is opened. */
async function* big(): AsyncGenerator<Buffer> {
  yield CHUNK
  await gate()
  for (let sent = 1; sent < bigMiB * 8; sent++) yield CHUNK
}

const endless = (): Readable =>
  new Readable({
    read() {
      this.push(CHUNK)
    },
  })

const routes: Readonly<Record<string, Route>> = {
  '/page/:id': {
    async answer({ params }) {
      renders += 1
      mostRunning = Math.max(mostRunning, ++running)
      if (renderMs !== undefined) await sleep(renderMs)
      running -= 1
      return text(`page ${params['id']} `.padEnd(pageBytes, 'x'), swr)
    },
  },
  '/varied': {
    answer: ({ headers }) => text(String(headers['x-select']).padEnd(pageBytes), { ...swr, vary: 'x-select' }),
  },
  '/big': { answer: () => stream(() => Readable.from(big()), swr) },
  // Its bytes are at hand: it waits for nothing but whoever takes them.
  '/grown': { answer: ({ n }) => (n === 1 ? text('page', swr) : stream(endless, swr)) },
}

const cache = createCacheback({
  ...options,
  ...(slowStoreMs === undefined ? {} : { store: slowStore(slowStoreMs) }),
  // It stands still unless it is told: a busy machine makes no page stale.
  now: () => STARTED_AT + elapsedMs,
})

async function obey(order: Order): Promise<Figures | undefined> {
  switch (order.kind) {
    case 'advance':
      elapsedMs += order.seconds * 1000
      return undefined
    case 'open':
      gate.open()
      return undefined
    case 'reset':
      measure.reset()
      mostRunning = 0
      return undefined
    case 'idle':
      await cache.idle()
      return undefined
    case 'figures':
      return { ...measure.figures(), renders, mostRunning, mostWrites, stats: cache.stats() }
  }
}

await serveOrders(framework, cache, routes, obey)
