import { Flights } from '../engine/flights.ts'
import type { RefreshJob } from '../engine/job-queue.ts'
import type { Journal } from '../engine/journal.ts'
import type { Library } from '../engine/library.ts'
import type { Workings } from '../engine/workings.ts'
import { invalidOption, nameTaken } from '../errors.ts'
import type { Settings } from '../settings.ts'
import type { FunctionServices } from './calls.ts'
import { readFunctionJob } from './function-job.ts'
import { FunctionRoad } from './function-road.ts'
import { roadOf } from './wrap.ts'
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

  /** The job that makes a call again and again. Throws CACHEBACK_INVALID_OPTION for what is no function of this cache. */
  scheduledJob(call: object, args: AnyArgs): RefreshJob {
    const road = typeof call === 'function' || (typeof call === 'object' && call !== null) ? roadOf(call) : undefined
    const job = road !== undefined && this.#roads.get(road.name) === road ? road.scheduledJob(args) : undefined
    if (job === undefined) throw invalidOption('schedule', SCHEDULED, call)
    return job
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

const SCHEDULED = 'calls of functions that this cache has wrapped, with arguments that a worker gets as they are'
