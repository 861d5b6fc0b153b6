import type { ResponseCache } from '../cacheback.ts'
import { invalidOption, notCached } from '../errors.ts'
import { Own } from '../node/own.ts'
import type { Cacheback } from '../types.ts'
import type { FunctionMethods, FunctionOptions } from './function-options.ts'
import type { FunctionRoad } from './function-road.ts'
import { type AnyArgs, type AnyOptions, checkFunctionOptions, readFunctionRules } from './function-settings.ts'
import { faceOf } from './wrap.ts'

/** Options of a cached method: those of a function, the cache, and whose method it is. */
export type MethodOptions<Args extends readonly unknown[], Value, This> = Omit<
  FunctionOptions<Args, Value, Value, Value, This>,
  'fetchOnMiss' | 'empty'
> & {
  /** The cache, or how an instance finds it. */
  readonly cache: Cacheback | ((self: This) => Cacheback)
  /** What tells one instance from another in the key (anything that an argument can be), or `'any'` where a result is the same whichever instance is asked. Beside a `key` it comes first. Needed for methods that are not static, unless there is a `key`, and for static ones that are called on subclasses. */
  readonly instance?: 'any' | ((self: This) => unknown) | undefined
}

type Method<Args extends unknown[], Value, This> = (this: This, ...args: Args) => Promise<Value>

/** How a method of a cache's is found: its road, by the instance that is called. */
const roads = new Own<(self: unknown) => FunctionRoad>()

/**
 * A standard decorator (TypeScript 5, without `experimentalDecorators`) that caches an async method, static or not:
 * `@cached({ cache, maxAge: 60, instance: (self) => self.id })`. Its name is the option `name`, else `Class.method`.
 * `methodsOf(object, 'method')` gives `refresh`, `invalidate` and the others. Throws CACHEBACK_UNKNOWN_OPTION and
 * CACHEBACK_INVALID_OPTION where it stands; CACHEBACK_NAME_TAKEN comes from the first call.
 */
export function cached<This, Args extends unknown[], Value>(
  options: MethodOptions<Args, Value, This>,
): (
  method: Method<Args, Value, This>,
  context: ClassMethodDecoratorContext<This, Method<Args, Value, This>>,
) => Method<Args, Value, This> {
  const { cache, instance, ...own } = options
  checkFunctionOptions(own)
  if (typeof cache !== 'function' && typeof cache?.wrap !== 'function') throw invalidOption('cache', CACHE, cache)
  if (instance !== undefined && instance !== 'any' && typeof instance !== 'function') {
    throw invalidOption('instance', INSTANCE, instance)
  }
  return (method, context) => {
    if (instance === undefined && own.key === undefined && !context.static)
      throw invalidOption('instance', INSTANCE, instance)
    const keyed = keyWith(instance, own.key)
    // Of a class that has inherited a static method nobody has said whether it gives the same.
    const isForOwner = keyed === undefined && instance === undefined
    const roadsOfCaches = new WeakMap<Cacheback, FunctionRoad>()
    const roadOf = (self: unknown): FunctionRoad => {
      if (isForOwner && (ownerOf(self, context.name, replacement) ?? self) !== self)
        throw invalidOption('instance', INSTANCE, instance)
      const itsCache = typeof cache === 'function' ? cache(self as This) : cache
      const known = roadsOfCaches.get(itsCache)
      if (known !== undefined) return known
      const name = `${classNameOf(self, context.name, replacement)}.${String(context.name)}`
      const rules = readFunctionRules({ ...own, key: keyed } as unknown as AnyOptions, name)
      const { functions } = (itsCache as ResponseCache).road
      const road = functions.add(rules, (of, args) => method.apply(of as This, args as unknown as Args))
      roadsOfCaches.set(itsCache, road)
      return road
    }
    const replacement = function (this: This, ...args: Args): Promise<Value> {
      return roadOf(this).call(this, args) as Promise<Value>
    }
    roads.set(replacement, roadOf)
    return replacement
  }
}

/** The methods for the values of a cached method. */
export type MethodsOf<Of> = Of extends (...args: infer Args) => Promise<infer Value>
  ? FunctionMethods<Args, Value>
  : never

/** What can be done with the values of a cached method of this object. Throws CACHEBACK_NOT_CACHED for another method. */
export function methodsOf<Self extends object, Name extends keyof Self>(self: Self, name: Name): MethodsOf<Self[Name]> {
  const method = self[name]
  const roadOf = typeof method === 'function' ? roads.get(method) : undefined
  if (roadOf === undefined) throw notCached(String(name))
  return faceOf(roadOf(self), self) as unknown as MethodsOf<Self[Name]>
}

/** What tells instances apart comes first, then what tells calls apart. */
function keyWith<This>(
  instance: 'any' | ((self: This) => unknown) | undefined,
  key: ((this: This, ...args: never) => unknown) | undefined,
) {
  if (instance === undefined || instance === 'any') return key
  return function keyOfInstance(this: This, ...args: AnyArgs): unknown {
    const keyed = key === undefined ? args : key.apply(this, args as never)
    return [instance(this), ...(Array.isArray(keyed) ? keyed : [keyed])]
  }
}

/** The class, or the prototype of one, that has the method: an instance may be of a subclass. */
function ownerOf(self: unknown, name: PropertyKey, method: unknown): object | undefined {
  for (let at: unknown = self; at !== null && at !== undefined; at = Object.getPrototypeOf(at)) {
    if (Object.getOwnPropertyDescriptor(at, name)?.value === method) return at
  }
  return undefined
}

function classNameOf(self: unknown, name: PropertyKey, method: unknown): string {
  const owner = ownerOf(self, name, method)
  if (typeof self === 'function') return ((owner ?? self) as { name: string }).name
  return owner === undefined ? '' : (owner as { constructor: { name: string } }).constructor.name
}

const CACHE = 'a cache, or a function of the instance that finds it'
const INSTANCE =
  "a function of the instance that tells it from others, or 'any' where a result is the same for all of them"
