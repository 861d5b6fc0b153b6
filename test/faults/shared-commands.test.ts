import { createCacheback } from '@cacheback/core'
import { redisStore } from '@cacheback/redis'
import { createClient } from '@redis/client'
import { AsyncLocalStorage } from 'node:async_hooks'
import { expect, onTestFinished, test } from 'vitest'
import { makeClient } from '../support/client.ts'
import { Clock } from '../support/clock.ts'
import { fastify } from '../support/fastify.ts'
import { startRedis } from '../support/redis.ts'
import { cacheControl, text } from '../support/reply.ts'
import { redisCommand } from './redis-command.ts'

/** Commands about pages that a Redis has been sent: those of the purges, and what scripts do inside, are others. */
async function commands(socket: string): Promise<number> {
  const said = await redisCommand(socket, ['INFO', 'commandstats'])
  const calls = (name: string): number => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(said)?.[1] ?? 0)
  // Beats go on meanwhile; each is one ZADD inside a script of its own.
  return calls('mget') + calls('evalsha') + calls('eval') - calls('zadd')
}

/** One of its own: others would be counted. */
async function startServer(): Promise<string> {
  const { socketPath, stop } = await startRedis()
  onTestFinished(stop)
  return socketPath
}

async function startProcess(path: string, memory: false | undefined) {
  const clock = new Clock()
  const store = redisStore({ client: createClient({ socket: { path, tls: false } }), prefix: 'commands:' })
  await store.ready()
  const cache = createCacheback({
    store,
    now: () => clock.now,
    storeTimeoutMs: { get: 3000, set: 3000 },
    ...(memory === undefined ? {} : { memory }),
  })
  const swr = cacheControl('max-age=10, stale-while-revalidate=600')
  const app = await fastify.start({
    cache,
    visitors: new AsyncLocalStorage(),
    routes: { '/plain': text(''), '/varied': text(''), '/warm-up': text('') },
    render: async (page) => text('page', page === '/varied' ? { ...swr, vary: 'x-select' } : swr),
  })
  const client = makeClient(app.server)
  onTestFinished(async () => {
    client.close()
    await app.close()
    await cache.close()
  })
  const visit = async (page: string): Promise<{ status: string; sent: number }> => {
    const before = await commands(path)
    const { cacheStatus } = await client.visit(page, { 'X-Select': 'one' }).done
    await cache.idle()
    return { status: cacheStatus ?? '', sent: (await commands(path)) - before }
  }
  await visit('/warm-up')
  return { clock, visit }
}

test('CLUSTER-07 a hit is one command, two where the URL’s Vary is not known yet; a miss three; a refresh two', async () => {
  const socket = await startServer()
  const one = await startProcess(socket, false)
  const two = await startProcess(socket, false)
  for (const path of ['/plain', '/varied']) {
    const miss = await one.visit(path)
    expect(miss.status).toContain('uri-miss; stored')
    expect(miss.sent, `a miss of ${path}`).toBeLessThanOrEqual(3)
    expect(await one.visit(path)).toEqual({ status: expect.stringContaining('; hit'), sent: 1 })
  }
  expect(await two.visit('/plain')).toEqual({ status: expect.stringContaining('; hit'), sent: 1 })
  expect(await two.visit('/varied')).toEqual({ status: expect.stringContaining('; hit'), sent: 2 })
  expect(await two.visit('/varied')).toEqual({ status: expect.stringContaining('; hit'), sent: 1 })
  for (const { clock } of [one, two]) clock.advance(11)
  for (const path of ['/plain', '/varied']) {
    const stale = await one.visit(path)
    expect(stale.status).toContain('; hit; ttl=-1')
    // The read that found it stale, the lease, the page.
    expect(stale.sent, `a refresh of ${path}`).toBeLessThanOrEqual(4)
  }
})

test('CLUSTER-08 with copies in memory a hit is no command at all', async () => {
  const one = await startProcess(await startServer(), undefined)
  await one.visit('/plain')
  expect(await one.visit('/plain')).toEqual({ status: expect.stringContaining('; hit'), sent: 0 })
})
