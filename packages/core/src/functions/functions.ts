import type { BackOff } from '../engine/back-off.ts'
import { Flights } from '../engine/flights.ts'
import type { Journal } from '../engine/journal.ts'
import type { Library } from '../engine/library.ts'
import type { RefreshQueue } from '../engine/refresh-queue.ts'
import { nameTaken } from '../errors.ts'
import type { Settings } from '../settings.ts'
import type { FunctionServices } from './calls.ts'
import { FunctionRoad } from './function-road.ts'
import type { AnyArgs, FunctionRules } from './function-settings.ts'

/** The cached functions of a cache, by name. */
export class Functions {
  readonly #services: FunctionServices
  readonly #roads = new Map<string, FunctionRoad>()
  readonly #closing = new Set<() => void>()
  #isClosed = false

  constructor(parts: {
    readonly settings: Settings
    readonly journal: Journal
    readonly library: Library
    readonly queue: RefreshQueue
    readonly backOff: BackOff
    readonly runClean: <T>(run: () => T) => T
  }) {
    this.#services = {
      ...parts,
      flights: new Flights(() => parts.library.nextOrder()),
      isClosed: () => this.#isClosed,
      onClose: (listener) => {
        if (this.#isClosed) listener()
        else this.#closing.add(listener)
        return () => this.#closing.delete(listener)
      },
    }
  }

  /** Throws CACHEBACK_NAME_TAKEN. */
  add(rules: FunctionRules, fetch: (self: unknown, args: AnyArgs) => unknown): FunctionRoad {
    if (this.#roads.has(rules.name)) throw nameTaken(rules.name)
    const road = new FunctionRoad(this.#services, rules, fetch)
    this.#roads.set(rules.name, road)
    return road
  }

  close(): void {
    this.#isClosed = true
    for (const listener of this.#closing) listener()
    this.#closing.clear()
  }
}
