import { Flights } from '../engine/flights.ts'
import type { Journal } from '../engine/journal.ts'
import type { Library } from '../engine/library.ts'
import type { Workings } from '../engine/workings.ts'
import { nameTaken } from '../errors.ts'
import type { Settings } from '../settings.ts'
import type { FunctionServices } from './calls.ts'
import { readFunctionJob } from './function-job.ts'
import { FunctionRoad } from './function-road.ts'
import type { AnyArgs, FunctionRules } from './function-settings.ts'

/** The cached functions of a cache, by name. */
export class Functions {
  readonly #services: FunctionServices
  readonly #roads = new Map<string, FunctionRoad>()
  readonly #closing = new Set<() => void>()
  #isClosed = false

  constructor(parts: Workings & { readonly settings: Settings; readonly journal: Journal; readonly library: Library }) {
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

  get size(): number {
    return this.#roads.size
  }

  has(road: FunctionRoad): boolean {
    return this.#roads.get(road.name) === road
  }

  /** The worker's side of a refresh. Rejects where it is to be tried again. */
  async perform(payload: unknown, signal: AbortSignal): Promise<void> {
    const { journal, library } = this.#services
    const job = readFunctionJob(payload)
    if (job !== undefined) await library.catchUpTo(job.epoch)
    const road = job === undefined ? undefined : this.#roads.get(job.name)
    const refused = job === undefined ? 'job-form' : road === undefined ? 'job-name' : await road.perform(job, signal)
    if (refused !== undefined) journal.note('refresh-dropped', () => ({ key: '', route: undefined, reason: refused }))
  }

  close(): void {
    this.#isClosed = true
    for (const listener of this.#closing) listener()
    this.#closing.clear()
  }
}
