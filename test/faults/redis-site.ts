import { type Cacheback, type CachebackOptions, createCacheback } from '@cacheback/core'
import { AsyncLocalStorage } from 'node:async_hooks'
import { onTestFinished } from 'vitest'
import type { Framework, FrameworkName } from '../support/app.ts'
import { type Client, makeClient, type Got } from '../support/client.ts'
import { expressFramework } from '../support/express.ts'
import { fastify } from '../support/fastify.ts'
import { koa } from '../support/koa.ts'
import { type Proxy, startProxy } from '../support/proxy.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { cacheControl, type Reply, text } from '../support/reply.ts'
import { careful, type SiteStore, type StoreMaker } from './redis-adapters.ts'

/** Deadline of a read, where nobody asks for another. */
export const READ_MS = 50

/** What an app says of a path. */
export type Origin = (path: string, n: number) => Reply | Promise<Reply>

/** An app as a visitor sees it. */
export interface Control {
  readonly label: string
  visit: (path: string) => Promise<Got>
}

/** One process with one app, as far as a store can tell. */
export interface RedisSite extends Control {
  /** Whether it keeps copies in memory. */
  readonly hasMemory: boolean
  readonly cache: Cacheback
  readonly calls: SiteStore['calls']
  readonly clients: SiteStore['clients']
  readonly send: Client['visit']
  /** How often the handler has run. */
  readonly renders: () => number
  readonly close: () => Promise<void>
}

export interface SiteInput {
  readonly framework: FrameworkName
  readonly hasMemory: boolean
  readonly store: SiteStore
  readonly origin?: Origin
  readonly options?: CachebackOptions
}

export interface Servers {
  readonly redis: RedisServer
  readonly proxy: Proxy
}

export interface Scene extends Servers {
  readonly sites: RedisSite[]
  readonly controls: Control[]
}

const FRAMEWORKS: Record<FrameworkName, Framework> = { fastify, express: expressFramework, koa }
const NAMES = Object.keys(FRAMEWORKS) as FrameworkName[]

/** Every page says which it is, so that another's is found out. */
export const page: Origin = (path, n) => text(`page ${path} render ${n}`, cacheControl('max-age=600'))

/** A Redis that may be killed, and the proxy before it. */
export async function startServers(args: string[] = []): Promise<Servers> {
  const redis = await startRedis({ args })
  onTestFinished(redis.stop)
  const proxy = await startProxy(redis.socketPath)
  onTestFinished(proxy.close)
  return { redis, proxy }
}

/** Six processes with one Redis: all three frameworks, each with copies in memory and without. */
export async function startScene(args: string[] = [], make: StoreMaker = careful): Promise<Scene> {
  const servers = await startServers(args)
  const sites = await startSites(() => make(servers.proxy.port))
  return { ...servers, sites, controls: await startControls() }
}

export async function startSites(make: () => SiteStore, options: CachebackOptions = {}): Promise<RedisSite[]> {
  const all = NAMES.flatMap((framework) => [true, false].map((hasMemory) => ({ framework, hasMemory })))
  return Promise.all(all.map((each) => startSite({ ...each, store: make(), options })))
}

export async function startSite(input: SiteInput): Promise<RedisSite> {
  const { framework, hasMemory, origin = page } = input
  const { store, calls, clients } = input.store
  const cache = createCacheback({ store, ...(hasMemory ? {} : { memory: false }), ...input.options })
  const label = `${framework}${hasMemory ? '' : ', no copies'}`
  return { label, hasMemory, cache, calls, clients, ...(await serve(framework, cache, origin)) }
}

/** The same apps without a store: what a visit costs there is what it costs. */
export const startControls = (): Promise<Control[]> =>
  Promise.all(NAMES.map(async (name) => ({ label: name, ...(await serve(name, createCacheback(), page)) })))

type Served = Pick<RedisSite, 'visit' | 'send' | 'renders' | 'close'>

async function serve(name: FrameworkName, cache: Cacheback, origin: Origin): Promise<Served> {
  let renders = 0
  const app = await FRAMEWORKS[name].start({
    cache,
    visitors: new AsyncLocalStorage<string>(),
    routes: { '*': text('') },
    async render(_path, _route, { url }) {
      renders += 1
      return origin(url, renders)
    },
  })
  const client = makeClient(app.server)
  let closing: Promise<void> | undefined
  const closeAll = async (): Promise<void> => {
    client.close()
    await app.close()
    await cache.close()
  }
  const close = (): Promise<void> => (closing ??= closeAll())
  onTestFinished(close)
  return { visit: (path) => client.visit(path).done, send: client.visit, renders: () => renders, close }
}
