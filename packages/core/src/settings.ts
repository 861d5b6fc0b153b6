import {
  type Check,
  boolean,
  bytes,
  callback,
  check,
  count,
  countAboveZero,
  fieldNames,
  group,
  hasOnly,
  isNames,
  jobQueue,
  milliseconds,
  positiveMilliseconds,
  scheduledRefreshes,
  seconds,
} from './checks.ts'
import type { JobQueue } from './engine/job-queue.ts'
import { credentialInVary, globalOption, noSharedStore, noStorage } from './errors.ts'
import {
  type CachebackOptions,
  type CookieRule,
  DEFAULT_CREDENTIALS,
  DEFAULT_OMIT,
  type KeyvLike,
  type QueryRule,
  type RouteOptions,
} from './options.ts'
import type { Store } from './stores/store.ts'
import type { WarmOptions, WorkOptions } from './types.ts'

/** The resolved options of a route: what the road reads. Durations after an HTTP directive are milliseconds here. */
export interface Rules {
  readonly maxAgeMs: number | undefined
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
  readonly vary: readonly string[]
  readonly query: QueryRule
  readonly cookies: CookieRule
  readonly credentials: readonly string[]
  readonly tags: RouteOptions['tags']
  readonly sealed: boolean
  readonly skip: RouteOptions['skip']
  readonly collapseWaitMs: number
  readonly renderTimeoutMs: number | undefined
  readonly hitForMissMs: number
  readonly omit: readonly string[]
  readonly etag: boolean
  readonly warning: boolean
  readonly cacheStatus: boolean
  readonly cacheStatusKey: boolean
  readonly route: string | undefined
  readonly keepMs: number
  readonly heuristic: boolean
  readonly targetedCacheControl: readonly string[]
  readonly requestCacheControl: boolean
  readonly invalidateOnUnsafe: boolean
  readonly noVarySearch: boolean
  readonly queryMethod: boolean
  readonly inFront: boolean
  readonly precompress: boolean
  readonly jitter: number
  readonly refreshAhead: number | undefined
}

/** The resolved options of a whole cache. */
export interface Settings {
  readonly name: string
  readonly version: string
  readonly store: Store | KeyvLike | undefined
  readonly memoryMaxBytes: number
  readonly maxEntryBytes: number
  readonly memoryMaxStalenessMs: number
  readonly refresh: {
    readonly concurrency: number
    readonly queueLimit: number
    readonly timeoutMs: number
    readonly queue: JobQueue | undefined
    readonly lostAfterMs: number
  }
  readonly storeTimeoutMs: { readonly get: number; readonly set: number }
  readonly now: () => number
  readonly monotonicNow: () => number
}

const MiB = 1024 * 1024
const ROUTE_CHECKS: Record<keyof RouteOptions, Check> = {
  maxAge: seconds,
  staleWhileRevalidate: seconds,
  staleIfError: seconds,
  vary: fieldNames,
  query: check(
    (value) => typeof value === 'boolean' || isNames(value) || (hasOnly(value, 'ignore') && isNames(value['ignore'])),
    'true, false, an array of parameter names, or { ignore: [names] }',
  ),
  cookies: check(
    (value) =>
      value === 'bypass' ||
      value === 'ignore' ||
      (hasOnly(value, 'bypass') && isNames(value['bypass'])) ||
      (hasOnly(value, 'key') && isNames(value['key'])),
    "'bypass', 'ignore', { bypass: [names] } or { key: [names] }",
  ),
  credentials: fieldNames,
  tags: callback,
  sealed: boolean,
  skip: callback,
  collapse: group({ waitMs: milliseconds }),
  renderTimeoutMs: positiveMilliseconds,
  hitForMissMs: milliseconds,
  omit: fieldNames,
  etag: boolean,
  warning: boolean,
  cacheStatus: check(
    (value) => typeof value === 'boolean' || (hasOnly(value, 'key') && typeof value['key'] === 'boolean'),
    'true, false or { key: true }',
  ),
  keep: seconds,
  heuristic: boolean,
  targetedCacheControl: fieldNames,
  requestCacheControl: boolean,
  invalidateOnUnsafe: boolean,
  noVarySearch: boolean,
  queryMethod: boolean,
  inFront: boolean,
  precompress: boolean,
  jitter: check((value) => isShare(value) && value <= 0.5, 'a share of the lifetime from 0 to 0.5'),
  refreshAhead: check((value) => isShare(value) && value >= 0.5, 'a share of the lifetime from 0.5 to below 1'),
  route: check((value) => typeof value === 'string' && value !== '', 'a route name'),
}

const bound: Check = (value, path) => {
  if (value !== Infinity) positiveMilliseconds(value, path)
}

const GLOBAL_CHECKS: Record<Exclude<keyof CachebackOptions, keyof RouteOptions>, Check> = {
  store: check(isStore, 'a Keyv instance or a store with get, set and delete'),
  memory: (value, path) => {
    if (value !== false) group({ maxBytes: bytes, maxEntryBytes: bytes, maxStalenessMs: bound })(value, path)
  },
  refresh: group({
    concurrency: countAboveZero,
    queueLimit: count,
    timeoutMs: positiveMilliseconds,
    queue: jobQueue,
    lostAfterMs: positiveMilliseconds,
  }),
  storeTimeoutMs: group({ get: positiveMilliseconds, set: positiveMilliseconds }),
  name: check(
    (value) => typeof value === 'string' && /^[A-Za-z][\w.-]{0,39}$/.test(value),
    'a letter, then at most 39 letters, digits, dots, dashes or underscores',
  ),
  version: check(
    (value) => typeof value === 'string' && /^[\w.-]{0,40}$/.test(value),
    'at most 40 letters, digits, dots, dashes or underscores',
  ),
  now: callback,
  monotonicNow: callback,
}

