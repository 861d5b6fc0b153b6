import { type Cacheback, type CachebackOptions, createCacheback, type Membership } from '@cacheback/core'
import { type RedisStore, redisStore } from '@cacheback/redis'
import { createClient } from '@redis/client'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { onTestFinished } from 'vitest'
import { type Got, makeClient } from '../support/client.ts'
import { makeGate, type Gate } from '../support/gate.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import type { Fields } from '../support/reply.ts'
import { redisCommand, redisKeys } from './redis-command.ts'
import { eventually } from './redis-traffic.ts'

/** A Redis of one's own, and what can be said to it past the caches. */
export interface OwnRedis {
  readonly server: RedisServer
  readonly path: string
  readonly say: (...words: string[]) => Promise<string>
  readonly keys: (part: string) => Promise<string[]>
  /** Removes what has this in its name. Resolves with how many keys that were. */
  readonly remove: (part: string) => Promise<number>
}

export async function ownRedis(args: string[] = []): Promise<OwnRedis> {
  const server = await startRedis({ args })
  onTestFinished(server.stop)
  return redisAt(server)
}

export function redisAt(server: RedisServer): OwnRedis {
  const path = server.socketPath
  const keys = async (part: string): Promise<string[]> => (await redisKeys(path)).filter((key) => key.includes(part))
  return {
    server,
    path,
    say: (...words) => redisCommand(path, words),
    keys,
    async remove(part) {
      const found = await keys(part)
      if (found.length > 0) await redisCommand(path, ['DEL', ...found])
      return found.length
    },
  }
}

/** A cache as another process would have it: connections, clock and app of its own. */
export interface SharedCache {
  readonly cache: Cacheback
  readonly member: Membership
  ask: (path: string, headers?: Fields) => Promise<Got>
  /** The same, and then all that goes on behind the visitor's back. */
  settle: (path: string, headers?: Fields) => Promise<Got>
  /** Resolves when the store has answered so many beats that begin from now on. */
  beats: (count: number) => Promise<unknown>
}

export interface SharedCacheInput {
  readonly app: RequestListener
  /** Of this process, and of the store as it sees that. Default: the system's. */
  readonly clock?: { readonly now: number }
  readonly options?: CachebackOptions
  /** Changes the calls of the store before any is made. */
  readonly alter?: (member: Membership) => void
}

export async function startSharedCache({ path }: OwnRedis, input: SharedCacheInput): Promise<SharedCache> {
  const { app, clock, options = {}, alter } = input
  const store = storeOf(path)
  let beats = 0
  let beaten = 0
  const joined = Promise.withResolvers<Membership>()
  const join = store.join.bind(store)
  store.join = (party) => {
    const member = join(party)
    if (clock !== undefined) member.time = async () => clock.now
    alter?.(member)
    const beat = member.beat.bind(member)
    member.beat = async () => {
      const number = (beats += 1)
      const state = await beat()
      beaten = Math.max(beaten, number)
      return state
    }
    joined.resolve(member)
    return member
  }
  await store.ready()
  const cache = createCacheback({
    store,
    maxAge: 60,
    // A busy machine is no slow store: that would be another fault.
    storeTimeoutMs: { get: 1000, set: 1000 },
    ...(clock !== undefined && { now: () => clock.now }),
    ...options,
  })
  const { visit } = await serve(cache, app)
  const site: SharedCache = {
    cache,
    member: await joined.promise,
    ask: visit,
    async settle(page, headers) {
      const got = await visit(page, headers)
      await cache.idle()
      return got
    },
    async beats(count) {
      const until = beats + count
      await eventually(`${count} beats`, 1000 * count, () => beaten >= until)
    },
  }
  await eventually('it hears its own beat', 2000, async () => {
    await site.member.beat()
    return site.member.hears
  })
  return site
}

async function serve(cache: Cacheback, app: RequestListener): Promise<{ visit: SharedCache['ask'] }> {
  const server = createServer(cache.listener(app))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = makeClient(server)
  onTestFinished(async () => {
    client.close()
    server.closeAllConnections()
    server.close()
    await cache.close()
  })
  return { visit: (path, headers) => client.visit(path, headers).done }
}

/** An app whose pages say what it has said last, and how often it was asked. */
export interface CountingApp {
  readonly app: RequestListener
  readonly renders: number
  /** What it says of a request from now on; by default the number of its renders. */
  say: string | undefined
  fields: Fields
  /** Renders that begin from now on wait here. */
  gate: Gate | undefined
  /** What is answered before anything else, perhaps. */
  before: ((request: IncomingMessage) => number | undefined) | undefined
}

export function countingApp(fields: Fields = { 'Cache-Tag': 't' }): CountingApp {
  let renders = 0
  const counting: CountingApp = {
    fields,
    say: undefined,
    gate: undefined,
    before: undefined,
    get renders() {
      return renders
    },
    app(request, response) {
      renders += 1
      // Read before it waits, as a handler does who asks a slow database.
      const language = request.headers['accept-language']
      const said = counting.say ?? `v${renders}`
      const answer = async (): Promise<void> => {
        await counting.gate?.()
        for (const [name, value] of Object.entries(counting.fields)) response.setHeader(name, value)
        const status = counting.before?.(request)
        if (status !== undefined) response.statusCode = status
        response.end(status === undefined ? `${said}${language === undefined ? '' : ` ${language}`}` : undefined)
      }
      void answer()
    },
  }
  return counting
}

/** What the app says from now on waits until it is opened. */
export function holdRenders(counting: CountingApp): Gate {
  const gate = makeGate()
  counting.gate = gate
  return gate
}

export const storeOf = (path: string): RedisStore =>
  redisStore({ client: createClient({ socket: { path, tls: false } }), prefix: 'shared:' })
