import type { IncomingMessage } from 'node:http'

import type { JobQueue } from './engine/job-queue.ts'
import type { Store } from './stores/store.ts'

/** Which query parameters are part of the key; the others are hidden from the handler as well. */
export type QueryRule = boolean | readonly string[] | { readonly ignore: readonly string[] }

/** What a request's cookies mean for the cache. */
export type CookieRule =
  | 'bypass'
  | 'ignore'
  | { readonly bypass: readonly string[] }
  | { readonly key: readonly string[] }

/** What `tags` sees of a response: its head. Names are lower-case; repeated fields are joined with `, `. */
export interface ResponseHead {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
}

/** Options that can be set for the whole cache and again for a route, where each replaces the cache's. */
export interface RouteOptions {
  /** Seconds that a 200 response stays fresh when it says nothing about it (RFC 9111 §4.2.1). Default: unset, so that only responses with explicit freshness are stored. */
  maxAge?: number | undefined
  /** Seconds after its lifetime in which a response is still served, stale, while it is refreshed (RFC 5861 §3). Default: unset (0). The response's own directive wins. */
  staleWhileRevalidate?: number | undefined
  /** Seconds after its lifetime in which a response stands in for a failing render (RFC 5861 §4). Default: unset (0). The response's own directive wins. */
  staleIfError?: number | undefined
  /** Request headers that are always part of the key, beside what a response's `Vary` names. Default: []. Throws CACHEBACK_CREDENTIAL_IN_VARY for cookie, authorization and names of `credentials`. */
  vary?: readonly string[] | undefined
  /** `true`: the raw query as sent; names: only these parameters, sorted by name; `{ ignore }`: all but these; `false`: none. Default: true. */
  query?: QueryRule | undefined
  /** `'bypass'`: a request with a Cookie is not cached; `'ignore'`: cookies play no part and are hidden from what is stored; `{ bypass: names }`: only these bypass; `{ key: names }`: these are part of the key. Default: 'bypass'. */
  cookies?: CookieRule | undefined
  /** Request headers that identify somebody; a request with one of them bypasses the cache. Default: see DEFAULT_CREDENTIALS. */
  credentials?: readonly string[] | undefined
  /** Tags of a response, for `purge({ tag })`, beside `Cache-Tag`, `Surrogate-Key` and `Cache-Groups` fields. If it throws, the response is not stored. Default: none. */
  tags?: ((request: IncomingMessage, response: ResponseHead) => readonly string[]) | undefined
  /** `true`: whatever may be stored is rendered from the keyed parts of the request alone. Default: false. */
  sealed?: boolean | undefined
  /** A request for which this returns true goes to the handler, uncached. If it throws, likewise. Default: none. */
  skip?: ((request: IncomingMessage) => boolean) | undefined
  /** `waitMs`: milliseconds that a request waits for another one's render of the same key before it renders alone; 0: never. Default: 5000. */
  collapse?: { readonly waitMs?: number | undefined } | undefined
  /** Milliseconds after which a render that a visitor waits for counts as failed (a stored response within `staleIfError`, else 504). Default: unset, no limit. */
  renderTimeoutMs?: number | undefined
  /** Milliseconds for which "not cacheable" is remembered for a key, so that its visitors do not wait for each other. Default: 120000. */
  hitForMissMs?: number | undefined
  /** Response fields that are passed on and not stored; a trailing `*` matches any rest. Default: see DEFAULT_OMIT. */
  omit?: readonly string[] | undefined
  /** Whether a stored response without a validator gets a strong ETag of its bytes. Default: true. */
  etag?: boolean | undefined
  /** Whether `Warning` (110, 111, 112) is sent with stale responses. Default: true. */
  warning?: boolean | undefined
  /** Whether `Cache-Status` (RFC 9211) is sent; `{ key: true }` adds the store key. Default: true. */
  cacheStatus?: boolean | { readonly key?: boolean | undefined } | undefined
  /** Seconds that a stored response with a validator is kept for validation after it may no longer be served (RFC 9111 §4.3). Default: 86400. */
  keep?: number | undefined
  /** Whether a response that names no lifetime but has a Last-Modified gets a tenth of its age (RFC 9111 §4.2.2). Default: false. */
  heuristic?: boolean | undefined
  /** Targeted fields (RFC 9213) in the order in which they are looked for, such as ['CDN-Cache-Control']; the first valid one replaces Cache-Control and Expires. Default: []. */
  targetedCacheControl?: readonly string[] | undefined
  /** Whether the client's own Cache-Control is honoured (RFC 9111 §5.2.1). Default: false. */
  requestCacheControl?: boolean | undefined
  /** Whether a response's No-Vary-Search is honoured (draft-ietf-httpbis-no-vary-search). Default: false. */
  noVarySearch?: boolean | undefined
  /** Whether QUERY requests are cached, with their content in the key (RFC 10008): up to 64 KiB of a declared length. Default: false. */
  queryMethod?: boolean | undefined
  /** Whether a successful unsafe request that passes the cache invalidates its URI (RFC 9111 §4.4). Default: true. */
  invalidateOnUnsafe?: boolean | undefined
  /** Whether a hit may be answered before the request reaches the app, where the cache stands in front of it (`cache.listener`). `false`: only behind the app's own middleware. Default: true. */
  inFront?: boolean | undefined
  /** Whether what memory holds of compressible types is also made in br, zstd (where Node has it) and gzip, in the background and at high quality, and answered in the coding that a client accepts. Adds `Vary: Accept-Encoding` and tags of their own. Default: false. */
  precompress?: boolean | undefined
  /** Spreads the lifetimes of what is stored together: each is shortened by a random part of this share of it (0.1: up to a tenth), so that not all expires at once. From 0 to 0.5. Default: 0. */
  jitter?: number | undefined
  /** The share of its lifetime after which a request for a fresh response triggers its refresh (0.9: in the last tenth), from 0.5 to below 1. Needs no stale window. Default: unset, never before it is stale. */
  refreshAhead?: number | undefined
  /** The route's name for `purge({ route })` and events, where the framework's own is not wanted. Default: what the framework calls it. */
  route?: string | undefined
}