/** Reads the options of a whole cache. Throws CachebackError for what is unknown, ill-typed or contradictory. */
export function readSettings(options: CachebackOptions = {}): Settings {
  group({ ...GLOBAL_CHECKS, ...ROUTE_CHECKS })(options, 'options')
  refuseCredentialsInVary(options, options)
  if (options.memory === false && options.store === undefined) throw noStorage()
  if (options.refresh?.queue !== undefined && options.store === undefined) throw noSharedStore()
  const memory = options.memory === false ? undefined : options.memory
  return {
    name: options.name ?? 'cacheback',
    version: options.version ?? '',
    store: options.store,
    memoryMaxBytes: options.memory === false ? 0 : (memory?.maxBytes ?? 64 * MiB),
    maxEntryBytes: memory?.maxEntryBytes ?? MiB,
    memoryMaxStalenessMs: memory?.maxStalenessMs ?? 1000,
    refresh: {
      concurrency: options.refresh?.concurrency ?? 4,
      queueLimit: options.refresh?.queueLimit ?? 1000,
      timeoutMs: options.refresh?.timeoutMs ?? 30_000,
      queue: options.refresh?.queue,
      lostAfterMs: options.refresh?.lostAfterMs ?? 60_000,
    },
    storeTimeoutMs: { get: options.storeTimeoutMs?.get ?? 50, set: options.storeTimeoutMs?.set ?? 250 },
    now: options.now ?? Date.now,
    monotonicNow: options.monotonicNow ?? (() => performance.now()),
  }
}

export function checkWarmOptions(options: WarmOptions): void {
  group({ concurrency: countAboveZero, onProgress: callback })(options, 'options')
}

export function checkWorkOptions(options: WorkOptions): void {
  group({ queue: jobQueue, concurrency: countAboveZero, schedule: scheduledRefreshes })(options, 'options')
}

/** Checks the options of one route. Throws CachebackError as readSettings does, and for options of the whole cache. */
export function checkRouteOptions(options: RouteOptions): void {
  for (const name of Object.keys(options ?? {})) {
    if (Object.hasOwn(GLOBAL_CHECKS, name)) throw globalOption(name)
  }
  group(ROUTE_CHECKS)(options, 'options')
}

/** Lays options over each other, outermost first (each replaces, none merges), and resolves the result. */
export function resolveRules(layers: readonly RouteOptions[]): Rules {
  const options: RouteOptions = {}
  for (const layer of layers) {
    for (const [name, value] of Object.entries(layer)) {
      if (value !== undefined && name in ROUTE_CHECKS) Object.assign(options, { [name]: value })
    }
  }
  refuseCredentialsInVary(options, options)
  const { cacheStatus = true, query = true } = options
  return {
    maxAgeMs: options.maxAge === undefined ? undefined : options.maxAge * 1000,
    staleWhileRevalidateMs: (options.staleWhileRevalidate ?? 0) * 1000,
    staleIfErrorMs: (options.staleIfError ?? 0) * 1000,
    vary: lowerSorted(options.vary ?? []),
    query: Array.isArray(query) ? [...new Set(query as readonly string[])].toSorted() : query,
    cookies: options.cookies ?? 'bypass',
    credentials: lowerSorted(options.credentials ?? DEFAULT_CREDENTIALS),
    tags: options.tags,
    sealed: options.sealed ?? false,
    skip: options.skip,
    collapseWaitMs: options.collapse?.waitMs ?? 5000,
    renderTimeoutMs: options.renderTimeoutMs,
    hitForMissMs: options.hitForMissMs ?? 120_000,
    omit: lowerSorted(options.omit ?? DEFAULT_OMIT),
    etag: options.etag ?? true,
    warning: options.warning ?? true,
    cacheStatus: cacheStatus !== false,
    cacheStatusKey: typeof cacheStatus === 'object' && cacheStatus.key === true,
    route: options.route,
    keepMs: (options.keep ?? 86_400) * 1000,
    heuristic: options.heuristic ?? false,
    targetedCacheControl: (options.targetedCacheControl ?? []).map((name) => name.toLowerCase()),
    requestCacheControl: options.requestCacheControl ?? false,
    invalidateOnUnsafe: options.invalidateOnUnsafe ?? true,
    noVarySearch: options.noVarySearch ?? false,
    queryMethod: options.queryMethod ?? false,
    inFront: options.inFront ?? true,
    precompress: options.precompress ?? false,
    jitter: options.jitter ?? 0,
    refreshAhead: options.refreshAhead,
  }
}

function refuseCredentialsInVary(options: RouteOptions, { credentials = DEFAULT_CREDENTIALS }: RouteOptions): void {
  const personal = new Set(['cookie', 'authorization', ...lowerSorted(credentials)])
  const name = options.vary?.find((field) => personal.has(field.toLowerCase()))
  if (name !== undefined) throw credentialInVary(name)
}

const isShare = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value < 1

function isStore(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return ['get', 'set', 'delete'].every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
}

const lowerSorted = (names: readonly string[]): string[] =>
  [...new Set(names.map((name) => name.toLowerCase()))].toSorted()
