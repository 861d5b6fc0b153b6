import type { RequestListener, Server } from 'node:http'

import type { AnyFunction, CachedOf, FunctionMethods, OptionsOf } from './functions/function-options.ts'
import type { JobQueue } from './engine/job-queue.ts'

/** What a purge removes. A URL or prefix that is absolute means that host (any scheme), a path means every host. */
export type Selector =
  | { readonly url: string }
  | { readonly route: string }
  | { readonly prefix: string }
  | { readonly tag: string }
  | { readonly all: true }

export interface PurgeOptions {
  /** `true`: what is selected becomes stale instead of being removed, so that it is still served while it is refreshed (within its stale-while-revalidate window). Default: false. */
  readonly soft?: boolean | undefined
}

/** How far a purge has got. */
export interface PurgeReport {
  /** Processes in which it holds, this one included. */
  readonly acknowledged: number
  /** Processes that were alive a moment ago and have not acknowledged it within a quarter of a second; their copies may be `memory.maxStalenessMs` behind. */
  readonly missing: number
}

/** What a process knows of the others behind a shared store. */
export interface SharingState {
  /** Whether word of other processes arrives as it is sent. */
  readonly hears: boolean
  /** Milliseconds since the store last said that nothing is missing here: no copy in memory is further behind. Infinity before its first answer. */
  readonly behindMs: number
  /** Processes that were alive a moment ago, this one included. */
  readonly processes: number
}

export const EVENTS = [
  'hit',
  'stale',
  'miss',
  'bypass',
  'store',
  'refresh',
  'refresh-failed',
  'refresh-dropped',
  'refresh-sent',
  'evict',
  'purge',
  'store-error',
  'breaker',
  'queue-error',
] as const

export type EventName = (typeof EVENTS)[number]

export interface CacheEvent {
  /** The store key of the response; a selector as JSON for `purge`; empty for `breaker`. */
  readonly key: string
  /** The route, where it is known. */
  readonly route: string | undefined
  /** Why: the same words as in `detail` of Cache-Status. */
  readonly reason?: string | undefined
  /** Milliseconds that a render or a store call took. */
  readonly durationMs?: number | undefined
  /** What a function has thrown, where its refresh has failed. */
  readonly error?: unknown
}

export type EventListener = (event: CacheEvent) => void

export interface Stats {
  /** How often each event has happened. */
  readonly events: Readonly<Record<EventName, number>>
  /** How many requests bypassed the cache, by reason. */
  readonly bypasses: Readonly<Record<string, number>>
  readonly memory: {
    /** Bytes held: body, head, key and 900 bytes an entry, which is what Node takes for it. */
    readonly bytes: number
    /** Responses held. */
    readonly entries: number
  }
  /** Bytes of responses that are being captured at this moment. */
  readonly capturing: number
  readonly refresh: {
    /** Refreshes that wait. */
    readonly queued: number
    /** Refreshes under way. */
    readonly running: number
  }
  /** The circuit breaker before the store: `closed` is normal, `open` means that the store is left alone for a moment. `none`: there is no store. */
  readonly breaker: 'none' | 'closed' | 'open' | 'half-open'
  /** The other processes; undefined where the store is none that can be shared (see @cacheback/redis). */
  readonly sharing: SharingState | undefined
}

/** One stored response, as `inspect` shows it. Times are milliseconds since 1970. */
export interface InspectedVariant {
  /** The store key. */
  readonly key: string
  /** The request headers that selected it, and their values; null where the header was absent. */
  readonly selecting: Readonly<Record<string, string | null>>
  readonly status: number
  readonly route: string | undefined
  readonly tags: readonly string[]
  /** When the response was received from the app. */
  readonly storedAt: number
  /** Until when it is fresh. */
  readonly freshUntil: number
  /** Until when it may be served at all, stale included. */
  readonly usableUntil: number
  /** Bytes of body, head and key. */
  readonly size: number
  /** How often this process has served it since it was stored or read from the store. */
  readonly hits: number
}

/** What `inspect` tells: the youngest response stored for a URL, and all of them. */
export interface Inspection extends InspectedVariant {
  readonly variants: readonly InspectedVariant[]
}

/** What Fastify hands to a `serverFactory`: its handler, and its options. */
export type ServerFactory = (handler: RequestListener, options?: ServerOptions) => Server

/** Those of Fastify's options that make its server. */
export interface ServerOptions {
  readonly http?: object | null | undefined
  readonly https?: object | boolean | null | undefined
  readonly keepAliveTimeout?: number | undefined
  readonly requestTimeout?: number | undefined
  readonly connectionTimeout?: number | undefined
  readonly maxRequestsPerSocket?: number | undefined
}

/** What is to be made and stored: a URL, with selecting headers and keyed cookies if it has any, or a call of a wrapped function. */
export type WarmItem =
  | string
  | { readonly url: string; readonly headers?: Readonly<Record<string, string>> | undefined }
  | (() => Promise<unknown>)

export interface WarmOptions {
  /** How many are made at once. Default: 4. */
  readonly concurrency?: number | undefined
  /** Called after each. One that throws is ignored. */
  readonly onProgress?: ((progress: WarmProgress) => void) | undefined
}

export interface WarmProgress {
  /** The last one. */
  readonly item: WarmItem
  /** How many have been made, or have failed. */
  readonly done: number
  readonly total: number
  readonly stored: number
  readonly failed: number
}

export interface WarmResult {
  /** How many are stored now. */
  readonly stored: number
  /** What is not, and the error if there was one: without it, the app's answer was not one to be stored. */
  readonly failed: readonly { readonly item: WarmItem; readonly error: unknown }[]
}

/** What workers refresh again and again: a URL, or a call of a cached function. */
export type ScheduledRefresh = ScheduledUrl | ScheduledCall

