import type { BackOff } from '../engine/back-off.ts'
import { Flights } from '../engine/flights.ts'
import type { Journal } from '../engine/journal.ts'
import type { Library } from '../engine/library.ts'
import type { RefreshQueue } from '../engine/refresh-queue.ts'
import type { StoredResponse } from '../engine/stored-response.ts'
import { Own } from '../node/own.ts'
import type { Freshness } from '../policy/freshness.ts'
import type { Settings } from '../settings.ts'
import { Call, type CallRequest, type Outcome } from './call.ts'
import { encodeError, encodeValue } from './codec.ts'
import type { AnyArgs, FunctionRules } from './function-settings.ts'
import { give, requestKeyOf, storedValue } from './stored-value.ts'

/** What the functions of a cache share, among themselves and with its pages. */
export interface FunctionServices {
  readonly settings: Settings
  readonly journal: Journal
  readonly library: Library
  readonly queue: RefreshQueue
  readonly backOff: BackOff
  readonly flights: Flights
  /** Runs something in nobody's async context. */
  readonly runClean: <T>(run: () => T) => T
  readonly isClosed: () => boolean
  /** Returns a function that takes the listener away again. */
  readonly onClose: (listener: () => void) => () => void
}

/** The calls of one function: made, kept, and shared with those who want the same meanwhile. */
export class Calls {
  readonly #services: FunctionServices
  readonly #rules: FunctionRules
  readonly #fetch: (self: unknown, args: AnyArgs) => unknown
  readonly #byFlight = new Own<Call>()

  constructor(services: FunctionServices, rules: FunctionRules, fetch: (self: unknown, args: AnyArgs) => unknown) {
    this.#services = services
    this.#rules = rules
    this.#fetch = fetch
  }

  /** A call whose value suits somebody who has looked for it at this moment, and has found nothing. */
  joinable(full: string, lookedAt: number): Call | undefined {
    const call = this.#latest(full)
    return call?.flight.isJoinable(lookedAt) === true && this.#isWanted(call) ? call : undefined
  }

  underWay(full: string): Call | undefined {
    const call = this.#latest(full)
    return call?.isUnderWay === true && this.#isWanted(call) ? call : undefined
  }

  /** Calls the function. `held`: what is stored, and may have to go or to stand in. */
  begin(request: CallRequest, held: StoredResponse | undefined, keepsErrors: boolean): Call {
    const { library, settings, flights } = this.#services
    const began = this.now(request.args)
    const flight = flights.lead(request.full)
    const { full } = request
    const fence = this.fence(request, began.tags ?? [])
    const isFenced = (): boolean => !library.admits(fence) || fence.freshness !== FENCE.freshness
    const call = new Call(flight, settings.monotonicNow(), isFenced)
    this.#byFlight.set(flight, call)
    const conclude = async (): Promise<Outcome> => {
      const outcome = await this.#run(request, began, held, keepsErrors)
      const isKept = outcome.kind === 'value' && outcome.refused === undefined
      const written = isKept ? library.visible(outcome.response.written) : undefined
      flights.land(full, flight, { kind: 'released' }, written)
      return outcome
    }
    call.outcome = conclude()
    return call
  }

