import { createClient } from '@redis/client'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { startProxy } from '../support/proxy.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { redisCommand } from './redis-command.ts'
import { freePort } from '../support/port.ts'
import { eventually } from './redis-traffic.ts'
import { type Origin, type SharedProcess, startOrigin, startProcess, startSeveral } from './shared-site.ts'

const FRAMEWORKS = ['fastify', 'express', 'koa', 'fastify']
const PATHS = ['/a', '/b', '/c', '/d']

/** Visitors at every process, one after the other, for as long as `during` lasts. Returns what was wrong. */
async function visitedDuring(processes: readonly SharedProcess[], during: () => Promise<unknown>): Promise<string[]> {
  const problems: string[] = []
  const over = new AbortController()
  const visitors = processes.flatMap((each, index) =>
    [0, 1].map(async (which) => {
      for (let n = 0; !over.signal.aborted; n++) {
        const path = which === 0 ? PATHS[n % PATHS.length]! : `/new-${index}-${n}`
        const answer = await each.ask(path).catch((error: unknown) => ({ status: 0, text: String(error) }))
        if (answer.status !== 200 || !answer.text.startsWith(`${path} `))
          problems.push(`${path}: ${JSON.stringify(answer)}`)
        await sleep(5)
      }
    }),
  )
  await during()
  over.abort()
  await Promise.all(visitors)
  return problems
}

/** They are one cache again: a purge reaches all, one renders, all have that. */
async function expectOneCache(processes: readonly SharedProcess[], origin: Origin, within: number): Promise<number> {
  const startedAt = performance.now()
  let report: unknown
  const isAcknowledged = async (): Promise<boolean> => {
    const told = await processes[0]!.purge({ prefix: '/' })
    report = told
    return 'acknowledged' in told && told.acknowledged === processes.length
  }
  await eventually('a purge is acknowledged by all', within, isAcknowledged).catch(async (error: unknown) => {
    // What it was that kept them apart is gone when somebody looks.
    const states = await Promise.all(processes.map(async (each) => (await each.stats()).sharing))
    throw new Error(`${String(error)}: ${JSON.stringify({ report, states })}`, { cause: error })
  })
  const tookMs = performance.now() - startedAt
  const before = origin.renders('/a')
  const answers = await Promise.all(processes.flatMap((each) => [each.ask('/a'), each.ask('/a')]))
  expect(new Set(answers.map(({ text }) => text))).toEqual(new Set([`/a render ${before + 1}`]))
  expect(origin.renders('/a')).toBe(before + 1)
  const stats = await Promise.all(processes.map((each) => each.stats()))
  expect(stats.flatMap(({ unhandled }) => unhandled)).toEqual([])
  return tookMs
}

async function startServer(args: string[]): Promise<RedisServer> {
  const server = await startRedis({ args })
  onTestFinished(server.stop)
  return server
}

test('CLUSTER-10 Redis is killed and comes back empty under four processes: no failed answer, one cache again', async () => {
  const { redis, origin, processes } = await startSeveral()
  let again: RedisServer | undefined
  const problems = await visitedDuring(processes, async () => {
    await sleep(500)
    await redis.kill()
    await sleep(1500)
    again = await startRedis({ socketPath: redis.socketPath })
    await sleep(500)
  })
  onTestFinished(async () => again?.stop())
  expect(problems).toEqual([])
  const tookMs = await expectOneCache(processes, origin, 2000)
  console.log(`CLUSTER-10: one cache again ${(500 + tookMs).toFixed(0)} ms after Redis was back`)
})

test('CLUSTER-11 a copy that may have been purged while Redis was lost is not served', async () => {
  const { redis, origin, processes } = await startSeveral()
  origin.say('/x', '/x before')
  await Promise.all(processes.map((each) => each.ask('/x')))
  await redis.kill()
  origin.say('/x', '/x after')
  const failed = await processes[0]!.purge({ url: '/x' })
  expect(failed).toHaveProperty('failed')
  // It holds where it was called, and is made good elsewhere when there is a Redis again.
  expect((await processes[0]!.ask('/x')).text).toBe('/x after')
  const again = await startRedis({ socketPath: redis.socketPath })
  onTestFinished(again.stop)
  await eventually('nobody serves it any more', 2000, async () => {
    const answers = await Promise.all(processes.map((each) => each.ask('/x')))
    return answers.every(({ text }) => text === '/x after')
  })
  await sleep(1000)
  for (const each of processes) expect((await each.ask('/x')).text).toBe('/x after')
})

test('CLUSTER-12 a process that is cut off serves its copies for a second, then renders, and says so', async () => {
  const redis = await startServer([])
  const origin = await startOrigin()
  const proxy = await startProxy(redis.socketPath)
  onTestFinished(proxy.close)
  const common = { prefix: 'cut:', origin: origin.port, skewMs: 0, storeTimeoutMs: { get: 50, set: 250 } }
  const [near, cut] = await Promise.all([
    startProcess('koa', { ...common, redis: { path: redis.socketPath } }),
    startProcess('fastify', { ...common, redis: { port: proxy.port } }),
  ])
  for (const each of [near, cut]) await each.ask('/x')
  await eventually('it knows of the other one', 3000, async () => (await cut.stats()).sharing!.processes === 2)
  proxy.hold()
  origin.say('/x', '/x new')
  expect(await near.purge({ url: '/x' })).toEqual({ acknowledged: 1, missing: 1 })
  await sleep(1000)
  expect((await cut.ask('/x')).text).toBe('/x new')
  const { sharing } = await cut.stats()
  expect(sharing!.behindMs).toBeGreaterThan(900)
  proxy.restore()
  await eventually('it is current again', 3000, async () => {
    const state = (await cut.stats()).sharing!
    return state.hears && state.behindMs < 1000
  })
})

