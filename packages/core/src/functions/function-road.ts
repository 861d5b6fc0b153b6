import type { RefreshJob } from '../engine/job-queue.ts'
import type { StoredResponse } from '../engine/stored-response.ts'
import { closed } from '../errors.ts'
import { keyOfArguments } from './argument-key.ts'
import type { Call, CallRequest, Outcome } from './call.ts'
import { Calls, type FunctionServices, describeCall } from './calls.ts'
import { type FunctionJob, functionJob } from './function-job.ts'
import type { CallInfo, PeekedValue } from './function-options.ts'
import type { AnyArgs, FunctionRules } from './function-settings.ts'
import { Refreshes } from './refreshes.ts'
import { NOBODY, NO_REQUEST, fullKeyOf, give, isError, keyOfFull, pathOf, requestKeyOf } from './stored-value.ts'

/**
 * The road of a call: key, stored? decide; then give, or give and refresh, or call the function. It runs synchronously
 * until something has to be waited for, as the road of a request does.
 */
export class FunctionRoad {
  readonly name: string
  readonly #services: FunctionServices
  readonly #rules: FunctionRules
  readonly #fetch: (self: unknown, args: AnyArgs) => unknown
  readonly #calls: Calls
  readonly #refreshes: Refreshes
  /** The full keys of calls with one short text. */
  readonly #known = new Map<string, string>()

  constructor(services: FunctionServices, rules: FunctionRules, fetch: (self: unknown, args: AnyArgs) => unknown) {
    this.name = rules.name
    this.#services = services
    this.#rules = rules
    this.#fetch = fetch
    this.#calls = new Calls(services, rules, fetch)
    this.#refreshes = new Refreshes(services, rules, this.#calls)
  }

