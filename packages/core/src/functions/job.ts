import type { ResponseCache } from '../cacheback.ts'
import type { Cacheback } from '../types.ts'
import type { CallInfo, FunctionMethods, FunctionOptions, PeekedValue } from './function-options.ts'
import type { FunctionRoad } from './function-road.ts'
import {
  type AnyArgs,
  type AnyOptions,
  type FunctionRules,
  checkJobOptions,
  readFunctionRules,
  secondsOf,
} from './function-settings.ts'
import { noteRoad } from './wrap.ts'

/** Options of a job: those of a function that are not methods to override. */
export type JobOptions<Args extends readonly unknown[], Value> = Pick<
  FunctionOptions<Args, Value>,
  | 'name'
  | 'maxAge'
  | 'staleWhileRevalidate'
  | 'staleIfError'
  | 'fetchOnMiss'
  | 'fetchOnStaleAfter'
  | 'refreshTimeoutMs'
  | 'errorMaxAge'
  | 'tags'
>

/**
 * A cached function as a class, for those who want to override its parts. One instance for each cache:
 * `const tweets = new UserTweets(cache)`, then `await tweets.get('ada')`. Its name is the option `name`, else the class's.
 * The constructor throws as `cache.wrap` does.
 */
export abstract class Job<
  Args extends readonly unknown[],
  Value,
  Empty = undefined,
  Out = Value | Empty,
> implements FunctionMethods<Args, Value> {
  readonly #road: FunctionRoad
  readonly #rules: FunctionRules

  constructor(cache: Cacheback, options: JobOptions<Args, Value> = {}) {
    checkJobOptions(options)
    const rules = readFunctionRules(options as AnyOptions, new.target.name)
    this.#rules = rules
    const own = (args: AnyArgs): Args => args as unknown as Args
    const overridden: FunctionRules = {
      ...rules,
      maxAge: (value, args) => secondsOf(this.freshFor(value as Value, ...own(args))),
      fetchesOnMiss: (args) => this.shouldFetchOnMiss(...own(args)),
      fetchesWhenStale: (ageMs, args) => this.shouldFetchWhenStale(ageMs / 1000, ...own(args)),
      empty: (args) => this.empty(...own(args)),
      key: (_self, args) => this.key(...own(args)),
      process: (value, info, args) => this.process(value as Value | Empty, info, ...own(args)),
    }
    this.#road = (cache as ResponseCache).road.functions.add(overridden, (_self, args) => this.fetch(...own(args)))
    noteRoad(this, this.#road)
  }

  /** Makes the value of a call. */
  abstract fetch(...args: Args): Value | Promise<Value>

  /** What tells one call from another: anything that an argument can be. Default: the arguments. */
  key(...args: Args): unknown {
    return args
  }

  /** Seconds that a value stays fresh; undefined: it is not stored. Default: the option `maxAge`. */
  freshFor(value: Value, ...args: Args): number | undefined {
    return this.#rules.maxAge(value, args)
  }

  /** What a miss gets that does not wait. Default: undefined. */
  empty(..._args: Args): Empty {
    return undefined as Empty
  }

  /** What a caller gets of a value, on its way out; what it returns is not stored. Default: the value. */
  process(value: Value | Empty, _info: CallInfo, ..._args: Args): Out | Promise<Out> {
    return value as unknown as Out
  }

  /** Whether a call for which nothing is stored waits for `fetch`. Default: the option `fetchOnMiss`. */
  shouldFetchOnMiss(...args: Args): boolean {
    return this.#rules.fetchesOnMiss(args)
  }

  /** Whether a stale value, made so many seconds ago, is too old to be given. Default: by the option `fetchOnStaleAfter`. */
  shouldFetchWhenStale(ageSeconds: number, ...args: Args): boolean {
    return this.#rules.fetchesWhenStale(ageSeconds * 1000, args)
  }

  /** The value of a call: stored, or made now. */
  get(...args: Args): Promise<Awaited<Out>> {
    return this.#road.call(undefined, args) as Promise<Awaited<Out>>
  }

  refresh(...args: Args): Promise<Value> {
    return this.#road.refresh(undefined, args) as Promise<Value>
  }

  invalidate(...args: Args): Promise<boolean> {
    return this.#road.invalidate(undefined, args)
  }

  delete(...args: Args): Promise<boolean> {
    return this.#road.delete(undefined, args)
  }

  set(args: Args, value: Value): Promise<boolean> {
    return this.#road.set(undefined, args, value)
  }

  peek(...args: Args): Promise<PeekedValue<Value> | undefined> {
    return this.#road.peek(undefined, args) as Promise<PeekedValue<Value> | undefined>
  }

  keyOf(...args: Args): string {
    return this.#road.keyOf(undefined, args)
  }
}
