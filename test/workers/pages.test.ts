import { Queue } from 'bullmq'
import { createClient } from '@redis/client'
import { expect, inject, onTestFinished, test, vi } from 'vitest'
import { Clock } from '../support/clock.ts'
import { expressFramework } from '../support/express.ts'
import { fastify } from '../support/fastify.ts'
import { koa } from '../support/koa.ts'
import { type Reply, text } from '../support/reply.ts'
import { FakeStore } from '../support/stores.ts'
import { redisCommand } from '../faults/redis-command.ts'
import { freshName, soon, startPair, startSite } from './site.ts'

const FRAMEWORKS = [fastify, expressFramework, koa]

const told = ({ n, path }: { n: number; path: string }): Reply => text(`${path} ${n}`)

/** How many jobs have ever been made of this queue. */
async function jobsMade(name: string): Promise<number> {
  const script = "return redis.call('GET', KEYS[1]) or '0'"
  return Number(await redisCommand(inject('redisSocket'), ['EVAL', script, '1', `bull:${name}:id`]))
}

test.each(FRAMEWORKS)(
  'WORKER-1 a stale page is rendered by the worker, and served by the web process, also by the rules of a route ($name)',
  async (framework) => {
    const routes = {
      '/plain': { answer: told },
      '/ruled': { answer: told, cacheback: { maxAge: 5, query: ['page'], vary: ['accept-language'] } },
    }
    const { web, worker, clock } = await startPair({ framework, routes })
    worker.cache.work()
    for (const path of ['/plain', '/ruled?page=2&utm_source=x']) {
      const ask = () => web.visit(path, { 'Accept-Language': 'de', 'X-Secret': 'mine' })
      const first = await ask()
      expect(first.cacheStatus).toContain('stored')
      await web.cache.idle()
      clock.advance(11)
      const rendered = web.renders.length
      const stale = await ask()
      expect(stale.warning).toContain('110')
      expect(stale.text).toBe(first.text)
      await soon(() => expect(worker.count('refresh')).toBe(path === '/plain' ? 1 : 2))
      await soon(async () => expect((await ask()).warning).toBeUndefined())
      expect(web.renders).toHaveLength(rendered)
      const { url, headers } = worker.renders.at(-1)!
      expect(url).toBe(path.replace('&utm_source=x', ''))
      expect(headers['x-secret']).toBeUndefined()
      expect(headers['accept-language']).toBe(path === '/plain' ? undefined : 'de')
    }
    expect(web.count('refresh-sent')).toBe(2)
    expect(web.count('refresh')).toBe(0)
  },
)

test('WORKER-2 a stale page that a thousand visitors ask for is one job, and one command', async () => {
  const { web, clock, name } = await startPair()
  await web.visit('/page')
  await web.cache.idle()
  clock.advance(11)
  for (let i = 0; i < 1000; i++) expect((await web.visit('/page')).text).toBe('web 1')
  expect(web.count('refresh-sent')).toBe(1)
  expect(await jobsMade(name)).toBe(1)
  expect(web.renders).toHaveLength(1)
})

test('WORKER-3 what several web processes send for one page is rendered once', async () => {
  const { web, worker, clock, name } = await startPair()
  const other = await startSite('other', { clock, name })
  await web.visit('/page')
  await web.cache.idle()
  await other.visit('/page')
  clock.advance(11)
  for (const site of [web, other]) {
    expect((await site.visit('/page')).text).toBe('web 1')
    await site.cache.idle()
    expect(site.count('refresh-sent')).toBe(1)
  }
  expect(await redisCommand(inject('redisSocket'), ['LLEN', `bull:${name}:wait`])).toBe('1')
  worker.cache.work()
  for (const site of [web, other]) await soon(async () => expect((await site.visit('/page')).text).toBe('worker 1'))
  expect(worker.renders).toHaveLength(1)
})

test('WORKER-4 a job for what is fresh already is skipped', async () => {
  const { web, worker, clock, name } = await startPair()
  await web.visit('/page')
  await web.cache.idle()
  clock.advance(11)
  await web.visit('/page')
  await web.cache.idle()
  // Somebody else has been quicker.
  const quick = await startSite('quick', { clock, name, queuePath: null })
  await quick.visit('/page')
  await soon(() => expect(quick.renders).toHaveLength(1))
  await quick.cache.idle()
  worker.cache.work()
  await soon(() => expect(worker.count('refresh-dropped', 'already-fresh')).toBe(1))
  expect(worker.renders).toHaveLength(0)
  await soon(async () => expect((await web.visit('/page')).text).toBe('quick 1'))
})

test('WORKER-5 without copies in memory it is the same', async () => {
  const { web, worker, clock } = await startPair({ options: { memory: false } })
  worker.cache.work()
  await web.visit('/page')
  await web.cache.idle()
  clock.advance(11)
  expect((await web.visit('/page')).text).toBe('web 1')
  await soon(async () => expect((await web.visit('/page')).text).toBe('worker 1'))
  expect(web.count('refresh-sent')).toBe(1)
  // And again, when that is stale.
  clock.advance(11)
  expect((await web.visit('/page')).text).toBe('worker 1')
  await soon(async () => expect((await web.visit('/page')).text).toBe('worker 2'))
  expect(web.renders).toHaveLength(1)
})

