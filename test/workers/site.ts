import { type BullmqQueueOptions, bullmqQueue } from '@cacheback/bullmq'
import {
  type CacheEvent,
  type Cacheback,
  type CachebackOptions,
  type EventName,
  type JobQueue,
  createCacheback,
} from '@cacheback/core'
import { AsyncLocalStorage } from 'node:async_hooks'
import { inject, onTestFinished, vi } from 'vitest'
import type { Exchange, Framework, Native, Route } from '../support/app.ts'
import { type Client, type Got, makeClient } from '../support/client.ts'
import { Clock } from '../support/clock.ts'
import { fastify } from '../support/fastify.ts'
import type { Fields, Reply } from '../support/reply.ts'
import { redisKeyv } from '../support/stores.ts'

const EVENTS = ['refresh', 'refresh-failed', 'refresh-dropped', 'refresh-sent', 'queue-error', 'store'] as const

export interface SiteOptions {
  readonly clock: Clock
  /** The same for all that share a store and a queue. */
  readonly name: string
  readonly framework?: Framework | undefined
  readonly routes?: Readonly<Record<string, Route>> | undefined
  readonly options?: CachebackOptions | undefined
  /** Of the queue's Redis, where it is another one; null: no queue. */
  readonly queuePath?: string | null | undefined
  /** What every render answers. Default: `<role> <n>`. */
  readonly answer?: ((exchange: Exchange) => Reply | Promise<Reply>) | undefined
  readonly storePath?: string | undefined
  /** What the framework has before the cache. */
  readonly before?: Native | undefined
  readonly queue?: Partial<BullmqQueueOptions> | undefined
}

/** A process of an app, as far as one process can play several: each has a cache, a server and connections of its own. */
export interface Site {
  readonly cache: Cacheback
  readonly client: Client
  readonly events: (CacheEvent & { readonly event: EventName })[]
  /** What its handlers have seen. */
  readonly renders: Exchange[]
  visit(path: string, headers?: Fields): Promise<Got>
  /** How often this has happened, for this reason where one is named. */
  count(event: EventName, reason?: string): number
}

export const queueAt = (path: string, more: Partial<BullmqQueueOptions> = {}): JobQueue =>
  bullmqQueue({ connection: { socket: { path, tls: false } }, backOffMs: 50, ...more })

export async function startSite(role: string, site: SiteOptions): Promise<Site> {
  const {
    clock,
    name,
    framework = fastify,
    queuePath = inject('redisSocket'),
    storePath = inject('redisSocket'),
  } = site
  const renders: Exchange[] = []
  const answer: Route['answer'] = (exchange) =>
    site.answer?.(exchange) ?? { kind: 'text', status: 200, headers: {}, body: `${role} ${exchange.n}` }
  const cache = createCacheback({
    name,
    store: await redisKeyv(storePath, 'workers'),
    maxAge: 10,
    staleWhileRevalidate: 600,
    now: () => clock.now,
    // Shared with other test files: a slow answer of Redis is not what these are about.
    storeTimeoutMs: { get: 1000, set: 1000 },
    ...site.options,
    refresh: { queue: queuePath === null ? undefined : queueAt(queuePath, site.queue), ...site.options?.refresh },
  })
  const seen = new Map<string, number>()
  const app = await framework.start({
    cache,
    visitors: new AsyncLocalStorage(),
    ...(site.before === undefined ? {} : { before: site.before }),
    routes: site.routes ?? { '*': { answer } },
    async render(path, route, given) {
      const at = path === '*' ? given.url : path
      const n = (seen.get(at) ?? 0) + 1
      seen.set(at, n)
      const exchange = { ...given, path: at, n, visitor: undefined }
      renders.push(exchange)
      const reply = route.answer === undefined ? answer : route.answer
      return (reply as (exchange: Exchange) => Reply)(exchange)
    },
  })
  cache.attach(app.server)
  const events: Site['events'] = []
  for (const event of EVENTS) cache.on(event, (told) => void events.push({ ...told, event }))
  const client = makeClient(app.server)
  onTestFinished(async () => {
    client.close()
    await app.close()
    await cache.close()
  })
  return {
    cache,
    client,
    events,
    renders,
    visit: (path, headers = {}) => client.visit(path, headers).done,
    count: (event, reason) =>
      events.filter((told) => told.event === event && (reason === undefined || told.reason === reason)).length,
  }
}

let names = 0

/** A name that no other test has: keys and queues of its own. */
export const freshName = (): string => `t${process.pid}-${names++}`

export interface Pair {
  readonly web: Site
  readonly worker: Site
  readonly clock: Clock
  readonly name: string
}

/** A web process and a worker, which does not work yet. */
export async function startPair(options: Partial<SiteOptions> = {}): Promise<Pair> {
  const shared = { clock: new Clock(), name: freshName(), ...options }
  return { web: await startSite('web', shared), worker: await startSite('worker', shared), ...shared }
}

/** Waits for what another process does. */
export const soon = (holds: () => unknown, timeout = 10_000): Promise<unknown> =>
  vi.waitFor(holds, { timeout, interval: 20 })
