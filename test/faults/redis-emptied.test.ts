import { describe, expect, test } from 'vitest'
import { STORES } from './redis-adapters.ts'
import { redisCommand } from './redis-command.ts'
import { houseRules } from './redis-measured.ts'
import { type RedisSite, startScene } from './redis-site.ts'
import { suffer } from './redis-traffic.ts'

houseRules()

/** What the store has refused; a busy machine may be late, which is another thing. */
function failuresOf(sites: readonly RedisSite[]): string[] {
  const failures: string[] = []
  for (const { cache, label } of sites) {
    cache.on('store-error', ({ reason = '' }) => reason.endsWith('-failed') && failures.push(`${label}: ${reason}`))
  }
  return failures
}

describe.each(STORES)('over %s', (_name, make) => {
  test('FAULT-34 a FLUSHALL makes misses and nothing else', async () => {
    const { redis, sites, controls } = await startScene([], make)
    const renders = sites.map((site) => site.renders())
    const failures = failuresOf(sites)
    await suffer({
      name: 'FLUSHALL',
      sites,
      controls,
      begin: () => redisCommand(redis.socketPath, ['FLUSHALL']),
      lastsMs: 300,
      opens: false,
      end: () => undefined,
    })
    expect(failures).toEqual([])
    for (const [i, site] of sites.entries()) {
      expect(site.renders(), `${site.label}: renders`).toBeGreaterThan(renders[i]!)
    }
  })

  test('FAULT-35 a Redis that evicts makes misses and nothing else', async () => {
    const { redis, sites, controls } = await startScene([], make)
    const failures = failuresOf(sites)
    await suffer({
      name: 'evicting (allkeys-random)',
      sites,
      controls,
      begin: async () => {
        // Enough to throw away.
        const fill = "for i = 1, 1000 do redis.call('SET', 'other' .. i, string.rep('x', 2000)) end"
        await redisCommand(redis.socketPath, ['EVAL', fill, '0'])
        const info = await redisCommand(redis.socketPath, ['INFO', 'memory'])
        const used = Number(/used_memory:(\d+)/.exec(info)![1])
        await redisCommand(redis.socketPath, ['CONFIG', 'SET', 'maxmemory-policy', 'allkeys-random'])
        await redisCommand(redis.socketPath, ['CONFIG', 'SET', 'maxmemory', String(used)])
      },
      lastsMs: 400,
      opens: false,
      meanwhile: async () => {
        const stats = await redisCommand(redis.socketPath, ['INFO', 'stats'])
        expect(Number(/evicted_keys:(\d+)/.exec(stats)![1])).toBeGreaterThan(0)
      },
      end: () => redisCommand(redis.socketPath, ['CONFIG', 'SET', 'maxmemory', '0']),
    })
    expect(failures).toEqual([])
  })
})
