import { createCacheback, type PurgeReport, type Selector, type Stats } from '@cacheback/core'
import { redisStore } from '@cacheback/redis'
import { createClient, createCluster, createSentinel } from '@redis/client'
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { text as textOf } from 'node:stream/consumers'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Exchange, Route } from '../../support/app.ts'
import { type Reply, text } from '../../support/reply.ts'
import { serveOrders } from './serve.ts'

// One of several processes behind one Redis. What its pages say, another process knows: an origin that counts renders.

export interface SharedOptions {
  /** Where Redis listens: a port, or a socket, or the port of a sentinel, or of a node of a cluster. */
  readonly redis:
    | { readonly port: number }
    | { readonly path: string }
    | { readonly sentinel: number }
    | { readonly cluster: number }
  readonly prefix: string
  /** Where the origin listens. */
  readonly origin: number
  /** How far this process's clock is off. */
  readonly skewMs: number
  readonly memory?: { readonly maxStalenessMs: number } | false
  readonly version?: string
  /** By default long: a busy machine is no slow store. */
  readonly storeTimeoutMs?: { readonly get: number; readonly set: number }
}

export type SharedOrder =
  | { readonly kind: 'purge'; readonly selector: Selector; readonly soft: boolean }
  | { readonly kind: 'advance'; readonly seconds: number }
  | { readonly kind: 'idle' | 'stats' }

/** What a purge has come to: a report, or why it failed. */
export type Purged = PurgeReport | { readonly failed: string }
export type SharedStats = Stats & { readonly unhandled: readonly string[] }

const [framework = 'fastify', given = '{}'] = process.argv.slice(2)
const {
  redis,
  prefix,
  origin,
  skewMs,
  memory,
  version,
  storeTimeoutMs = { get: 2000, set: 2000 },
} = JSON.parse(given) as SharedOptions
let elapsedMs = 0
const unhandled: string[] = []
for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
  process.on(event, (error: unknown) => unhandled.push(String(error)))
}

const store = redisStore({ client: clientOf(redis), prefix })
const cache = createCacheback({
  store,
  storeTimeoutMs,
  now: () => Date.now() + skewMs + elapsedMs,
  ...(memory === undefined ? {} : { memory }),
  ...(version === undefined ? {} : { version }),
})

function clientOf(where: SharedOptions['redis']): object {
  const host = '127.0.0.1'
  if ('sentinel' in where) {
    const sentinel = createSentinel({
      name: 'main',
      sentinelRootNodes: [{ host, port: where.sentinel }],
      scanInterval: 200,
    })
    void sentinel.connect()
    return sentinel
  }
  if ('cluster' in where) return createCluster({ rootNodes: [{ socket: { host, port: where.cluster } }] })
  return createClient({ socket: 'port' in where ? { host, port: where.port } : { path: where.path, tls: false } })
}

/** Asks the origin what to say, and with which fields. */
async function render({ url, headers }: Exchange): Promise<Reply> {
  const select = String(headers['x-select'] ?? '')
  const asked = get({ host: '127.0.0.1', port: origin, path: url, agent: false, headers: { 'x-select': select } })
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  const said = JSON.parse(await textOf(answer)) as { body: string; fields: Record<string, string> }
  return text(said.body, said.fields)
}

const routes: Readonly<Record<string, Route>> = { '/:name': { methods: ['GET', 'POST'], answer: render } }

async function obey(order: SharedOrder): Promise<unknown> {
  switch (order.kind) {
    case 'purge':
      return cache
        .purge(order.selector, { soft: order.soft })
        .catch((error: Error): Purged => ({ failed: error.message || error.name }))
    case 'advance':
      elapsedMs += order.seconds * 1000
      return undefined
    case 'idle':
      return cache.idle()
    case 'stats':
      return { ...cache.stats(), unhandled }
  }
}

await store.ready()
// On a busy machine the first answers of a Redis may be too late, and then nobody is asked for a lease.
while (!Number.isFinite(cache.stats().sharing?.behindMs)) await sleep(20)
await serveOrders(framework, cache, routes, obey)