/** Options of a whole cache. Unknown or ill-typed ones throw CachebackError when it is built. */
export interface CachebackOptions extends RouteOptions {
  /** A Keyv instance, or a store of the port (see Store). Default: none, memory alone. */
  store?: Store | KeyvLike | undefined
  /** The in-process copies: `maxBytes` in all (default 64 MiB), `maxEntryBytes` a response (default 1 MiB; it bounds what is stored anywhere). `maxStalenessMs`: with a shared store (@cacheback/redis), for how many milliseconds copies are served while purges of other processes cannot be heard of (default 1000; Infinity: for as long as that lasts). `false`: no copies, every hit asks the store. */
  memory?:
    | {
        readonly maxBytes?: number | undefined
        readonly maxEntryBytes?: number | undefined
        readonly maxStalenessMs?: number | undefined
      }
    | false
    | undefined
  /** The background queue: how many refreshes run at once (default 4), how many may wait (default 1000; more are dropped and tried again on the next request), and the deadline of one in milliseconds (default 30000). `queue`: sends refreshes to worker processes instead (see `work`; needs a `store` that they share) and makes them here only while the queue cannot be reached; a job of which nothing is seen for `lostAfterMs` milliseconds (default 60000) is sent again. */
  refresh?:
    | {
        readonly concurrency?: number | undefined
        readonly queueLimit?: number | undefined
        readonly timeoutMs?: number | undefined
        readonly queue?: JobQueue | undefined
        readonly lostAfterMs?: number | undefined
      }
    | undefined
  /** Milliseconds after which a slower store counts as absent: `get` (default 50), `set` (default 250). */
  storeTimeoutMs?: { readonly get?: number | undefined; readonly set?: number | undefined } | undefined
  /** The name in `Cache-Status` and in keys. Default: 'cacheback'. */
  name?: string | undefined
  /** A namespace in keys, so that a deploy can start clean. Default: ''. */
  version?: string | undefined
  /** The clock of freshness, in milliseconds since 1970. Default: Date.now. */
  now?: (() => number) | undefined
  /** The clock of back-off and deadlines, in milliseconds. Default: performance.now. */
  monotonicNow?: (() => number) | undefined
}

/** The part of a Keyv that cacheback uses; any Keyv of version 5.6 or 6 fits. */
export interface KeyvLike {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown, ttl?: number): Promise<unknown>
  delete(key: string): Promise<unknown>
  on(event: string, listener: (...args: unknown[]) => void): unknown
  disconnect?: (() => Promise<unknown>) | undefined
}

/** Credentials that proxies and API clients send beside Authorization and Cookie. */
export const DEFAULT_CREDENTIALS: readonly string[] = [
  'proxy-authorization',
  'x-api-key',
  'x-auth-token',
  'x-access-token',
  'x-amz-security-token',
  'x-goog-iap-jwt-assertion',
  'cf-access-jwt-assertion',
  'x-ms-client-principal',
  'x-forwarded-user',
  'x-remote-user',
  'x-forwarded-client-cert',
]

/** Fields that belong to one exchange and not to the response. */
export const DEFAULT_OMIT: readonly string[] = [
  'x-request-id',
  'x-response-time',
  'server-timing',
  'traceparent',
  'x-ratelimit-*',
  'ratelimit',
  'ratelimit-*',
]