  /** Rejects with what the function throws, and with CACHEBACK_UNKEYABLE_ARGUMENT. */
  call(self: unknown, args: AnyArgs): Promise<unknown> {
    try {
      if (this.#services.isClosed()) return this.#passUncached(self, args)
      const full = this.#fullKeyOf(self, args)
      const { catchingUp } = this.#services.library
      if (catchingUp === undefined) return this.#look(self, args, full)
      return catchingUp.then(() => this.#look(self, args, full))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** A key that has been looked up before is found sooner than one that was put together a moment ago. */
  #fullKeyOf(self: unknown, args: AnyArgs): string {
    const [argument] = args
    const isShort = args.length === 1 && this.#rules.key === undefined && typeof argument === 'string'
    if (!isShort || argument.length > MAX_KNOWN_LENGTH) return fullKeyOf(this.keyOf(self, args))
    const known = this.#known.get(argument)
    if (known !== undefined) return known
    const full = fullKeyOf(this.keyOf(self, args))
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.set(argument, full)
    return full
  }

  keyOf(self: unknown, args: AnyArgs): string {
    const { key } = this.#rules
    const keyed = key === undefined ? args : key(self, args)
    return `${this.name}:${keyOfArguments(this.name, Array.isArray(keyed) ? keyed : [keyed])}`
  }

  async refresh(self: unknown, args: AnyArgs): Promise<unknown> {
    const request = this.#requestOf(self, args)
    return giveOutcome(await this.#refreshes.now(request, await this.#find(request)))
  }

  async invalidate(self: unknown, args: AnyArgs): Promise<boolean> {
    const request = this.#requestOf(self, args)
    const held = await this.#find(request)
    if (held === undefined) return false
    const told = this.#services.library.invalidations.invalidateEntry(pathOf(request.key), true)
    // Not before the mark has its number: else it would be younger than the call that it asks for, and fence that.
    await told.finally(() => this.#refreshes.soon(request, held))
    return true
  }

  async delete(self: unknown, args: AnyArgs): Promise<boolean> {
    const { library } = this.#services
    const request = this.#requestOf(self, args)
    const held = await this.#find(request)
    const told = library.invalidations.invalidateEntry(pathOf(request.key), false)
    // Also what lies in the store and could not be read now.
    library.remove(held ?? this.#calls.fence(request, []))
    await told
    return held !== undefined
  }

  async set(self: unknown, args: AnyArgs, value: unknown): Promise<boolean> {
    const request = this.#requestOf(self, args)
    const { hasStore, sharing } = this.#services.library
    // Its rank arrives later: nothing has been read that could be older than that.
    const claim = sharing?.order(requestKeyOf(request.key), NO_REQUEST, 0)
    const outcome = this.#calls.keep(request, value, this.#calls.now(args, claim))
    if (outcome.kind !== 'value' || outcome.refused !== undefined) return false
    await outcome.response.written
    return !hasStore || outcome.response.isInStore
  }

  async peek(self: unknown, args: AnyArgs): Promise<PeekedValue<unknown> | undefined> {
    const held = await this.#find(this.#requestOf(self, args))
    if (held === undefined) return undefined
    const { freshUntil, staleUntil, errorUntil } = held.freshness
    const usableUntil = Math.max(freshUntil, staleUntil, errorUntil)
    const times = { storedAt: held.parts.receivedAt, freshUntil, usableUntil }
    const given = this.#calls.give(held)
    if (given === undefined) return undefined
    return given.then(
      (value) => ({ value, error: undefined, ...times }),
      (error: unknown) => ({ value: undefined, error, ...times }),
    )
  }

  /** A closed cache keeps nothing and makes nothing behind anybody's back. */
  async #passUncached(self: unknown, args: AnyArgs): Promise<unknown> {
    if (!this.#rules.fetchesOnMiss(args)) return this.#out(this.#rules.empty(args), MISSED, args)
    return this.#out(await this.#fetch(self, args), MADE, args)
  }

  /** The job that makes this call again and again. Undefined where its arguments cannot leave the process. */
  scheduledJob(args: AnyArgs): RefreshJob | undefined {
    return functionJob(this.#requestOf(undefined, args), 0, true)
  }

  /** The worker's side of a refresh. Rejects where it is to be tried again. Returns why it is refused, if it is. */
  async perform({ args, full, always }: FunctionJob, signal: AbortSignal): Promise<string | undefined> {
    let request: CallRequest
    try {
      request = this.#requestOf(undefined, args)
    } catch (error) {
      if (this.#services.isClosed()) throw error
      // A `key` of the user's may do what it likes with what is no argument of his.
      return 'job-key'
    }
    if (request.full !== full) return 'job-key'
    await this.#refreshes.perform(request, await this.#find(request), always, signal)
    return undefined
  }

  #requestOf(self: unknown, args: AnyArgs): CallRequest {
    if (this.#services.isClosed()) throw closed()
    const full = this.#fullKeyOf(self, args)
    return { self, args, key: keyOfFull(full), full, name: this.name }
  }

  #look(self: unknown, args: AnyArgs, full: string): Promise<unknown> {
    const { library, settings } = this.#services
    const held = library.inMemory(full, NO_REQUEST)
    const isFresh = held?.decide(NOBODY, settings.now()) === 'fresh'
    const hit = isFresh && library.vouchesFor(held) ? this.#hit(held, args) : undefined
    if (hit !== undefined) return hit
    const request: CallRequest = { self, args, key: keyOfFull(full), full, name: this.name }
    const used = held === undefined || isFresh ? undefined : this.#use(request, held)
    if (used !== undefined) return used
    return library.hasStore ? this.#lookInStore(request, held) : this.#miss(request, held, library.nextOrder())
  }

  async #lookInStore(request: CallRequest, held: StoredResponse | undefined): Promise<unknown> {
    const { library } = this.#services
    const lookedAt = library.nextOrder()
    const read = await library.read(requestKeyOf(request.key), NO_REQUEST)
    // Something may have come into memory while the store was asked, or have been purged.
    const best = library.inMemory(request.full, NO_REQUEST) ?? read ?? library.still(held)
    const used = best === undefined ? undefined : this.#use(request, best)
    return used ?? this.#miss(request, best, lookedAt)
  }

  /** Gives what is stored if it is fresh, or stale and good enough; the latter is made anew behind it. */
  #use(request: CallRequest, held: StoredResponse): Promise<unknown> | undefined {
    const { journal, library, settings } = this.#services
    const now = settings.now()
    // Cut off from the other processes for too long, nobody knows whether it has been purged.
    if (!library.vouchesFor(held)) return undefined
    const decision = held.decide(NOBODY, now)
    if (decision === 'fresh') return this.#hit(held, request.args)
    if (decision !== 'stale' || this.#isTooOld(held, now, request)) return undefined
    const given = this.#calls.give(held)
    if (given === undefined) return undefined
    held.hits += 1
    journal.note('stale', () => library.describe(held))
    this.#refreshes.soon(request, held)
    return this.#processed(given, STALE, request.args)
  }

  /** Undefined for what cannot be read. */
  #hit(held: StoredResponse, args: AnyArgs): Promise<unknown> | undefined {
    const given = this.#calls.give(held)
    if (given === undefined) return undefined
    held.hits += 1
    this.#services.journal.note('hit', () => this.#services.library.describe(held))
    return this.#processed(given, HIT, args)
  }

  #processed(given: Promise<unknown>, info: CallInfo, args: AnyArgs): Promise<unknown> {
    const { process } = this.#rules
    return process === undefined ? given : given.then((value) => process(value, info, args))
  }

  #isTooOld({ parts }: StoredResponse, now: number, { args }: CallRequest): boolean {
    return this.#rules.fetchesWhenStale(now - parts.receivedAt, args)
  }

  /** Nothing is stored that could be given. `held`: what may stand in where the function throws. */
  async #miss(request: CallRequest, held: StoredResponse | undefined, lookedAt: number): Promise<unknown> {
    const { journal, settings } = this.#services
    const decision = held?.decide(NOBODY, settings.now())
    const isStale = decision === 'stale'
    const describe = () => describeCall(this.#services, request)
    journal.note('miss', describe)
    if (!isStale && !this.#rules.fetchesOnMiss(request.args)) {
      this.#refreshes.soon(request, undefined)
      return this.#out(this.#rules.empty(request.args), MISSED, request.args)
    }
    const outcome = await this.#fetchOrJoin(request, held, lookedAt)
    const standIn = outcome.kind === 'thrown' ? this.#standIn(held) : undefined
    if (standIn === undefined) return this.#out(await giveOutcome(outcome), isStale ? RENEWED : MADE, request.args)
    journal.note('stale', () => ({ ...describe(), reason: 'stale-if-error' }))
    return this.#out(await standIn, RENEWED, request.args)
  }

  /** Waits for a call under way, or makes one. */
  async #fetchOrJoin(request: CallRequest, held: StoredResponse | undefined, lookedAt: number): Promise<Outcome> {
    let call: Call | undefined
    while ((call = this.#calls.joinable(request.full, lookedAt)) !== undefined) {
      // Its own time begins when no other process is at it any more.
      if (call.placed !== undefined) await call.placed
      const joined = await call.flight.join(this.#rules.refreshTimeoutMs, () => true)
      if (joined.kind !== 'timeout') return call.outcome!
      call.giveUp()
      // Another one who has waited may have made it meanwhile.
      const made = this.#services.library.inMemory(request.full, NO_REQUEST)
      const isGood = made !== undefined && made !== held && !isError(made) && this.#calls.canGive(made)
      if (isGood) return { kind: 'value', response: made }
    }
    return this.#calls.beginMiss(request, held).outcome!
  }

  #standIn(held: StoredResponse | undefined): Promise<unknown> | undefined {
    if (held === undefined || isError(held) || !this.#services.library.admits(held)) return undefined
    return this.#services.settings.now() < held.freshness.errorUntil ? this.#calls.give(held) : undefined
  }

  /** What is stored for a call, whatever its age. */
  async #find(request: CallRequest): Promise<StoredResponse | undefined> {
    const { library } = this.#services
    await library.catchingUp
    const held = library.inMemory(request.full, NO_REQUEST)
    return held ?? (library.hasStore ? await library.read(requestKeyOf(request.key), NO_REQUEST) : undefined)
  }

  #out(value: unknown, info: CallInfo, args: AnyArgs): unknown {
    const { process } = this.#rules
    return process === undefined ? value : process(value, info, args)
  }
}

function giveOutcome(outcome: Outcome): Promise<unknown> {
  if (outcome.kind === 'thrown') return Promise.reject(outcome.error)
  return outcome.kind === 'raw' ? Promise.resolve(outcome.value) : give(outcome.response)
}

/** Texts that are remembered, and how long they may be. */
const MAX_KNOWN = 2000
const MAX_KNOWN_LENGTH = 64

const HIT: CallInfo = { status: 'hit', sync: undefined }
const STALE: CallInfo = { status: 'stale', sync: false }
const RENEWED: CallInfo = { status: 'stale', sync: true }
const MISSED: CallInfo = { status: 'miss', sync: false }
const MADE: CallInfo = { status: 'miss', sync: true }
