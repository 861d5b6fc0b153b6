import { once } from 'node:events'
import { Agent, createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

import { createCacheback } from '@cacheback/core'
import { redisStore } from '@cacheback/redis'
import { createClient } from '@redis/client'

import { startRedis } from '../../support/redis.ts'
import { type Bench, note } from '../bench.ts'

const PAGES = 10_000
const AT_ONCE = 50
const BODY = 'x'.repeat(1024)

/** What a shared store costs Redis: bytes an entry, and microseconds of its one core for a hit, a miss, a purge, a beat. */
export async function shared(bench: Bench): Promise<void> {
  const redis = await startRedis()
  const client = await createClient({ socket: { path: redis.socketPath, tls: false } }).connect()
  try {
    const store = redisStore({ client: createClient({ socket: { path: redis.socketPath, tls: false } }) })
    await store.ready()
    const cache = createCacheback({ store, memory: false, maxAge: 600 })
    const server = createServer(cache.listener((_req, res) => void res.end(BODY)))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
    const { port } = server.address() as AddressInfo
    const visitAll = async (): Promise<void> => {
      let next = 0
      const visitor = async (): Promise<void> => {
        while (next < PAGES) {
          const asked = get({ host: '127.0.0.1', port, agent, path: `/articles/${next++}` })
          const [answer] = (await once(asked, 'response')) as [IncomingMessage]
          answer.resume()
          await once(answer, 'end')
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, visitor))
      await cache.idle()
    }
    const usedBytes = async (): Promise<number> =>
      figure(await client.sendCommand<string>(['INFO', 'memory']), 'used_memory')
    /** Microseconds of Redis, and calls, since the last time. */
    const spent = async (name: string): Promise<string> => {
      const stats = await client.sendCommand<string>(['INFO', 'commandstats'])
      await client.sendCommand(['CONFIG', 'RESETSTAT'])
      const [, calls, micros] = new RegExp(`cmdstat_${name}:calls=(\\d+),usec=(\\d+)`).exec(stats) ?? []
      return `${(Number(micros) / Number(calls)).toFixed(1)} µs (${calls} calls)`
    }
    const before = await usedBytes()
    await visitAll()
    const bytes = (await usedBytes()) - before
    note(bench, `shared: ${PAGES} pages of 1 KiB: ${Math.round(bytes / PAGES)} bytes of Redis each, body included`)
    note(bench, `shared: a miss: MGET ${await spent('mget')}`)
    await client.sendCommand(['CONFIG', 'RESETSTAT'])
    for (let i = 0; i < 1000; i++) await cache.purge({ tag: `t${i}` })
    note(bench, `shared: a purge: EVALSHA ${await spent('evalsha')}, beats among them`)
    await visitAll()
    note(bench, `shared: a hit: MGET ${await spent('mget')}`)
    await cache.purge({ all: true })
    await client.sendCommand(['CONFIG', 'RESETSTAT'])
    await visitAll()
    note(bench, `shared: the lease and the page of a miss: EVALSHA ${await spent('evalsha')}`)
    agent.destroy()
    server.close()
    await cache.close()
  } finally {
    client.destroy()
    await redis.stop()
  }
}

const figure = (info: string, name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1])