test('CLUSTER-13 a sentinel promotes the replica under two processes: no failed answer, one cache again', async () => {
  const [primaryPort, replicaPort, sentinelPort] = [await freePort(), await freePort(), await freePort()]
  const primary = await startServer(['--port', String(primaryPort)])
  const replica = await startServer(['--port', String(replicaPort), '--replicaof', '127.0.0.1', String(primaryPort)])
  await eventually('the replica has all', 5000, async () =>
    (await redisCommand(replica.socketPath, ['INFO', 'replication'])).includes('master_link_status:up'),
  )
  await startSentinel(sentinelPort, primaryPort)
  const asking = await createClient({ socket: { host: '127.0.0.1', port: sentinelPort } }).connect()
  onTestFinished(() => asking.destroy())
  await eventually('the sentinel knows the replica', 12_000, async () => {
    const replicas = await asking.sendCommand<string[][]>(['SENTINEL', 'REPLICAS', 'main'])
    return replicas.length === 1
  })
  const origin = await startOrigin()
  const processes = await Promise.all(
    ['fastify', 'koa'].map((framework) =>
      startProcess(framework, {
        redis: { sentinel: sentinelPort },
        prefix: 's:',
        origin: origin.port,
        skewMs: 0,
        storeTimeoutMs: { get: 500, set: 500 },
      }),
    ),
  )
  await Promise.all(processes.map((each) => each.ask('/a')))
  expect(origin.renders('/a')).toBe(1)
  const problems = await visitedDuring(processes, async () => {
    await sleep(300)
    await primary.kill()
    // Whoever is promoted is rid of its clients first.
    await eventually('the replica is promoted', 15_000, async () =>
      (await redisCommand(replica.socketPath, ['ROLE']).catch(() => '')).includes('master'),
    )
  })
  expect(problems).toEqual([])
  const tookMs = await expectOneCache(processes, origin, 10_000)
  console.log(`CLUSTER-13: one cache again ${tookMs.toFixed(0)} ms after the replica was promoted`)
}, 60_000)

test('CLUSTER-14 over a cluster of three nodes everything lies where its scripts find it', async () => {
  const ports = [await freePort(), await freePort(), await freePort()]
  const busPorts = [await freePort(), await freePort(), await freePort()]
  const nodes = await Promise.all(
    ports.map((port, index) =>
      startServer(['--port', String(port), '--cluster-enabled', 'yes', '--cluster-port', String(busPorts[index])]),
    ),
  )
  const slots = [
    ['0', '5460'],
    ['5461', '10922'],
    ['10923', '16383'],
  ] as const
  for (const [index, node] of nodes.entries()) {
    await redisCommand(node.socketPath, ['CLUSTER', 'ADDSLOTSRANGE', ...slots[index]!])
    if (index === 0) continue
    await redisCommand(node.socketPath, ['CLUSTER', 'MEET', '127.0.0.1', String(ports[0]), String(busPorts[0])])
  }
  await eventually('the cluster is one', 10_000, async () => {
    const states = await Promise.all(nodes.map((node) => redisCommand(node.socketPath, ['CLUSTER', 'INFO'])))
    return states.every((state) => state.includes('cluster_state:ok') && state.includes('cluster_known_nodes:3'))
  })
  const origin = await startOrigin()
  const processes = await Promise.all(
    FRAMEWORKS.map((framework) =>
      startProcess(framework, { redis: { cluster: ports[0]! }, prefix: 'c:', origin: origin.port, skewMs: 0 }),
    ),
  )
  // Pages of many slots, with variants: a command that crosses slots would fail, and each process would render.
  const paths = Array.from({ length: 30 }, (_, i) => `/page-${i}`)
  for (const path of paths) origin.say(path, path, { 'cache-control': 'max-age=600', vary: 'x-select' })
  for (const path of paths) {
    for (const select of ['one', 'two']) {
      const answers = await Promise.all(processes.map((each) => each.ask(path, { 'x-select': select })))
      expect(new Set(answers.map(({ text }) => text))).toEqual(new Set([`${path} for ${select}`]))
    }
    // Two variants; the first render of a URL does not know yet that it has any.
    expect(origin.renders(path)).toBe(2)
  }
  await expectOneCache(processes, origin, 3000)
  const sizes = await Promise.all(nodes.map(async (node) => Number(await redisCommand(node.socketPath, ['DBSIZE']))))
  expect(sizes.every((size) => size > 0)).toBe(true)
}, 60_000)

async function startSentinel(port: number, primaryPort: number): Promise<RedisServer> {
  const server = await startRedis({
    sentinel: [
      `port ${port}`,
      `sentinel monitor main 127.0.0.1 ${primaryPort} 1`,
      'sentinel down-after-milliseconds main 500',
      'sentinel failover-timeout main 2000',
    ],
  })
  onTestFinished(server.stop)
  return server
}
