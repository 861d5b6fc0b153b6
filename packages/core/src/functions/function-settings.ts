import { type Check, callback, check, group, isSeconds, positiveMilliseconds, seconds } from '../checks.ts'
import { invalidOption } from '../errors.ts'
import { decodeValue, encodeValue } from './codec.ts'
import type { CallInfo, FunctionOptions, Lifetime } from './function-options.ts'

export type AnyArgs = readonly unknown[]
export type AnyOptions = FunctionOptions<AnyArgs, unknown, unknown>

/** The options of a function as the cache reads them: every question is a function of the call. */
export interface FunctionRules {
  readonly name: string
  /** Undefined: this result is not to be stored. */
  readonly maxAge: (value: unknown, args: AnyArgs) => number | undefined
  readonly staleWhileRevalidate: (value: unknown, args: AnyArgs) => number | undefined
  readonly staleIfError: (value: unknown, args: AnyArgs) => number | undefined
  readonly errorMaxAge: (error: unknown, args: AnyArgs) => number | undefined
  readonly fetchesOnMiss: (args: AnyArgs) => boolean
  readonly fetchesWhenStale: (ageMs: number, args: AnyArgs) => boolean
  readonly empty: (args: AnyArgs) => unknown
  readonly refreshTimeoutMs: number
  readonly key: ((self: unknown, args: AnyArgs) => unknown) | undefined
  readonly tags: ((args: AnyArgs) => readonly string[]) | undefined
  readonly process: ((value: unknown, info: CallInfo, args: AnyArgs) => unknown) | undefined
}

const DEFAULT_MAX_AGE_SECONDS = 600
const DEFAULT_REFRESH_TIMEOUT_MS = 60_000
/** As good as for ever (RFC 9111 §1.2.2). */
const FOREVER_SECONDS = 2 ** 31

const lifetime: Check = (value, path) => {
  if (typeof value !== 'function') seconds(value, path)
}

const anything: Check = () => undefined

export const FUNCTION_CHECKS: Record<keyof AnyOptions, Check> = {
  name: check(
    (value) => typeof value === 'string' && isName(value),
    'a name of letters, digits, _, $, ., -, / and #, at most 100, that begins with a letter, _ or $',
  ),
  maxAge: lifetime,
  staleWhileRevalidate: lifetime,
  staleIfError: lifetime,
  errorMaxAge: lifetime,
  fetchOnMiss: check((value) => typeof value === 'boolean' || typeof value === 'function', 'true, false or a function'),
  empty: anything,
  fetchOnStaleAfter: seconds,
  refreshTimeoutMs: positiveMilliseconds,
  key: callback,
  tags: callback,
  process: callback,
}

/** Throws CACHEBACK_UNKNOWN_OPTION and CACHEBACK_INVALID_OPTION. */
export function checkFunctionOptions(options: object): void {
  group(FUNCTION_CHECKS)(options, 'options')
}

const JOB_CHECKS = Object.fromEntries(
  Object.entries(FUNCTION_CHECKS).filter(([name]) => !['key', 'empty', 'process'].includes(name)),
)

/** The same for a Job, whose other parts are methods. */
export function checkJobOptions(options: object): void {
  group(JOB_CHECKS)(options, 'options')
}

/** `ownName`: that of the function or the class, where the options name none. */
export function readFunctionRules(options: AnyOptions, ownName: string): FunctionRules {
  checkFunctionOptions(options)
  const { fetchOnMiss = true, fetchOnStaleAfter, key, tags, process } = options
  return {
    name: options.name ?? usableName(ownName),
    maxAge: lifetimeOf(options.maxAge, DEFAULT_MAX_AGE_SECONDS),
    staleWhileRevalidate: lifetimeOf(options.staleWhileRevalidate, FOREVER_SECONDS),
    staleIfError: lifetimeOf(options.staleIfError, 0),
    errorMaxAge: lifetimeOf(options.errorMaxAge, undefined),
    fetchesOnMiss: (args) => (typeof fetchOnMiss === 'function' ? fetchOnMiss(...args) : fetchOnMiss),
    fetchesWhenStale: (ageMs) => fetchOnStaleAfter !== undefined && ageMs > fetchOnStaleAfter * 1000,
    empty: emptyOf(options.empty),
    refreshTimeoutMs: options.refreshTimeoutMs ?? DEFAULT_REFRESH_TIMEOUT_MS,
    key: key === undefined ? undefined : (self, args) => key.apply(self, [...args]),
    tags: tags === undefined ? undefined : (args) => tags(...args),
    process: process === undefined ? undefined : (value, info, args) => process(value, info, ...args),
  }
}

/** Throws where a function of the user's gives neither seconds nor undefined. */
function lifetimeOf(
  option: Lifetime<AnyArgs, unknown> | undefined,
  fallback: number | undefined,
): (value: unknown, args: AnyArgs) => number | undefined {
  if (typeof option !== 'function') return () => option ?? fallback
  return (value, args) => secondsOf(option(value, ...args))
}

/** What a user's own code has given for a lifetime. Throws RangeError for what is given and is no number of seconds. */
export function secondsOf(given: unknown): number | undefined {
  if (given === undefined || isSeconds(given)) return given
  throw new RangeError('no number of seconds')
}

/** As with values that are stored, no caller can change what the others get. */
function emptyOf(empty: unknown): () => unknown {
  if (typeof empty !== 'object' || empty === null) return () => empty
  const bytes = encoded(empty)
  return () => decodeValue(bytes)
}

function encoded(empty: object): Buffer {
  try {
    return encodeValue(empty)
  } catch {
    throw invalidOption('empty', 'something that can be cloned, for each caller gets one of his own', empty)
  }
}

const isName = (name: string): boolean => /^[\p{L}_$][\p{L}\p{N}_$./#-]{0,99}$/u.test(name)

/** What has no name, or one that nobody has given it (`bound load`), cannot be told from others in a store. */
function usableName(name: string): string {
  if (isName(name)) return name
  throw invalidOption(
    'name',
    'given where a function has no name of its own (letters, digits, _, $, ., -, / and #)',
    name,
  )
}
