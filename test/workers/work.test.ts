import type { ScheduledRefresh } from '@cacheback/core'
import { createCacheback } from '@cacheback/core'
import { createClient } from '@redis/client'
import { Queue } from 'bullmq'
import { expect, inject, onTestFinished, test, vi } from 'vitest'
import { Clock } from '../support/clock.ts'
import { makeGate } from '../support/gate.ts'
import { text } from '../support/reply.ts'
import { FakeStore } from '../support/stores.ts'
import { freshName, queueAt, startSite } from './site.ts'

const soon = (holds: () => unknown): Promise<unknown> => vi.waitFor(holds, { timeout: 10_000, interval: 20 })

async function schedulersOf(name: string): Promise<number> {
  const client = createClient({ socket: { path: inject('redisSocket'), tls: false } })
  await client.connect()
  const queue = new Queue(name, { connection: client })
  try {
    return await queue.getJobSchedulersCount()
  } finally {
    await queue.close()
    client.destroy()
  }
}

test('WORKER-40 what is scheduled is refreshed without a visitor, until it is not named any more', async () => {
  const [clock, name] = [new Clock(), freshName()]
  const worker = await startSite('worker', { clock, name })
  const schedule: ScheduledRefresh[] = [
    { url: 'http://example.test/top', every: 1 },
    { url: 'http://example.test/news', every: 1, headers: { 'Accept-Language': 'de' } },
  ]
  const working = worker.cache.work({ schedule })
  await soon(() => expect(worker.renders.filter(({ url }) => url === '/top').length).toBeGreaterThanOrEqual(3))
  expect(worker.renders.find(({ url }) => url === '/news')!.headers['accept-language']).toBe('de')
  expect((await worker.visit('/top')).cacheStatus).toContain('hit')
  expect(await schedulersOf(name)).toBe(2)
  await working.close()
  const next = await startSite('next', { clock, name })
  next.cache.work({ schedule: [schedule[0]!] })
  await soon(async () => expect(await schedulersOf(name)).toBe(1))
  const last = await startSite('last', { clock, name })
  last.cache.work()
  await soon(() => expect(last.renders.length + next.renders.length).toBeGreaterThanOrEqual(2))
  expect(last.renders.every(({ url }) => url === '/top')).toBe(true)
  expect(await schedulersOf(name)).toBe(1)
})

test('WORKER-41 a worker that is closed lets a render end that is about to, and takes no more', async () => {
  const gate = makeGate()
  const [clock, name] = [new Clock(), freshName()]
  const web = await startSite('web', { clock, name })
  const worker = await startSite('worker', { clock, name, answer: async () => (await gate(), text('worker')) })
  const working = worker.cache.work({ concurrency: 1 })
  for (const path of ['/a', '/b']) await web.visit(path)
  await web.cache.idle()
  clock.advance(11)
  for (const path of ['/a', '/b']) await web.visit(path)
  await gate.reached(1)
  const closing = working.close()
  gate.open()
  await closing
  expect(worker.count('refresh')).toBe(1)
  expect(gate.arrivals).toBe(1)
  // Another one does the rest.
  const next = await startSite('next', { clock, name })
  next.cache.work()
  await soon(() => expect(next.renders).toHaveLength(1))
})

test('WORKER-42 a render that does not end is aborted when its worker closes, and made by the next', async () => {
  const gate = makeGate()
  const [clock, name] = [new Clock(), freshName()]
  const web = await startSite('web', { clock, name })
  const worker = await startSite('worker', { clock, name, answer: async () => (await gate(), text('worker')) })
  worker.cache.work()
  await web.visit('/a')
  await web.cache.idle()
  clock.advance(11)
  await web.visit('/a')
  await gate.reached(1)
  const startedAt = performance.now()
  await worker.cache.close()
  expect(performance.now() - startedAt).toBeLessThan(3000)
  const next = await startSite('next', { clock, name })
  next.cache.work()
  await soon(async () => expect((await web.visit('/a')).text).toBe('next 1'))
  gate.open()
})

test('WORKER-43 what a worker lacks is said when it starts', async () => {
  const server = (): void => undefined
  const queue = queueAt(inject('redisSocket'))
  const caches = [
    createCacheback({ store: new FakeStore() }).attach(server),
    createCacheback({}).attach(server),
    createCacheback({ store: new FakeStore() }),
    createCacheback({ store: new FakeStore() }).attach(server),
  ]
  onTestFinished(async () => void (await Promise.all(caches.map((cache) => cache.close()))))
  const [plain, storeless, unattached, whole] = caches
  const codeOf = (act: () => unknown): unknown => {
    try {
      return act()
    } catch (error) {
      return (error as { code?: string }).code
    }
  }
  expect(codeOf(() => plain!.work())).toBe('CACHEBACK_NO_QUEUE')
  expect(codeOf(() => storeless!.work({ queue }))).toBe('CACHEBACK_NO_SHARED_STORE')
  expect(codeOf(() => unattached!.work({ queue }))).toBe('CACHEBACK_NO_RENDERER')
  const bad = { queue, schedule: [{ url: '/relative', every: 5 }] }
  expect(codeOf(() => whole!.work(bad))).toBe('CACHEBACK_INVALID_URL')
  for (const options of [
    { queue, concurrency: 0 },
    { queue: {} },
    { queue, schedule: [{ url: 'http://a/', every: 0 }] },
  ]) {
    expect(codeOf(() => whole!.work(options as never))).toBe('CACHEBACK_INVALID_OPTION')
  }
  await whole!.close()
  expect(codeOf(() => whole!.work({ queue }))).toBe('CACHEBACK_CLOSED')
})
