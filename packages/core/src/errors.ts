/**
 * Every error and warning of cacheback, with its stable code. Codes are part of the public surface: they are what
 * docs/errors.md lists and what users search for.
 */

export type ErrorCode =
  | 'CACHEBACK_UNKNOWN_OPTION'
  | 'CACHEBACK_INVALID_OPTION'
  | 'CACHEBACK_GLOBAL_OPTION'
  | 'CACHEBACK_CREDENTIAL_IN_VARY'
  | 'CACHEBACK_NO_STORAGE'
  | 'CACHEBACK_NO_RENDERER'
  | 'CACHEBACK_INVALID_URL'
  | 'CACHEBACK_INVALID_SELECTOR'
  | 'CACHEBACK_UNKNOWN_EVENT'
  | 'CACHEBACK_CLOSED'
  | 'CACHEBACK_UNKEYABLE_ARGUMENT'
  | 'CACHEBACK_NAME_TAKEN'
  | 'CACHEBACK_NOT_CACHED'
  | 'CACHEBACK_NO_QUEUE'
  | 'CACHEBACK_NO_SHARED_STORE'

export type WarningCode =
  | 'CACHEBACK_SEVERAL_CACHES'
  | 'CACHEBACK_MOSTLY_BYPASSED'
  | 'CACHEBACK_STORE_UNREACHABLE'
  | 'CACHEBACK_STORE_SETTINGS'
  | 'CACHEBACK_QUEUE_UNREACHABLE'
  | 'CACHEBACK_QUEUE_EVICTION'

/** What cacheback throws: at start-up for bad options, later only from the methods that an application calls. */
export class CachebackError extends Error {
  override readonly name = 'CachebackError'
  /** Stable; see docs/errors.md. */
  readonly code: ErrorCode
  /** What to do about it. */
  readonly hint: string

  constructor(code: ErrorCode, message: string, hint: string) {
    super(`${message} ${hint}`)
    this.code = code
    this.hint = hint
  }
}

export const unknownOption = (path: string, known: readonly string[]): CachebackError =>
  new CachebackError('CACHEBACK_UNKNOWN_OPTION', `Unknown option ${path}.`, `Known here: ${known.join(', ')}.`)

export const invalidOption = (path: string, expected: string, got: unknown): CachebackError =>
  new CachebackError('CACHEBACK_INVALID_OPTION', `Option ${path} is ${show(got)}.`, `It must be ${expected}.`)

export const globalOption = (name: string): CachebackError =>
  new CachebackError(
    'CACHEBACK_GLOBAL_OPTION',
    `Option ${name} stands in the options of a route.`,
    'It belongs to the whole cache: give it to createCacheback() or to the plugin.',
  )

export const credentialInVary = (name: string): CachebackError =>
  new CachebackError(
    'CACHEBACK_CREDENTIAL_IN_VARY',
    `Option vary names ${name}, which identifies somebody.`,
    'Responses that belong to one person are not for a shared cache; for cookies see the option cookies: { key: [...] }.',
  )

export const noStorage = (): CachebackError =>
  new CachebackError(
    'CACHEBACK_NO_STORAGE',
    'Option memory is false and there is no store.',
    'Give a store (a Keyv instance, say), or leave memory on.',
  )

export const noRenderer = (): CachebackError =>
  new CachebackError(
    'CACHEBACK_NO_RENDERER',
    'There is no server yet through which a page could be rendered.',
    'Name one with cache.attach(server) or cache.attach(listener); the Fastify plugin does so by itself.',
  )

export const invalidUrl = (url: unknown): CachebackError =>
  new CachebackError(
    'CACHEBACK_INVALID_URL',
    `${show(url)} is not a URL that can be used here.`,
    'Use an absolute http or https URL, written as it is sent: http://example.com/articles/1?page=2.',
  )

export const invalidSelector = (selector: unknown): CachebackError =>
  new CachebackError(
    'CACHEBACK_INVALID_SELECTOR',
    `${show(selector)} selects nothing.`,
    'Use exactly one of { url }, { route }, { prefix }, { tag }, { all: true }; url and prefix begin with / or with http(s)://.',
  )

export const unknownEvent = (event: unknown, known: readonly string[]): CachebackError =>
  new CachebackError('CACHEBACK_UNKNOWN_EVENT', `There is no event ${show(event)}.`, `Events: ${known.join(', ')}.`)

export const closed = (): CachebackError =>
  new CachebackError('CACHEBACK_CLOSED', 'This cache has been closed.', 'Make a new one with createCacheback().')

export const unkeyableArgument = (name: string, index: number, what: string): CachebackError =>
  new CachebackError(
    'CACHEBACK_UNKEYABLE_ARGUMENT',
    `Argument ${index + 1} of ${name} ${what}.`,
    'Say with the option key: (...args) => ... what tells one call from another, or pass plain data (an id, say).',
  )

export const nameTaken = (name: string): CachebackError =>
  new CachebackError(
    'CACHEBACK_NAME_TAKEN',
    `This cache has a function ${show(name)} already.`,
    'Values are kept by name and arguments: wrap a function once, when the program starts, or give the option name.',
  )

export const notCached = (name: string): CachebackError =>
  new CachebackError(
    'CACHEBACK_NOT_CACHED',
    `${show(name)} is no method that @cached has made.`,
    "Pass the object and the method's name: methodsOf(service, 'find').",
  )

export const noQueue = (): CachebackError =>
  new CachebackError(
    'CACHEBACK_NO_QUEUE',
    'There is no queue from which a worker could take jobs.',
    'Give one to cache.work({ queue }), or to createCacheback({ refresh: { queue } }); @cacheback/bullmq makes them.',
  )

export const noSharedStore = (): CachebackError =>
  new CachebackError(
    'CACHEBACK_NO_SHARED_STORE',
    'There is a queue to worker processes and no store.',
    'What a worker renders reaches the others through a store: give the same one (Redis, say) to all of them.',
  )

const warned = new Set<string>()

/** Tells the operator something once per process and code, through process.emitWarning. */
export function warnOnce(code: WarningCode, message: string): void {
  if (warned.has(code)) return
  warned.add(code)
  process.emitWarning(message, { type: 'CachebackWarning', code })
}

export const severalCachesMessage: string =
  'A second cache was built from plain options in this process. Each has its own memory and its own purges; ' +
  'make one with createCacheback() and hand it to every cacheback(cache, routeOptions).'

export const mostlyBypassedMessage = (name: string, share: number, reason: string, remedy: string): string =>
  `${name}: ${Math.round(share * 100)} % of the cacheable requests bypass the cache for one reason: ${reason}. ${remedy}`

export const storeUnreachableMessage = (name: string, reason: string): string =>
  `${name}: the store does not answer (${reason}); responses are kept in memory alone until it does.`

export const queueUnreachableMessage = (name: string): string =>
  `${name}: the queue to the workers takes no jobs (it is away, or full); refreshes are made in this process until it does.`

export const queueEvictionMessage = (policy: string): string =>
  `The Redis of the job queue has maxmemory-policy ${policy}, which may evict jobs. ` +
  'Use volatile-lru, or noeviction in a Redis of its own: keys of the queue have no lifetime, those of the cache have one.'

export const storeSettingsMessage = (missing: readonly string[]): string =>
  `The Redis client of the store lacks settings without which an outage may reach visitors: ${missing.join(', ')}. ` +
  'docs/stores.md says what each is for; the example in the README has them all.'

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80))
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) {
    return `an object with ${Object.keys(value).slice(0, 8).join(', ') || 'no properties'}`
  }
  return String(value)
}
