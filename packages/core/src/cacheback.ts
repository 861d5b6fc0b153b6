import type { RequestListener, Server } from 'node:http'

import type { RefreshJob } from './engine/job-queue.ts'
import type { StoredResponse } from './engine/stored-response.ts'
import {
  CachebackError,
  closed,
  invalidOption,
  invalidUrl,
  noQueue,
  noSharedStore,
  severalCachesMessage,
  warnOnce,
} from './errors.ts'
import type { Cached } from './functions/function-options.ts'
import { type AnyArgs, type AnyOptions, readFunctionRules } from './functions/function-settings.ts'
import { faceOf } from './functions/wrap.ts'
import { createServerFor, inFrontOf } from './node/front.ts'
import { renderRequest } from './node/render-request.ts'
import { type CachebackOptions } from './options.ts'
import { checkWarmOptions, checkWorkOptions, readSettings } from './settings.ts'
import type { RequestHead } from './policy/fields.ts'
import { bypassReason } from './policy/eligible.ts'
import { keyOf } from './policy/key.ts'
import { readSelector } from './policy/selector.ts'
import { URL_JOB, type UrlJob, readUrlJob, urlJob } from './road/url-job.ts'
import { Road } from './road/road.ts'
import type { Route } from './road/routes.ts'
import type {
  CacheWorker,
  Cacheback,
  EventListener,
  EventName,
  InspectedVariant,
  Inspection,
  PurgeOptions,
  PurgeReport,
  ScheduledRefresh,
  Selector,
  ServerFactory,
  Stats,
  WarmItem,
  WarmOptions,
  WarmResult,
  WorkOptions,
} from './types.ts'
import { warmAll } from './warm.ts'

const CLOSE_TIMEOUT_MS = 1000

/** Makes a response cache. Throws CachebackError for options that are unknown, ill-typed or contradictory. */
export function createCacheback(options: CachebackOptions = {}): Cacheback {
  return new ResponseCache(options)
}

/** The face that applications see; the road behind it is what adapters use. */
export class ResponseCache implements Cacheback {
  readonly road: Road
  #closing: Promise<void> | undefined