  /** Encodes and keeps a value that was made now. */
  keep(request: CallRequest, value: unknown, began: Began): Outcome {
    const freshness = this.#freshnessOf(request, value)
    const body = this.#encode(request, () => encodeValue(value))
    if (typeof body === 'string') return { kind: 'raw', value, refused: body }
    const { tags } = began
    const details = { ...began, key: request.key, name: request.name, body, isError: false }
    const response = storedValue({
      ...details,
      tags: tags ?? [],
      freshness: typeof freshness === 'string' ? FENCE.freshness : freshness,
    })
    try {
      void give(response)
    } catch {
      // Nested so deeply that V8 can write it and cannot read it.
      return { kind: 'raw', value, refused: this.#report(request, 'not-cloneable') }
    }
    if (tags === undefined) return { kind: 'value', response, refused: this.#report(request, 'tags') }
    if (typeof freshness === 'string') return { kind: 'value', response, refused: freshness }
    const kept = this.#services.library.keep(response)
    if ('refused' in kept) return { kind: 'value', response, refused: kept.refused }
    this.#services.backOff.succeeded(request.full)
    return { kind: 'value', response }
  }

  /** Where a call begins in the order of things. */
  now(args: AnyArgs): Began {
    const { library } = this.#services
    return { order: library.nextOrder(), epoch: library.epoch, tags: this.#tagsOf(args) }
  }

  /** What stands for a call where purges are asked about it. */
  fence({ key, name }: CallRequest, tags: readonly string[]): StoredResponse {
    const { library } = this.#services
    return storedValue({ ...FENCE, key, name, tags, epoch: library.epoch, order: library.nextOrder() })
  }

  async #run(
    request: CallRequest,
    began: Began,
    held: StoredResponse | undefined,
    keepsErrors: boolean,
  ): Promise<Outcome> {
    let value: unknown
    try {
      value = await this.#fetch(request.self, request.args)
    } catch (error) {
      if (keepsErrors) this.#keepError(request, error, began, held)
      return { kind: 'thrown', error }
    }
    return this.keep(request, value, began)
  }

  #latest(full: string): Call | undefined {
    const flight = this.#services.flights.get(full)
    return flight === undefined ? undefined : this.#byFlight.get(flight)
  }

  #isWanted(call: Call): boolean {
    return call.isWanted(this.#services.settings.monotonicNow(), this.#rules.refreshTimeoutMs)
  }

  /** Where it is asked for and nothing good is stored that could stand in later. */
  #keepError(request: CallRequest, error: unknown, { tags, ...began }: Began, held: StoredResponse | undefined): void {
    const now = this.#services.settings.now()
    if (tags === undefined || (held !== undefined && now < held.freshness.errorUntil)) return
    const seconds = this.#lifetime(request, () => this.#rules.errorMaxAge(error, request.args))
    if (typeof seconds !== 'number' || seconds === 0) return
    const body = this.#encode(request, () => encodeError(error))
    if (typeof body === 'string') return
    const until = now + seconds * 1000
    const freshness = { bornAt: now, freshUntil: until, staleUntil: until, errorUntil: until }
    const { key, name } = request
    this.#services.library.keep(storedValue({ ...began, key, name, tags, body, isError: true, freshness }))
  }

  /** The times of a value made now; or why it is not to be stored. */
  #freshnessOf(request: CallRequest, value: unknown): Freshness | string {
    const { maxAge, staleWhileRevalidate, staleIfError } = this.#rules
    const { args } = request
    const seconds = this.#lifetime(request, () => maxAge(value, args))
    const stale = this.#lifetime(request, () => staleWhileRevalidate(value, args) ?? 0)
    const error = this.#lifetime(request, () => staleIfError(value, args) ?? 0)
    if (seconds === undefined) return 'no-freshness'
    if (typeof seconds !== 'number' || typeof stale !== 'number' || typeof error !== 'number') return 'lifetime'
    if (seconds + stale + error === 0) return 'expired'
    const bornAt = this.#services.settings.now()
    const freshUntil = bornAt + seconds * 1000
    return { bornAt, freshUntil, staleUntil: freshUntil + stale * 1000, errorUntil: freshUntil + error * 1000 }
  }

  #lifetime(request: CallRequest, ask: () => number | undefined): number | undefined | 'lifetime' {
    try {
      return ask()
    } catch {
      this.#report(request, 'lifetime')
      return 'lifetime'
    }
  }

  /** Undefined where the function of the user's throws, or gives something else. */
  #tagsOf(args: AnyArgs): readonly string[] | undefined {
    try {
      const tags: unknown = this.#rules.tags?.(args) ?? []
      return Array.isArray(tags) && tags.every((tag) => typeof tag === 'string') ? tags.slice() : undefined
    } catch {
      return undefined
    }
  }

  /** The bytes of something; or why it has none that can be stored. */
  #encode(request: CallRequest, encode: () => Buffer): Buffer | string {
    try {
      const body = encode()
      return body.length > this.#services.settings.maxEntryBytes ? this.#report(request, 'too-large') : body
    } catch {
      return this.#report(request, 'not-cloneable')
    }
  }

  #report(request: CallRequest, reason: string): string {
    this.#services.journal.note('store-error', () => ({ ...describeCall(this.#services, request), reason }))
    return reason
  }
}

interface Began {
  readonly order: number
  readonly epoch: number
  /** Undefined: nobody knows them. */
  readonly tags: readonly string[] | undefined
}

/** The key and the name by which events know a call. */
export const describeCall = (
  { library }: FunctionServices,
  { key, name }: CallRequest,
): { key: string; route: string } => ({
  key: library.describeKey(requestKeyOf(key)),
  route: name,
})

const FENCE = {
  body: Buffer.alloc(0),
  isError: false,
  freshness: { bornAt: 0, freshUntil: Number.MAX_SAFE_INTEGER, staleUntil: 0, errorUntil: 0 },
}
