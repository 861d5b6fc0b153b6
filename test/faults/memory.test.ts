import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type ChildApp, startApp } from './process/child.ts'
import { flood, get } from './process/flood.ts'
import { within } from './site.ts'

// Resident growth is read after collecting all garbage (--expose-gc), in a process that does nothing but serve.

const MiB = 1024 * 1024
const MAX_MIB = 8
const memory = { maxBytes: MAX_MIB * MiB }
/** What resident memory may grow by beyond maxBytes. */
const ROOM_MIB = 64
const HIDDEN_COOKIE = 'Cookie: a=1\r\n'

const pages = (count: number, prefix: string): string[] =>
  Array.from({ length: count }, (_, i) => get(`/page/${prefix}${i}`))

let visits = 0

/** A visitor of a big body of his own, who reads when he is told to. */
function visitBig(port: number, fields: string) {
  const socket = connect({ port, host: '127.0.0.1' })
  onTestFinished(() => void socket.destroy())
  socket.write(get(`/big?${visits++}`, `Connection: close\r\n${fields}`))
  return {
    first: () => once(socket, 'readable'),
    async all(): Promise<number> {
      let bytes = 0
      socket.on('data', (chunk) => {
        bytes += chunk.length
      })
      await once(socket, 'close')
      return bytes
    },
  }
}

describe.each([
  ['fastify', 50_000, 1024],
  ['express', 6000, 256],
  ['koa', 6000, 256],
] as const)('%s', (framework, urls, bigMiB) => {
  let app: ChildApp

  beforeAll(async () => {
    app = await startApp(framework, { memory, cookies: 'ignore', bigMiB })
    await flood(app.port, pages(500, 'warm'))
  })
  afterAll(() => app.stop())

  test(`FAULT-120 ${bigMiB} MiB in one body: its first bytes come at once, nothing of it stays`, async () => {
    const before = await app.figures()
    const plain = visitBig(app.port, '')
    const detached = visitBig(app.port, HIDDEN_COOKIE)
    // The handler is still held.
    for (const visit of [plain, detached]) await within(5, visit.first())
    await app.open()
    expect(await plain.all()).toBeGreaterThan(bigMiB * MiB)
    // This one does not read: nothing piles up for him, and others are served meanwhile.
    expect(await flood(app.port, pages(500, 'warm'))).toEqual({ '200 hit': 500 })
    const after = await app.figures()
    expect(after.stats.capturing).toBe(0)
    expect(after.stats.memory).toEqual(before.stats.memory)
    expect(after.rssMiB - before.rssMiB).toBeLessThanOrEqual(ROOM_MIB)
  })

  test('FAULT-121 visitors who stall in a big body hold no more of it than maxEntryBytes each', async () => {
    const before = await app.figures()
    await app.open()
    const stalled = Array.from({ length: 20 }, (_, i) => visitBig(app.port, i % 2 === 0 ? '' : HIDDEN_COOKIE))
    for (const visit of stalled) await within(5, visit.first())
    expect(await flood(app.port, pages(500, 'warm'))).toEqual({ '200 hit': 500 })
    const { heapMiB, stats } = await app.figures()
    expect(stats.capturing).toBe(0)
    expect(heapMiB - before.heapMiB).toBeLessThanOrEqual(1.5 * stalled.length)
  })

  test(`FAULT-122 ${urls} distinct URLs: maxBytes holds, and resident memory grows by 64 MiB beyond it at most`, async () => {
    const before = await app.figures()
    expect(await flood(app.port, pages(urls, ''), { window: 8 })).toEqual({ 200: urls })
    const after = await app.figures()
    expect(after.stats.memory.bytes).toBeLessThanOrEqual(memory.maxBytes)
    expect(after.stats.memory.bytes).toBeGreaterThan(0.9 * memory.maxBytes)
    expect(after.rssMiB - before.rssMiB).toBeLessThanOrEqual(MAX_MIB + ROOM_MIB)
  })

  test('FAULT-123 2,000 values of a selecting header on one URL: the 32 youngest variants are kept', async () => {
    const before = await app.figures()
    const values = Array.from({ length: 2000 }, (_, i) => get('/varied', `X-Select: ${i}\r\n`))
    expect(await flood(app.port, values, { connections: 1 })).toEqual({ 200: 2000 })
    const after = await app.figures()
    expect(after.stats.memory.bytes).toBeLessThanOrEqual(memory.maxBytes)
    expect(after.rssMiB - before.rssMiB).toBeLessThanOrEqual(ROOM_MIB)
    expect(await flood(app.port, values.slice(-32), { connections: 1 })).toEqual({ '200 hit': 32 })
    expect(await flood(app.port, values.slice(-33, -32))).toEqual({ 200: 1 })
    expect(app.stderr()).toBe('')
  })
})

describe('fastify alone', () => {
  test('FAULT-124 an entry costs what is counted for it, its overhead included', async () => {
    const app = await startApp('fastify', { pageBytes: 10 })
    onTestFinished(() => void app.stop())
    // Asked for twice: an entry that has been served has more to it than one that has only been stored.
    const askTwice = async (paths: string[]): Promise<void> => {
      for (let i = 0; i < 2; i += 1) await flood(app.port, paths, { window: 8 })
    }
    await askTwice(pages(1500, 'a'))
    const before = await app.figures()
    await askTwice(pages(4000, 'b'))
    const after = await app.figures()
    expect(after.stats.memory.entries).toBe(5500)
    const counted = (after.stats.memory.bytes - before.stats.memory.bytes) / MiB
    expect(after.heapMiB - before.heapMiB).toBeLessThanOrEqual(1.1 * counted)
  })

  test('FAULT-125 new keys as quickly as they come, before a slow store: 1,000 writes at most wait for it', async () => {
    const app = await startApp('fastify', { memory, slowStoreMs: 1500, storeTimeoutMs: { set: 3000 } })
    onTestFinished(() => void app.stop())
    expect(await flood(app.port, pages(3000, ''), { connections: 32 })).toEqual({ 200: 3000 })
    const { mostWrites, stats } = await app.figures()
    expect(mostWrites).toBeLessThanOrEqual(1000)
    expect(mostWrites).toBeGreaterThan(300)
    expect(stats).toMatchObject({ breaker: 'closed', memory: { entries: 3000 }, events: { 'store-error': 0 } })
  })
})