  constructor(options: CachebackOptions) {
    this.road = new Road(readSettings(options), options)
    this.road.jobs.handle(URL_JOB, (payload, signal) => this.#performUrl(payload, signal))
  }

  attach(target: Server | RequestListener): this {
    this.road.background.attach(target)
    return this
  }

  listener(app: RequestListener): RequestListener {
    const listener = inFrontOf(app, (visit) => this.road.enterFront(visit))
    this.road.background.attachIfNone(listener)
    return listener
  }

  readonly serverFactory: ServerFactory = (handler, options = {}) => {
    const server = createServerFor(this.listener(handler), options)
    this.attach(server)
    return server
  }

  wrap(fn: (...args: AnyArgs) => unknown, options: AnyOptions = {}): Cached<AnyArgs, unknown, unknown> {
    if (typeof fn !== 'function') throw invalidOption('wrap(fn)', 'a function', fn)
    const rules = readFunctionRules(options, fn.name)
    return faceOf(this.road.functions.add(rules, (self, args) => fn.apply(self, [...args])))
  }

  async purge(selector: Selector, options: PurgeOptions = {}): Promise<PurgeReport> {
    const read = readSelector(selector)
    const { library, journal } = this.road
    journal.note('purge', () => ({ key: JSON.stringify(selector), route: undefined }))
    return library.purge(read, options.soft === true)
  }

  refresh(url: string, headers: Readonly<Record<string, string>> = {}): Promise<boolean> {
    return this.#render(url, headers)
  }

  async #render(url: string, headers: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<boolean> {
    if (this.#closing !== undefined) throw closed()
    // Whatever selects among the variants is named by the caller; all of it is carried.
    const selecting = Object.entries(headers).flatMap(([name, value]) =>
      name.toLowerCase() === 'cookie' ? [] : [name.toLowerCase(), value],
    )
    const { background } = this.road
    for (let route = this.#routeOf(url); route.rules !== false;) {
      const { rules } = route
      const key = keyOf(headOfUrl(url, headers), rules)
      const carried = selecting.filter((_, index) => index % 2 === 0)
      const plan = { key, route, rules, authorized: false, carried }
      const isStored = await background.renderNow(plan, renderRequest(key, selecting), signal)
      // The render may have found out by which rules this path really goes.
      const found = this.#routeOf(url)
      if (isStored || found === route) return isStored
      route = found
    }
    return false
  }

  async warm(items: readonly WarmItem[], options: WarmOptions = {}): Promise<WarmResult> {
    checkWarmOptions(options)
    if (this.#closing !== undefined) throw closed()
    // Once for all, and not as many failures as there are URLs.
    if (items.some((item) => typeof item !== 'function')) void this.road.background.attached
    const make = async (item: WarmItem): Promise<boolean> => {
      if (typeof item === 'string') return this.refresh(item)
      if (typeof item === 'object') return this.refresh(item.url, item.headers)
      await item()
      return true
    }
    return warmAll(items, make, options)
  }

  work(options: WorkOptions = {}): CacheWorker {
    checkWorkOptions(options)
    const { jobs, settings, background, functions, library } = this.road
    const { queue = settings.refresh.queue, concurrency = 4, schedule } = options
    if (this.#closing !== undefined) throw closed()
    if (queue === undefined) throw noQueue()
    if (!library.hasStore) throw noSharedStore()
    // Whoever has functions may want a worker for those alone.
    if (functions.size === 0) void background.attached
    const scheduled = schedule?.map((item) => ({ ...this.#scheduledJob(item), everyMs: item.every * 1000 }))
    const worker = jobs.work(queue, { concurrency })
    if (scheduled !== undefined) jobs.schedule(queue, scheduled)
    return worker
  }

  #scheduledJob(item: ScheduledRefresh): RefreshJob {
    if ('call' in item) return this.road.functions.scheduledJob(item.call, item.args ?? [])
    const { url, headers = {} } = item
    void this.road.background.attached
    // What is scheduled stands in the queue for all to read.
    if (this.#wouldBypass({ url, headers })) {
      throw invalidOption('schedule', 'requests that a visitor could be answered from the cache for', url)
    }
    return urlJob(url, headers)
  }

  /** A scheduled refresh. What the app answers to it is its own affair: the next one comes by itself. */
  async #performUrl(payload: unknown, signal: AbortSignal): Promise<void> {
    const job = readUrlJob(payload)
    try {
      if (job === undefined || this.#wouldBypass(job)) throw invalidUrl(payload)
      await this.#render(job.url, job.headers, signal)
    } catch (error) {
      if (!(error instanceof CachebackError) || error.code !== 'CACHEBACK_INVALID_URL') throw error
      this.road.journal.note('refresh-dropped', () => ({ key: '', route: undefined, reason: 'job-form' }))
    }
  }

  /** Whether it is a request that no visitor would have been answered from the cache for. */
  #wouldBypass({ url, headers }: UrlJob): boolean {
    const { rules } = this.#routeOf(url)
    const head = headOfUrl(url, headers)
    return head.headers.authorization !== undefined || (rules !== false && bypassReason(head, rules) !== undefined)
  }

  async inspect(url: string): Promise<Inspection | undefined> {
    const head = headOfUrl(url, {})
    const { library } = this.road
    const { rules } = this.#routeOf(url)
    await library.catchingUp
    const read = rules === false ? undefined : await library.read(keyOf(head, rules), head)
    const held = library.selected(readSelector({ url }))
    // Without copies in memory, what the store has for a request without selecting headers must do.
    const all =
      read === undefined || held.some((response) => response.variant === read.variant) ? held : [read, ...held]
    const responses = all.toSorted((a, b) => b.parts.receivedAt - a.parts.receivedAt)
    const [youngest] = responses
    if (youngest === undefined) return undefined
    const variants = responses.map((response) => inspected(response, library.namespace))
    return { ...inspected(youngest, library.namespace), variants }
  }

  stats(): Stats {
    const { journal, library, background, capturing } = this.road
    return {
      events: { ...journal.events },
      bypasses: { ...journal.bypasses },
      memory: { bytes: library.memory.bytes, entries: library.memory.entries },
      capturing,
      refresh: { queued: background.queued, running: background.running },
      breaker: library.breakerState,
      sharing: library.sharing?.state,
    }
  }

  on(event: EventName, listener: EventListener): () => void {
    return this.road.journal.on(event, listener)
  }

  async idle(): Promise<void> {
    const { background, dispatch, jobs, library } = this.road
    const isIdle = (): boolean => jobs.isIdle && dispatch?.isIdle !== false && background.isIdle && library.isIdle
    do {
      await jobs.idle()
      await dispatch?.idle()
      await background.idle()
      await library.idle()
    } while (!isIdle())
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { background, dispatch, functions, jobs, library } = this.road
    this.road.close()
    dispatch?.close()
    await jobs.close()
    background.close()
    functions.close()
    const timer = new Promise<void>((resolve) => {
      setTimeout(resolve, CLOSE_TIMEOUT_MS).unref()
    })
    await Promise.race([this.idle(), timer])
    await library.close()
  }

  /** The route by which a URL was last answered, else the cache's own. */
  #routeOf(url: string): Route {
    const { headers, target } = headOfUrl(url, {})
    return this.road.routes.recorded(headers.host ?? '', target.split('?', 1)[0]!) ?? this.road.routes.base
  }
}

/** The request for an absolute URL as a visitor would send it. Throws CACHEBACK_INVALID_URL. */
function headOfUrl(url: string, headers: Readonly<Record<string, string>>): RequestHead {
  const parts = /^(https?):\/\/([^/?#]+)([^#]*)$/i.exec(typeof url === 'string' ? url : '')
  // What a request line cannot carry can be no URL of a visitor's.
  if (parts === null || !/^[\u0021-\u00ff]+$/.test(url)) throw invalidUrl(url)
  const [, scheme, host, rest] = parts as unknown as [string, string, string, string]
  const own = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  const all = Object.fromEntries([['host', host], ...own])
  return {
    method: 'GET',
    secure: scheme.toLowerCase() === 'https',
    target: rest.startsWith('/') ? rest : `/${rest}`,
    rewritten: undefined,
    headers: all,
    rawHeaders: Object.entries(all).flat(),
  }
}

function inspected(response: StoredResponse, namespace: string): InspectedVariant {
  const { selecting, status, place, receivedAt } = response.parts
  const { freshUntil, staleUntil, errorUntil } = response.freshness
  const pairs: [string, string | null][] = []
  for (let i = 0; i < selecting.length; i += 2) pairs.push([selecting[i]!, selecting[i + 1]!])
  return {
    key: response.storeKey(namespace),
    selecting: Object.fromEntries(pairs),
    status,
    route: place.route,
    tags: [...place.tags],
    storedAt: receivedAt,
    freshUntil,
    usableUntil: Math.max(freshUntil, staleUntil, errorUntil),
    size: response.size,
    hits: response.hits,
  }
}

let built = 0

/** The cache that a middleware was given, or one made from the options it was given instead. */
export function cacheFrom(given: Cacheback | CachebackOptions): ResponseCache {
  if (given instanceof ResponseCache) return given
  built += 1
  if (built > 1) warnOnce('CACHEBACK_SEVERAL_CACHES', severalCachesMessage)
  return new ResponseCache(given as CachebackOptions)
}
