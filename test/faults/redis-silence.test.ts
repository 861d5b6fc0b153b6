import { describe, test } from 'vitest'
import { STORES } from './redis-adapters.ts'
import { houseRules } from './redis-measured.ts'
import { startScene } from './redis-site.ts'
import { suffer } from './redis-traffic.ts'

houseRules()

describe.each(STORES)('over %s', (_name, make) => {
  test('FAULT-04 a hung Redis (SIGSTOP) costs the first visitors one deadline, and is used again within 2 s', async () => {
    const { redis, sites, controls } = await startScene([], make)
    await suffer({
      name: 'hung (SIGSTOP, SIGCONT)',
      sites,
      controls,
      begin: redis.pause,
      lastsMs: 1200,
      end: redis.resume,
    })
  })

  test('FAULT-05 a partition costs the first visitors one deadline, and is over within 2 s of its end', async () => {
    const { proxy, sites, controls } = await startScene([], make)
    await suffer({
      name: 'partition',
      sites,
      controls,
      begin: proxy.hold,
      lastsMs: 1200,
      end: proxy.restore,
    })
  })

  test('FAULT-06 half-open connections, of which Redis knows nothing any more, are noticed and made anew', async () => {
    const { proxy, sites, controls } = await startScene([], make)
    await suffer({
      name: 'half-open',
      sites,
      controls,
      begin: proxy.forget,
      lastsMs: 1200,
      end: proxy.restore,
    })
  })
})
