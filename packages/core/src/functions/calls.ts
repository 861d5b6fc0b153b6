import type { Claim } from '../engine/claim.ts'
import type { Flights } from '../engine/flights.ts'
import type { Journal } from '../engine/journal.ts'
import type { Library } from '../engine/library.ts'
import { type PlaceOfMiss, type Wanted, placeOfMiss } from '../engine/place.ts'
import type { StoredResponse } from '../engine/stored-response.ts'
import type { Workings } from '../engine/workings.ts'
import { Own } from '../node/own.ts'
import type { Freshness } from '../policy/freshness.ts'
import type { Settings } from '../settings.ts'
import { Call, type CallRequest, type Outcome } from './call.ts'
import { encodeError, encodeValue } from './codec.ts'
import type { AnyArgs, FunctionRules } from './function-settings.ts'
import { NOBODY, NO_REQUEST, give, requestKeyOf, storedValue } from './stored-value.ts'

/** What the functions of a cache share, among themselves and with its pages. */
export interface FunctionServices extends Workings {
  readonly settings: Settings
  readonly journal: Journal
  readonly library: Library
  readonly flights: Flights
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

  /** Calls the function now. `held`: what is stored, and may have to go or to stand in. */
  begin(request: CallRequest, held: StoredResponse | undefined, keepsErrors: boolean, claim?: Claim): Call {
    const call = this.#lead(request)
    call.outcome = this.#make(call, request, held, keepsErrors, claim)
    return call
  }

  /**
   * The same for somebody who waits. Where processes share a store, one of them calls; the others wait for its value, for
   * as long as they would for a call of their own that does not come back.
   */
  beginMiss(request: CallRequest, held: StoredResponse | undefined): Call {
    const { library, isClosed } = this.#services
    const { sharing } = library
    if (sharing === undefined) return this.begin(request, held, true)
    this.makeWay(request.full)
    const call = this.#lead(request)
    const wanted = this.wanted(request, held)
    const place = placeOfMiss(library, sharing, wanted, this.#rules.refreshTimeoutMs, () => !isClosed())
    call.placed = place
    call.outcome = this.#takeOrMake(call, place, request, held)
    return call
  }

  /** What a call needs a place for among those of other processes. */
  wanted(request: CallRequest, held: StoredResponse | undefined): Wanted {
    const isGood = (found: StoredResponse): boolean => this.#isGood(found, request.args)
    return { key: requestKeyOf(request.key), request: NO_REQUEST, held, isGood }
  }

  /** A call of this process whose value nobody wants any more keeps nobody waiting. */
  makeWay(full: string): void {
    const call = this.#latest(full)
    if (call?.isUnderWay === true && !this.#isWanted(call)) call.release()
  }

  /** What callers get of what is stored; undefined for bytes that are no value. */
  give(held: StoredResponse): Promise<unknown> | undefined {
    const { journal, library } = this.#services
    try {
      return give(held, () => library.memory.resize(held))
    } catch {
      library.memory.remove(held)
      journal.note('store-error', () => ({ ...library.describe(held), reason: 'undecodable' }))
      return undefined
    }
  }

  /** Encodes and keeps a value that was made now. */
  keep(request: CallRequest, value: unknown, began: Began): Outcome {
    const outcome = this.#keep(request, value, began)
    if (!isKept(outcome)) began.claim?.end()
    return outcome
  }

  #keep(request: CallRequest, value: unknown, began: Began): Outcome {
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
  now(args: AnyArgs, claim?: Claim): Began {
    const { library } = this.#services
    return { order: library.nextOrder(), epoch: library.epoch, tags: this.#tagsOf(args), claim }
  }

  /** What stands for a call where purges are asked about it. */
  fence({ key, name }: CallRequest, tags: readonly string[]): StoredResponse {
    const { library } = this.#services
    return storedValue({ ...FENCE, key, name, tags, epoch: library.epoch, order: library.nextOrder() })
  }

  #lead(request: CallRequest): Call {
    const flight = this.#services.flights.lead(request.full)
    const call = new Call(flight)
    this.#byFlight.set(flight, call)
    return call
  }

  async #takeOrMake(
    call: Call,
    place: Promise<PlaceOfMiss>,
    request: CallRequest,
    held: StoredResponse | undefined,
  ): Promise<Outcome> {
    const found = await place
    if (found.kind !== 'stored') {
      return this.#make(call, request, held, true, found.kind === 'claim' ? found.claim : undefined)
    }
    this.#services.flights.land(request.full, call.flight, { kind: 'released' })
    return { kind: 'value', response: found.response }
  }

  /** Runs synchronously as far as the function does. */
  async #make(
    call: Call,
    request: CallRequest,
    held: StoredResponse | undefined,
    keepsErrors: boolean,
    claim: Claim | undefined,
  ): Promise<Outcome> {
    const { library, settings, flights } = this.#services
    const began = this.now(request.args, claim)
    const fence = this.fence(request, began.tags ?? [])
    const isFenced = (): boolean => !library.admits(fence) || fence.isExpired
    call.begin(settings.monotonicNow(), isFenced, claim)
    const outcome = await this.#run(request, began, held, keepsErrors)
    const written = isKept(outcome) ? library.visible(outcome.response.written) : undefined
    flights.land(request.full, call.flight, { kind: 'released' }, written)
    return outcome
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
      if (!keepsErrors || !this.#keepError(request, error, began, held)) began.claim?.end()
      return { kind: 'thrown', error }
    }
    return this.keep(request, value, began)
  }

