/**
 * Seconds, or a function of the result and the arguments that gives them. A `maxAge` that gives undefined says that this
 * result is not to be stored; elsewhere undefined is 0.
 */
export type Lifetime<Args extends readonly unknown[], Value> =
  | number
  | ((value: Value, ...args: Args) => number | undefined)

/** How a call was answered. */
export interface CallInfo {
  /** `hit`: fresh; `stale`: stored, and no longer fresh; `miss`: not stored. */
  readonly status: 'miss' | 'hit' | 'stale'
  /** Whether the function was called for it, and waited for (in vain, where an old value stands in); undefined for a hit. */
  readonly sync: boolean | undefined
}

/** What is stored for a call. Times are milliseconds since 1970. */
export interface PeekedValue<Value> {
  /** What the function returned; undefined where it threw. */
  readonly value: Value | undefined
  /** What it threw, where that is kept (`errorMaxAge`). */
  readonly error: unknown
  /** When it was made. */
  readonly storedAt: number
  /** Until when it is fresh. */
  readonly freshUntil: number
  /** Until when it may be used at all, stale included. */
  readonly usableUntil: number
}

/** Options of a cached function. Unknown or ill-typed ones throw CachebackError when it is made. */
export interface FunctionOptions<
  Args extends readonly unknown[],
  Value,
  Empty = undefined,
  Out = Value | Empty,
  This = unknown,
> {
  /** What keys, events and `purge({ route })` call it: letters, digits, `_`, `$`, `.`, `-`, `/` and `#`, at most 100. One name belongs to one function of a cache. Default: the function's own name. */
  name?: string | undefined
  /** Seconds that a value stays fresh after it was made. Default: 600. */
  maxAge?: Lifetime<Args, Value> | undefined
  /** Seconds after that in which it is still given, stale, while it is made anew in the background. Default: until it is evicted (a store keeps it for a year). */
  staleWhileRevalidate?: Lifetime<Args, Value> | undefined
  /** Seconds after its lifetime in which a stored value stands in where a call that is waited for throws. Default: 0. */
  staleIfError?: Lifetime<Args, Value> | undefined
  /** Whether a call for which nothing is stored waits for the function. `false`: it gets `empty` at once, and the value is made in the background. Default: true. */
  fetchOnMiss?: boolean | ((...args: Args) => boolean) | undefined
  /** What a miss gets with `fetchOnMiss: false`; of an object each one gets a clone. Default: undefined. */
  empty?: Empty | undefined
  /** Seconds after a value was made from which on a stale one is too old to be given: the call waits for a new one. Default: never. */
  fetchOnStaleAfter?: number | undefined
  /** Milliseconds after which a call that has not come back counts as lost: it is made again for whoever asks next, and whoever waits for it makes one of his own. Default: 60000. */
  refreshTimeoutMs?: number | undefined
  /** Seconds for which a thrown error is kept and thrown again, where nothing is stored that could stand in. Default: unset, never. */
  errorMaxAge?: Lifetime<Args, unknown> | undefined
  /** What tells one call from another, instead of its arguments: anything that an argument can be; an array stands for several. Default: the arguments. */
  key?: ((this: This, ...args: Args) => unknown) | undefined
  /** Tags of a call's value, for `purge({ tag })`. If it throws, the value is not stored. Default: none. */
  tags?: ((...args: Args) => readonly string[]) | undefined
  /** What a caller gets of a value, on its way out; what it returns is not stored. */
  process?: ((value: Value | Empty, info: CallInfo, ...args: Args) => Out | Promise<Out>) | undefined
}

/** What can be done with the values of a cached function beside calling it. All of them throw CACHEBACK_UNKEYABLE_ARGUMENT, and CACHEBACK_CLOSED after `cache.close()`. */
export interface FunctionMethods<Args extends readonly unknown[], Value> {
  /** Calls the function now, stores what it returns, and resolves with that. What it throws passes through; the old value stays. */
  readonly refresh: (...args: Args) => Promise<Value>
  /** Makes what is stored stale, here and (with a store) in other processes, and has it made anew in the background. Resolves with whether anything was stored; if not, nothing happens. */
  readonly invalidate: (...args: Args) => Promise<boolean>
  /** Removes what is stored, here and (with a store) in other processes; what a call under way returns is not stored either. Resolves with whether anything was stored. */
  readonly delete: (...args: Args) => Promise<boolean>
  /** Stores a value as if the function had returned it now. Resolves with whether it was stored: with a store, there. */
  readonly set: (args: Args, value: Value) => Promise<boolean>
  /** What is stored, without calling or refreshing anything. */
  readonly peek: (...args: Args) => Promise<PeekedValue<Value> | undefined>
  /** The readable key of a call: `name:argument,argument`. */
  readonly keyOf: (...args: Args) => string
}

/** A function whose values are cached. */
export type Cached<Args extends readonly unknown[], Value, Out = Value, This = unknown> = ((
  this: This,
  ...args: Args
) => Promise<Awaited<Out>>) &
  FunctionMethods<Args, Value>

export type AnyFunction = (this: never, ...args: never) => unknown

/** Options of this function. */
export type OptionsOf<F extends AnyFunction, Empty, Out> = FunctionOptions<
  Parameters<F>,
  Awaited<ReturnType<F>>,
  Empty,
  Out,
  ThisParameterType<F>
>

/** This function, with its values cached. */
export type CachedOf<F extends AnyFunction, Out> = Cached<
  Parameters<F>,
  Awaited<ReturnType<F>>,
  Out,
  ThisParameterType<F>
>
