import { startRedis } from '../../support/redis.ts'
import { type Bench, compare, ofKind } from '../bench.ts'

/** Requests for the same URL would share what one of them reads. */
const URLS = { kind: 'pick', from: 0, of: 1000 } as const

/** Every hit from a real Redis, against a bare GET of the same body through the same client. */
export async function redis(bench: Bench): Promise<void> {
  const server = await startRedis()
  try {
    for (const kib of [1, 64]) {
      const page = { bytes: kib * 1024, redis: server.socketPath }
      await compare(bench, `Redis ${kib} KiB`, ofKind(bench, 'redis'), { page, requests: URLS })
    }
  } finally {
    await server.stop()
  }
}
