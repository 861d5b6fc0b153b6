import type { ScheduledRefresh } from '@cacheback/core'
import { createCacheback } from '@cacheback/core'
import { createClient } from '@redis/client'
import { Queue } from 'bullmq'
import { expect, inject, onTestFinished, test } from 'vitest'
import { Clock } from '../support/clock.ts'
import { redisKeys } from '../faults/redis-command.ts'
import { makeGate } from '../support/gate.ts'
import { startRedis } from '../support/redis.ts'
import { text } from '../support/reply.ts'
import { FakeStore } from '../support/stores.ts'
import { startProcess } from './process.ts'
import { freshName, soon, queueAt, startSite } from './site.ts'

const server = (): void => undefined

const codeOf = (act: () => unknown): unknown => {
  try {
    return act()
  } catch (error) {
    return (error as { code?: string }).code
  }
}

const warningsIn = (stderr: string): string[] => stderr.match(/CACHEBACK_QUEUE_EVICTION/g) ?? []

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
  const queue = queueAt(inject('redisSocket'))
  const caches = [
    createCacheback({ store: new FakeStore() }).attach(server),
    createCacheback({}).attach(server),
    createCacheback({ store: new FakeStore() }),
    createCacheback({ store: new FakeStore() }).attach(server),
  ]
  onTestFinished(async () => void (await Promise.all(caches.map((cache) => cache.close()))))
  const [plain, storeless, unattached, whole] = caches
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

test.each([
  ['allkeys-lru', 1],
  ['volatile-lru', 0],
  ['noeviction', 0],
] as const)('WORKER-44 a Redis that may evict jobs is spoken of by the worker: %s', async (policy, times) => {
  const redis = await startRedis({ args: ['--maxmemory-policy', policy] })
  onTestFinished(redis.stop)
  // Which is said once a process.
  const app = await startProcess({
    role: 'worker',
    framework: 'fastify',
    name: freshName(),
    redisPath: inject('redisSocket'),
    queuePath: redis.socketPath,
    renderMs: 0,
    warnings: true,
  })
  // It has been to Redis by both of its connections.
  await soon(async () => expect((await redisKeys(redis.socketPath)).join()).toContain(':stalled-check'))
  await soon(() => expect(warningsIn(app.stderr())).toHaveLength(times))
  const { stderr } = await app.end()
  expect(warningsIn(stderr)).toHaveLength(times)
  // BullMQ's own would ask for what a cache cannot have.
  expect(stderr).not.toContain('IMPORTANT')
})

test('WORKER-45 warming renders what is named, so many at once, and says what is not stored', async () => {
  let running = 0
  let most = 0
  const site = await startSite('site', {
    clock: new Clock(),
    name: freshName(),
    queuePath: null,
    answer: async ({ path, headers }) => {
      running += 1
      most = Math.max(most, running)
      await Promise.resolve()
      running -= 1
      if (path === '/broken') return text('broken', {}, 500)
      return text(`${path} ${String(headers['accept-language'])}`, { Vary: 'Accept-Language' })
    },
  })
  const urls = Array.from({ length: 10 }, (_, i) => `http://example.test/page-${i}`)
  const german = { url: 'http://example.test/german', headers: { 'Accept-Language': 'de' } }
  const dones: number[] = []
  const { stored, failed } = await site.cache.warm([...urls, german, 'http://example.test/broken'], {
    concurrency: 2,
    onProgress: ({ done }) => dones.push(done),
  })
  expect(stored).toBe(11)
  expect(failed).toEqual([{ item: 'http://example.test/broken', error: undefined }])
  expect(dones).toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
  expect(most).toBeLessThanOrEqual(2)
  expect((await site.visit('/page-3')).cacheStatus).toContain('hit')
  const visit = await site.visit('/german', { 'Accept-Language': 'de' })
  expect(visit.cacheStatus).toContain('hit')
  expect(visit.text).toBe('/german de')
})