export interface ScheduledUrl {
  /** Absolute, as it is sent. */
  readonly url: string
  /** Selecting headers and keyed cookies, if any. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Seconds from one refresh to the next. */
  readonly every: number
}

export interface ScheduledCall {
  /** A function that this cache has wrapped, or a Job. */
  readonly call: Pick<FunctionMethods<never, unknown>, 'keyOf'>
  /** Its arguments: only such as a worker gets as they are, no instances of classes. Default: none. */
  readonly args?: readonly unknown[] | undefined
  /** Seconds from one refresh to the next. */
  readonly every: number
}

export interface WorkOptions {
  /** Where jobs come from. Default: the cache's own `refresh.queue`. */
  readonly queue?: JobQueue | undefined
  /** How many refreshes run at once. Default: 4. */
  readonly concurrency?: number | undefined
  /** What is refreshed whether anybody asks for it or not; what was scheduled before and is not named any more ends. Default: what is scheduled stays as it is. */
  readonly schedule?: readonly ScheduledRefresh[] | undefined
}

/** A worker of this process. */
export interface CacheWorker {
  /** Takes no more jobs, gives those that run half a second to end, and aborts them. Never rejects. `cache.close()` does the same. */
  close(): Promise<void>
}

/** A response cache. Make one with createCacheback(). */
export interface Cacheback {
  /**
   * Names the server (or request listener) through which pages are rendered when no visitor's request names one:
   * for `refresh(url)`. Returns this cache.
   */
  attach(target: Server | RequestListener): this
  /**
   * Puts the cache in front of a whole app: `http.createServer(cache.listener(app))`, with any request listener (Express,
   * Koa's `callback()`, plain node:http). A hit is answered before the app sees the request: none of its middleware runs
   * (authentication, rate limits, access logs). Requests that carry credentials (Authorization, a header of
   * `credentials`, cookies unless the route ignores them) go in, and so do those for routes with `inFront: false`.
   * Routes' own options are known once a request has reached them.
   */
  listener(app: RequestListener): RequestListener
  /** The same for Fastify: `Fastify({ serverFactory: cache.serverFactory })`, and the plugin with `{ cache }`. */
  readonly serverFactory: ServerFactory
  /**
   * A function of the same arguments whose values are cached: fresh for `maxAge`, then given stale while the function is
   * called in the background. What it returns is what structured cloning makes of it: plain data is frozen and shared by
   * all callers, other values (a Date, a Map) are each caller's own. Throws CACHEBACK_INVALID_OPTION,
   * CACHEBACK_UNKNOWN_OPTION, and CACHEBACK_NAME_TAKEN for a second function of one name.
   */
  wrap<F extends AnyFunction, Out = Awaited<ReturnType<F>>>(
    fn: F,
    options?: OptionsOf<F, never, Out> & { fetchOnMiss?: true | undefined },
  ): CachedOf<F, Out>
  wrap<F extends AnyFunction, Empty = undefined, Out = Awaited<ReturnType<F>> | Empty>(
    fn: F,
    options: OptionsOf<F, Empty, Out> & { fetchOnMiss: boolean | ((...args: Parameters<F>) => boolean) },
  ): CachedOf<F, Out>
  /**
   * Removes stored responses, also those that are being rendered at this moment. With a plain store it reaches other
   * processes within a second, and resolves when this process and the store have taken it in. With @cacheback/redis it
   * resolves when every process that is alive has acknowledged it, or after 250 ms, with how many have. Rejects with
   * CACHEBACK_INVALID_SELECTOR for a bad selector, and with the store's error if the mark could not be written
   * (it holds in this process all the same).
   */
  purge(selector: Selector, options?: PurgeOptions): Promise<PurgeReport>
  /**
   * Renders a URL now and stores it. `url` is absolute, written as it is sent; `headers` are the selecting headers and keyed cookies, if any.
   * Resolves with whether it was stored. Throws CACHEBACK_NO_RENDERER without a server, CACHEBACK_INVALID_URL for a bad URL.
   */
  refresh(url: string, headers?: Readonly<Record<string, string>>): Promise<boolean>
  /**
   * Makes and stores a list of things, such as after a start: URLs are rendered as by `refresh(url)`, functions are called.
   * Resolves when all have been made or have failed; rejects only with CACHEBACK_NO_RENDERER, CACHEBACK_CLOSED or
   * CACHEBACK_INVALID_OPTION.
   */
  warm(items: readonly WarmItem[], options?: WarmOptions): Promise<WarmResult>
  /**
   * Makes this process a worker: it takes the refreshes that others send (`refresh: { queue }`) and makes them: pages through
   * the attached server (a worker of functions alone needs none), functions by their names. Throws CACHEBACK_NO_QUEUE, CACHEBACK_NO_SHARED_STORE, CACHEBACK_NO_RENDERER, CACHEBACK_INVALID_URL,
   * CACHEBACK_INVALID_OPTION or CACHEBACK_CLOSED.
   */
  work(options?: WorkOptions): CacheWorker
  /** What is stored for an absolute URL, or undefined. Throws CACHEBACK_INVALID_URL. */
  inspect(url: string): Promise<Inspection | undefined>
  /** Counters and gauges of this process. */
  stats(): Stats
  /** Listens to an event; returns a function that stops it. A listener that throws is caught. Throws CACHEBACK_UNKNOWN_EVENT. */
  on(event: EventName, listener: EventListener): () => void
  /** Resolves when nothing goes on behind the visitors: no refresh queued or running, no write to the store. */
  idle(): Promise<void>
  /** Ends refreshes, then the store (its connection too). Requests pass uncached from then on. Never rejects; takes three seconds at most. */
  close(): Promise<void>
}