  /** Whether what another process has made will do for one who waits. */
  #isGood(found: StoredResponse, args: AnyArgs): boolean {
    const now = this.#services.settings.now()
    const decision = found.decide(NOBODY, now)
    if (decision === 'fresh') return this.canGive(found)
    return decision === 'stale' && !this.#isTooOld(now - found.parts.receivedAt, args) && this.canGive(found)
  }

  /** Whether what is stored can be given at all: a process with a newer Node may have written what this one cannot read. */
  canGive(found: StoredResponse): boolean {
    const given = this.give(found)
    // An error that is kept is looked at by whoever gets it.
    given?.catch(() => undefined)
    return given !== undefined
  }

  #isTooOld(ageMs: number, args: AnyArgs): boolean {
    try {
      return this.#rules.fetchesWhenStale(ageMs, args)
    } catch {
      return true
    }
  }

  #latest(full: string): Call | undefined {
    const flight = this.#services.flights.get(full)
    return flight === undefined ? undefined : this.#byFlight.get(flight)
  }

  #isWanted(call: Call): boolean {
    return call.isWanted(this.#services.settings.monotonicNow(), this.#rules.refreshTimeoutMs)
  }

  /** Where it is asked for and nothing good is stored that could stand in later. Returns whether it is kept. */
  #keepError(
    request: CallRequest,
    error: unknown,
    { tags, ...began }: Began,
    held: StoredResponse | undefined,
  ): boolean {
    const now = this.#services.settings.now()
    if (tags === undefined || (held !== undefined && now < held.freshness.errorUntil)) return false
    const seconds = this.#lifetime(request, () => this.#rules.errorMaxAge(error, request.args))
    if (typeof seconds !== 'number' || seconds === 0) return false
    const body = this.#encode(request, () => encodeError(error))
    if (typeof body === 'string') return false
    const until = now + seconds * 1000
    const freshness = { bornAt: now, freshUntil: until, staleUntil: until, errorUntil: until }
    const { key, name } = request
    const stored = storedValue({ ...began, key, name, tags, body, isError: true, freshness })
    return 'written' in this.#services.library.keep(stored)
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
  /** Its place among all processes, where they share a store. */
  readonly claim: Claim | undefined
}

type Kept = Extract<Outcome, { kind: 'value' }>

const isKept = (outcome: Outcome): outcome is Kept => outcome.kind === 'value' && outcome.refused === undefined

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
