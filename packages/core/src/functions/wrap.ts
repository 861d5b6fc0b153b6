import type { Cached } from './function-options.ts'
import type { FunctionRoad } from './function-road.ts'
import type { AnyArgs } from './function-settings.ts'

const roads = new WeakMap<object, FunctionRoad>()

/** The road of a cached function, or of a Job. */
export const roadOf = (face: object): FunctionRoad | undefined => roads.get(face)

/** Makes it known by what users have of it. */
export const noteRoad = (face: object, road: FunctionRoad): void => void roads.set(face, road)

/** A function that calls through the cache, with the methods for what is stored. `self`: for whom the methods call. */
export function faceOf(road: FunctionRoad, self?: unknown): Cached<AnyArgs, unknown, unknown> {
  const face = function (this: unknown, ...args: AnyArgs): Promise<unknown> {
    return road.call(this, args)
  }
  // A worker knows no `this`: calls of a method cannot be scheduled.
  if (self === undefined) noteRoad(face, road)
  Object.defineProperty(face, 'name', { value: road.name, configurable: true })
  return Object.assign(face, {
    refresh: (...args: AnyArgs) => road.refresh(self, args),
    invalidate: (...args: AnyArgs) => road.invalidate(self, args),
    delete: (...args: AnyArgs) => road.delete(self, args),
    set: (args: AnyArgs, value: unknown) => road.set(self, args, value),
    peek: (...args: AnyArgs) => road.peek(self, args),
    keyOf: (...args: AnyArgs) => road.keyOf(self, args),
  })
}