test.each([
  ['404', text('gone', {}, 404)],
  ['private', text('mine', { 'Cache-Control': 'private' })],
  ['a cookie', text('yours', { 'Set-Cookie': 'id=1' })],
] as const)('WORKER-6 a page that is not one to be stored any more goes everywhere: %s', async (_, reply) => {
  let now: Reply = text('page')
  const { web, worker, clock } = await startPair({ answer: () => now })
  worker.cache.work()
  await web.visit('/page')
  await web.cache.idle()
  clock.advance(11)
  now = reply
  expect((await web.visit('/page')).text).toBe('page')
  await soon(async () => expect(await web.cache.inspect('http://example.test/page')).toBeUndefined())
  expect(worker.renders).toHaveLength(1)
  expect((await web.visit('/page')).text).not.toBe('page')
})

test('WORKER-9 a refresh that fails is tried again, keeps the old page, and counts as lost after a while', async () => {
  let isBroken = false
  const { web, worker, clock } = await startPair({
    options: { refresh: { lostAfterMs: 2000 } },
    answer: ({ n }) => (isBroken ? text('broken', {}, 500) : text(`page ${n}`)),
  })
  worker.cache.work()
  await web.visit('/page')
  await web.cache.idle()
  clock.advance(11)
  isBroken = true
  expect((await web.visit('/page')).text).toBe('page 1')
  await soon(() => expect(worker.count('refresh-failed', 'status-500')).toBe(3))
  expect((await web.visit('/page')).text).toBe('page 1')
  isBroken = false
  await soon(async () => expect((await web.visit('/page')).text).toBe('page 4'))
  expect(web.count('refresh-failed', 'job-lost')).toBe(1)
  expect(web.renders).toHaveLength(1)
})

test('WORKER-10 a soft purge is one refresh, and what it brings is fresh', async () => {
  const { web, worker, clock } = await startPair()
  worker.cache.work()
  // It has just read which purges there are.
  await worker.visit('/other')
  await web.visit('/page')
  await web.cache.idle()
  clock.advance(1)
  await web.cache.purge({ url: '/page' }, { soft: true })
  expect((await web.visit('/page')).text).toBe('web 1')
  await soon(async () => expect((await web.visit('/page')).text).toBe('worker 1'))
  expect((await web.visit('/page')).cacheStatus).toMatch(/hit; ttl=\d/)
  expect(web.count('refresh-sent')).toBe(1)
})

test('WORKER-12 jobs that nobody takes do not fill Redis: then pages are rendered here', async () => {
  const { web, clock, name } = await startPair({ queue: { maxWaiting: 3 } })
  const pages = Array.from({ length: 60 }, (_, i) => `/page-${i}`)
  for (const page of pages) await web.visit(page)
  await web.cache.idle()
  clock.advance(11)
  const sendOne = async (): Promise<void> => {
    await web.visit(pages.shift()!)
    await web.cache.idle()
  }
  for (let i = 0; i < 3; i++) await sendOne()
  expect(await jobsMade(name)).toBe(3)
  // They are counted once a second, while others are sent.
  await vi.waitUntil(async () => (await sendOne(), web.count('queue-error') > 0), { timeout: 4000, interval: 100 })
  const made = await jobsMade(name)
  for (let i = 0; i < 5; i++) await sendOne()
  expect(await jobsMade(name)).toBe(made)
  expect(web.count('refresh')).toBeGreaterThanOrEqual(6)
})

test('WORKER-13 jobs of one version are not taken by workers of another', async () => {
  const { web, clock, name } = await startPair({ options: { version: '2' } })
  const old = await startSite('old', { clock, name, options: { version: '1' } })
  old.cache.work()
  await web.visit('/page')
  await web.cache.idle()
  clock.advance(11)
  await web.visit('/page')
  await web.cache.idle()
  const client = createClient({ socket: { path: inject('redisSocket'), tls: false } })
  await client.connect()
  const queue = new Queue(`${name}@2`, { connection: client })
  onTestFinished(async () => {
    await queue.close()
    client.destroy()
  })
  expect(await queue.getJobCountByTypes('wait')).toBe(1)
  expect(old.events).toEqual([])
})

test('WORKER-16 what a worker could not write is rendered again', async () => {
  const store = new FakeStore()
  let refusals = 0
  const refusing = {
    get: (key: string) => store.get(key),
    delete: (key: string) => store.delete(key),
    set: (key: string, frame: Uint8Array, ttlMs: number) =>
      refusals++ === 0 ? Promise.reject(new Error('full')) : store.set(key, frame, ttlMs),
  }
  const shared = { clock: new Clock(), name: freshName() }
  const web = await startSite('web', { ...shared, options: { store } })
  const worker = await startSite('worker', { ...shared, options: { store: refusing } })
  worker.cache.work()
  await web.visit('/page')
  await web.cache.idle()
  shared.clock.advance(11)
  await web.visit('/page')
  await soon(async () => expect((await web.visit('/page')).text).toBe('worker 2'))
})

test('WORKER-17 a page is refreshed ahead of its time by the worker as well', async () => {
  const { web, worker, clock } = await startPair({ options: { refreshAhead: 0.5 } })
  worker.cache.work()
  await web.visit('/page')
  await web.cache.idle()
  clock.advance(6)
  expect((await web.visit('/page')).warning).toBeUndefined()
  await soon(async () => expect((await web.visit('/page')).text).toBe('worker 1'))
  expect(web.renders).toHaveLength(1)
})
