import { expect, inject, onTestFinished, test } from 'vitest'
import { redisCommand, redisKeys } from '../faults/redis-command.ts'
import { startRedis } from '../support/redis.ts'
import { type AppProcess, type ProcessOptions, startProcess } from './process.ts'
import { freshName, soon } from './site.ts'

const optionsOf = (more: Partial<ProcessOptions> = {}): Omit<ProcessOptions, 'role'> => ({
  framework: 'fastify',
  name: freshName(),
  redisPath: inject('redisSocket'),
  queuePath: inject('redisSocket'),
  renderMs: 0,
  ...more,
})

const untilStale = (site: AppProcess, path: string): Promise<unknown> =>
  soon(async () => expect((await site.visit(path)).cacheStatus).toMatch(/ttl=-\d/))

test.each(['fastify', 'express', 'koa'])(
  'WORKER-50 a server and a worker, each a process: the worker renders, the server serves, both end by themselves (%s)',
  async (framework) => {
    const options = optionsOf({ framework })
    const [web, worker] = await Promise.all([
      startProcess({ ...options, role: 'web' }),
      startProcess({ ...options, role: 'worker' }),
    ])
    const first = await web.visit('/page?visitor=1')
    expect(first.text).toBe(`web ${web.pid}`)
    await untilStale(web, '/page')
    const rendered = web.renders()
    await soon(async () => {
      const { text, cacheStatus } = await web.visit('/page?visitor=2')
      expect(text).toBe(`worker ${worker.pid}`)
      expect(cacheStatus).toMatch(/hit; ttl=\d/)
    })
    // And again, when that is stale.
    await untilStale(web, '/page')
    const before = worker.count('refresh')
    await soon(() => expect(worker.count('refresh')).toBeGreaterThan(before))
    expect(web.renders()).toBe(rendered)
    for (const process of [web, worker]) {
      const { code, stderr, seconds } = await process.end()
      expect(stderr).toBe('')
      expect(code).toBe(0)
      expect(seconds).toBeLessThan(5)
    }
  },
)

test('WORKER-51 a worker that is killed in the middle of a render loses nothing: another makes it', async () => {
  const options = optionsOf({ renderMs: 60_000, lostAfterMs: 2000 })
  const web = await startProcess({ ...options, role: 'web' })
  const worker = await startProcess({ ...options, role: 'worker' })
  await web.visit('/page')
  await untilStale(web, '/page')
  await soon(() => expect(worker.renders()).toBe(1))
  await worker.kill()
  const next = await startProcess({ ...options, renderMs: 0, role: 'worker' })
  await soon(async () => expect((await web.visit('/page')).text).toBe(`worker ${next.pid}`), 40_000)
  expect(web.renders()).toBe(1)
  // The server has sent it again meanwhile, to no effect: it was a worker's still.
  expect(web.count('refresh-failed', 'job-lost')).toBeGreaterThanOrEqual(1)
})

test('WORKER-52 a job that is lost is sent again: an entry is never stale for ever', async () => {
  const redis = await startRedis()
  onTestFinished(redis.stop)
  const options = optionsOf({ queuePath: redis.socketPath, lostAfterMs: 2000 })
  const web = await startProcess({ ...options, role: 'web' })
  await web.visit('/page')
  await untilStale(web, '/page')
  await soon(() => expect(web.count('refresh-sent')).toBe(1))
  // All but the key by which a second job is none.
  for (const key of await redisKeys(redis.socketPath)) {
    if (!key.includes(':de:')) await redisCommand(redis.socketPath, ['DEL', key])
  }
  const worker = await startProcess({ ...options, role: 'worker' })
  await soon(async () => expect((await web.visit('/page')).text).toBe(`worker ${worker.pid}`), 15_000)
  expect(web.count('refresh-failed', 'job-lost')).toBe(1)
  expect(web.renders()).toBe(1)
})

test.each(['away', 'hung'])(
  'WORKER-53 with the queue %s a server and a worker still end by themselves',
  async (fault) => {
    const redis = await startRedis()
    onTestFinished(redis.stop)
    const options = optionsOf({ queuePath: redis.socketPath })
    if (fault === 'away') await redis.kill()
    const [web, worker] = await Promise.all([
      startProcess({ ...options, role: 'web' }),
      startProcess({ ...options, role: 'worker' }),
    ])
    if (fault === 'hung') redis.pause()
    await web.visit('/page')
    await untilStale(web, '/page')
    // Rendered in process: by the server itself.
    await soon(() => expect(web.count('refresh')).toBeGreaterThanOrEqual(1))
    for (const process of [web, worker]) {
      const { code, stderr, seconds } = await process.end()
      expect(stderr).toBe('')
      expect(code).toBe(0)
      expect(seconds).toBeLessThan(5)
    }
  },
)
