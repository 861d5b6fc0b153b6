import { createCacheback, type Cacheback, type CachebackOptions } from '@cacheback/core'
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Server } from 'node:http'
import { Socket } from 'node:net'
import { describe, onTestFinished, test } from 'vitest'
import { type Answer, type Description, type Framework, type FrameworkName, type Route, type Seen } from './app.ts'
import { type Client, makeClient, type Got, type Visit, type VisitOptions } from './client.ts'
import { Clock } from './clock.ts'
import { type Gate, makeGate } from './gate.ts'
import { type Fields, type Reply, text } from './reply.ts'
import { type Backing, makeBacking, STORES, type StoreName } from './stores.ts'

/** In whose name a handler runs. One for all apps: before Node 24 each makes every promise a little slower. */
const visitors = new AsyncLocalStorage<string>()

/** One running app, seen from the street. */
export interface Site {
  readonly server: Server
  readonly cache: Cacheback
  /**
   * A visitor comes and goes, and what his visit has started behind him comes to its end too. `request` is `/path` or
   * `METHOD /path`, sent as it stands. Never rejects.
   */
  ask: (request: string, headers?: Fields, options?: VisitOptions) => Promise<Got>
  /** The same, under way: for scenarios in which something is held. */
  visit: Client['visit']
  /** So many visitors at once. */
  crowd: (count: number, request: string, headers?: Fields) => Promise<Got>[]
  send: Client['send']
  /** Resolves when so many visitors have come, counting all that ever came. */
  arrived: (count: number) => Promise<void>
  /** How often the handler of a route has run; of all routes without a name. */
  renders: (path?: string) => number
  seen: (path?: string) => readonly Seen[]
  close: () => Promise<void>
}

export interface Stage {
  readonly framework: Framework
  readonly store: StoreName
  readonly clock: Clock
  /** Starts an app; a second one in the same scenario is another process with the same store behind it. */
  serve: (description: Description) => Promise<Site>
  /** The options that `serve` gives to a cache, for scenarios that make their own. */
  options: (more?: CachebackOptions) => Promise<CachebackOptions>
  /** Opens by itself when the scenario ends. */
  gate: () => Gate
}

/** Where a scenario plays. Every limit has its reason, which stands in the name of the test. */
export interface Limits {
  readonly stores?: readonly StoreName[]
  readonly frameworks?: readonly FrameworkName[]
  readonly because: string
}

type Script = (stage: Stage) => Promise<void>

interface Scenario {
  readonly id: string
  readonly title: string
  readonly limits: Limits | undefined
  readonly script: Script
}

const scenarios = new Map<string, Scenario>()

/** A behaviour: a stable id, a sentence, and a script that reads: the origin says, the visitor asks, expected. */
export function scenario(id: string, title: string, script: Script): void
export function scenario(id: string, title: string, limits: Limits, script: Script): void
export function scenario(id: string, title: string, limits: Limits | Script, script?: Script): void {
  if (scenarios.has(id)) throw new Error(`Two scenarios are called ${id}.`)
  if (typeof limits === 'function') scenarios.set(id, { id, title, limits: undefined, script: limits })
  else scenarios.set(id, { id, title, limits, script: script! })
}

/** Where the store plays no part, or would only be in the way: the scenario brings its own, or counts bytes. */
export const anyStore: Limits = { stores: ['memory'], because: 'the store plays no part' }
export const sharedStore: Limits = { stores: ['keyv', 'redis', 'shared'], because: 'needs a store' }

/** What stands in front of an app differs by the app, not by the store. */
const FRONT_STORES: readonly StoreName[] = ['memory']

/** Plays all scenarios on one framework, over every store; `except`: ids and the reasons why not. */
export function playAll(framework: Framework, except: Readonly<Record<string, string>> = {}): void {
  for (const id of Object.keys(except)) if (!scenarios.has(id)) throw new Error(`There is no scenario ${id}.`)
  describe.each(framework.isInFront ? FRONT_STORES : STORES)(
    `${framework.name}${framework.isInFront ? ' in front' : ''} × %s`,
    (store) => {
      for (const { id, title, limits, script } of scenarios.values()) {
        if (limits?.stores?.includes(store) === false) continue
        if (except[id] !== undefined) continue
        if (limits?.frameworks?.includes(framework.name) === false) continue
        const where = limits?.frameworks ? ` (${limits.frameworks.join(', ')}: ${limits.because})` : ''
        test(`${id} ${title}${where}`, () => script(makeStage(framework, store)))
      }
    },
  )
}

function makeStage(framework: Framework, store: StoreName): Stage {
  const clock = new Clock()
  const gates: Gate[] = []
  const backing = makeBacking(store, clock)
  const options = (more?: CachebackOptions) => cacheOptions(clock, backing, more)
  const openAll = () => {
    for (const each of gates) each.open()
  }
  const gate = (): Gate => {
    const made = makeGate()
    gates.push(made)
    return made
  }
  const serve = async (description: Description): Promise<Site> => {
    const cache = description.cache ?? createCacheback(await options(description.options))
    const site = await makeSite(framework, { ...description, cache })
    onTestFinished(async () => {
      openAll()
      await site.close()
    })
    return site
  }
  return { framework, store, clock, serve, options, gate }
}

async function cacheOptions(clock: Clock, backing: Backing, more?: CachebackOptions): Promise<CachebackOptions> {
  return {
    now: () => clock.now,
    monotonicNow: () => clock.monotonic,
    // A busy machine is no slow store.
    storeTimeoutMs: { get: 3000, set: 3000 },
    ...(more?.store === undefined ? await backing() : {}),
    ...more,
  }
}

async function makeSite(framework: Framework, description: Description & { cache: Cacheback }): Promise<Site> {
  const { cache } = description
  const seenBy = new Map<string, Seen[]>()
  const app = await framework.start({
    ...description,
    visitors,
    async render(path, route, exchange) {
      const seen = seenBy.get(path) ?? []
      seenBy.set(path, seen)
      const now = {
        ...exchange,
        headers: { ...exchange.headers },
        path,
        n: seen.length + 1,
        visitor: visitors.getStore(),
      }
      seen.push(now)
      return reply(route, now)
    },
  })
  const client = makeClient(app.server)
  const arrivals = makeGate()
  // After the app's own listener: what the app and the cache do at once has been done.
  app.server.on('request', (request) => {
    if (request.socket instanceof Socket) void arrivals()
  })
  const seen = (path?: string): readonly Seen[] =>
    path === undefined ? [...seenBy.values()].flat() : (seenBy.get(path) ?? [])
  const site: Site = {
    server: app.server,
    cache,
    async ask(request, headers, visitOptions) {
      const got = await client.visit(request, headers, visitOptions).done
      await cache.idle()
      return got
    },
    visit: client.visit,
    crowd: (count, request, headers) => Array.from({ length: count }, () => client.visit(request, headers).done),
    send: client.send,
    arrived: arrivals.reached,
    renders: (path) => seen(path).length,
    seen,
    async close() {
      client.close()
      await app.close()
      await cache.close()
    },
  }
  return site
}

type Handler = Extract<Answer, (...parameters: never) => unknown>

function reply({ answer }: Route, exchange: Parameters<Handler>[0]): Reply | Promise<Reply> {
  if (typeof answer === 'function') return answer(exchange)
  if (!Array.isArray(answer)) return answer as Reply
  return (answer as readonly Reply[])[exchange.n - 1] ?? text('a render that no one expected', {}, 500)
}

export type { Visit }
