import { expect, onTestFinished, test } from 'vitest'
import { Clock } from '../support/clock.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { type Site, freshName, soon, startSite } from './site.ts'

async function ownRedis(): Promise<RedisServer> {
  const redis = await startRedis()
  onTestFinished(redis.stop)
  return redis
}

/** A visitor who is answered at once, whatever the queue does. */
async function quickly(site: Site, path: string): Promise<string> {
  const startedAt = performance.now()
  const { text } = await site.visit(path)
  // What a busy machine may take; a visitor who waited for a queue would have waited longer.
  expect(performance.now() - startedAt).toBeLessThan(400)
  return text
}

/** Makes this many pages, and stale. */
async function makeStale(site: Site, clock: Clock, pages: number): Promise<void> {
  for (let i = 0; i < pages; i++) await site.visit(`/page-${i}`)
  await site.cache.idle()
  clock.advance(11)
}

test('WORKER-20 a queue that was never there: pages are rendered in process, no visitor waits, the cache closes', async () => {
  const clock = new Clock()
  const web = await startSite('web', { clock, name: freshName(), queuePath: '/nowhere/redis.sock' })
  await makeStale(web, clock, 5)
  for (let i = 0; i < 5; i++) expect(await quickly(web, `/page-${i}`)).toBe('web 1')
  await web.cache.idle()
  for (let i = 0; i < 5; i++) expect(await quickly(web, `/page-${i}`)).toBe('web 2')
  expect(web.count('refresh')).toBe(5)
  expect(web.count('refresh-sent')).toBe(0)
  // Three show that it is away; then it is left alone for a second.
  expect(web.count('queue-error', 'send-failed')).toBe(3)
  const startedAt = performance.now()
  await web.cache.close()
  expect(performance.now() - startedAt).toBeLessThan(1500)
})

test('WORKER-21 a queue that hangs: pages are rendered in process after half a second, and by the worker when it goes on', async () => {
  const [clock, redis, name] = [new Clock(), await ownRedis(), freshName()]
  const shared = { clock, name, queuePath: redis.socketPath }
  const web = await startSite('web', shared)
  const worker = await startSite('worker', shared)
  worker.cache.work()
  await makeStale(web, clock, 1)
  expect(await quickly(web, '/page-0')).toBe('web 1')
  await soon(async () => expect(await quickly(web, '/page-0')).toBe('worker 1'))

  clock.advance(11)
  redis.pause()
  expect(await quickly(web, '/page-0')).toBe('worker 1')
  await web.cache.idle()
  expect(await quickly(web, '/page-0')).toBe('web 2')
  expect(web.count('queue-error', 'send-timeout')).toBe(1)

  redis.resume()
  await soon(async () => {
    clock.advance(11)
    await quickly(web, '/page-0')
    await web.cache.idle()
    expect(await quickly(web, '/page-0')).toMatch(/worker/)
  })
})

test('WORKER-22 a queue that dies and comes back, on both sides', async () => {
  const [clock, redis, name] = [new Clock(), await startRedis(), freshName()]
  const shared = { clock, name, queuePath: redis.socketPath }
  const web = await startSite('web', shared)
  const worker = await startSite('worker', shared)
  worker.cache.work()
  await makeStale(web, clock, 1)
  await quickly(web, '/page-0')
  await soon(async () => expect(await quickly(web, '/page-0')).toBe('worker 1'))
  await redis.kill()
  for (const expected of ['web 2', 'web 3', 'web 4', 'web 5', 'web 6']) {
    clock.advance(11)
    await quickly(web, '/page-0')
    await web.cache.idle()
    expect(await quickly(web, '/page-0')).toBe(expected)
  }
  const again = await startRedis({ socketPath: redis.socketPath })
  onTestFinished(again.stop)
  const rendered = worker.renders.length
  await soon(async () => {
    clock.advance(11)
    await quickly(web, '/page-0')
    await web.cache.idle()
    expect(worker.renders.length).toBeGreaterThan(rendered)
  })
  await soon(async () => expect(await quickly(web, '/page-0')).toMatch(/worker/))
})

test.each(['gone', 'hung'] as const)(
  'WORKER-23 cache.close() takes less than three seconds with the queue %s, for servers and workers',
  async (fault) => {
    const [clock, redis, name] = [new Clock(), await ownRedis(), freshName()]
    const shared = { clock, name, queuePath: redis.socketPath }
    const [web, worker] = [await startSite('web', shared), await startSite('worker', shared)]
    worker.cache.work()
    await makeStale(web, clock, 1)
    await quickly(web, '/page-0')
    await soon(async () => expect(await quickly(web, '/page-0')).toBe('worker 1'))
    if (fault === 'gone') await redis.kill()
    else redis.pause()
    const startedAt = performance.now()
    await Promise.all([web.cache.close(), worker.cache.close()])
    expect(performance.now() - startedAt).toBeLessThan(3000)
  },
)

test('WORKER-24 while the store is away no worker is asked: nobody would see what it renders', async () => {
  const [clock, redis, name] = [new Clock(), await startRedis(), freshName()]
  const shared = { clock, name, storePath: redis.socketPath }
  const web = await startSite('web', shared)
  const worker = await startSite('worker', shared)
  worker.cache.work()
  await makeStale(web, clock, 1)
  await redis.kill()
  // Reads find out.
  for (let i = 0; i < 3; i++) await web.visit(`/unknown-${i}`)
  expect(web.cache.stats().breaker).toBe('open')
  expect(await quickly(web, '/page-0')).toBe('web 1')
  await web.cache.idle()
  expect(await quickly(web, '/page-0')).toBe('web 2')
  // A page that the store has never had: nor is it sent when the store is back.
  const again = await startRedis({ socketPath: redis.socketPath })
  onTestFinished(again.stop)
  await soon(async () => {
    await web.visit(`/probe-${Math.random()}`)
    expect(web.cache.stats().breaker).toBe('closed')
  })
  clock.advance(11)
  expect(await quickly(web, '/page-0')).toBe('web 2')
  await web.cache.idle()
  expect(await quickly(web, '/page-0')).toBe('web 3')
  expect(web.count('refresh-sent')).toBe(0)
  // Now it has.
  clock.advance(11)
  expect(await quickly(web, '/page-0')).toBe('web 3')
  await soon(async () => expect(await quickly(web, '/page-0')).toBe('worker 1'))
})
