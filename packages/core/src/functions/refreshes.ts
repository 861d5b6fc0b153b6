import { isLater } from '../engine/memory.ts'
import { placeOfRefresh } from '../engine/place.ts'
import type { StoredResponse } from '../engine/stored-response.ts'
import type { Call, CallRequest, Outcome } from './call.ts'
import { type Calls, type FunctionServices, describeCall } from './calls.ts'
import { functionJob } from './function-job.ts'
import type { FunctionRules } from './function-settings.ts'
import { NOBODY, NO_REQUEST, requestKeyOf } from './stored-value.ts'

/** The calls of one function that nobody waits for. */
export class Refreshes {
  readonly #services: FunctionServices
  readonly #rules: FunctionRules
  readonly #calls: Calls
  /** Keys that are queued, and not yet begun. */
  readonly #waiting = new Set<string>()

  constructor(services: FunctionServices, rules: FunctionRules, calls: Calls) {
    this.#services = services
    this.#rules = rules
    this.#calls = calls
  }

  /** Has one refresh made, unless one is queued or under way, or the last has failed a moment ago. */
  soon(request: CallRequest, held: StoredResponse | undefined): void {
    const { backOff, elsewhere, isClosed } = this.#services
    const { full } = request
    if (isClosed() || this.#waiting.has(full) || elsewhere.has(full) || backOff.forbids(full)) return
    if (this.#calls.underWay(full) === undefined && !this.#sends(request, held)) this.#queue(request, held)
  }

  /** Calls the function for somebody who wants a new value now. Resolves with how it ended. */
  async now(request: CallRequest, held: StoredResponse | undefined): Promise<Outcome> {
    const call = await this.#beginNow(request, held)
    const outcome = await call.outcome!
    this.#conclude(request, held, outcome, call.startedAt)
    return outcome
  }

  /** The worker's side. Rejects with why it has failed: it is to be tried again. */
  async perform(
    request: CallRequest,
    held: StoredResponse | undefined,
    always: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { journal, library } = this.#services
    if (!always && held !== undefined && this.#isFresh(held)) {
      journal.note('refresh-dropped', () => ({ ...library.describe(held), reason: 'already-fresh' }))
      return
    }
    // A queue has one job for a key: nobody else has to be kept from it.
    const call = await this.#beginNow(request, held)
    void this.#watch(request, held, call)
    const outcome = await this.#hold(call, signal)
    if (outcome === undefined) throw new Error('timeout')
    if (outcome.kind === 'thrown') throw outcome.error
    const { refused } = outcome
    if (refused !== undefined && BY_CHANCE.has(refused)) throw new Error(refused)
    if (outcome.kind === 'raw' || refused !== undefined) return
    // What is not in the store was made for nobody.
    await outcome.response.written
    if (!outcome.response.isInStore) throw new Error('not-written')
  }

  /** Hands it to the workers, if there are any who could make it. Returns false where it is to be made here. */
  #sends(request: CallRequest, held: StoredResponse | undefined): boolean {
    const { dispatch, library, runClean } = this.#services
    // What a worker makes comes back through the store, or not at all.
    if (dispatch === undefined || held?.isInStore === false || library.breakerState !== 'closed') return false
    const { full } = request
    // Where nothing is stored, a purge is the end of what has been sent before.
    const knownAt = held?.parts.receivedAt ?? library.epoch
    if (dispatch.isUnderWay(full, knownAt)) return true
    const job = functionJob(request, library.epoch)
    if (job === undefined) return false
    // Without copies in memory, every call looks for itself.
    const look = library.memory.isOn || held === undefined ? () => this.#seek(request, held) : undefined
    const describe = (): ReturnType<typeof describeCall> => describeCall(this.#services, request)
    const otherwise = (): void => this.#queue(request, held)
    runClean(() => dispatch.send({ key: full, knownAt, job, describe, look, otherwise }))
    return true
  }

  /** Looks whether a worker has put something newer into the store, or has removed what was there. */
  async #seek(request: CallRequest, held: StoredResponse | undefined): Promise<boolean> {
    const { library } = this.#services
    await library.catchingUp
    const found = await library.read(requestKeyOf(request.key), NO_REQUEST)
    if (found !== undefined) return held === undefined || isLater(found, held)
    if (held === undefined || (await library.isStored(held))) return false
    library.memory.remove(held)
    return true
  }

  #queue(request: CallRequest, held: StoredResponse | undefined): void {
    const { journal, queue, runClean, isClosed } = this.#services
    const { full } = request
    if (isClosed() || this.#waiting.has(full)) return
    this.#waiting.add(full)
    const isQueued = runClean(() => queue.add(full, () => this.#refresh(request, held)))
    if (isQueued) return
    this.#waiting.delete(full)
    journal.note('refresh-dropped', () => ({ ...describeCall(this.#services, request), reason: 'queue-full' }))
  }

  /** Holds its place in the queue until the call has come back, or counts as lost. Never rejects. */
  async #refresh(request: CallRequest, held: StoredResponse | undefined): Promise<void> {
    const call = await this.#begin(request, held).finally(() => this.#waiting.delete(request.full))
    if (call !== undefined) await this.#hold(call)
  }

  /** Until the call has come back, or counts as lost: then undefined. */
  async #hold(call: Call, signal?: AbortSignal): Promise<Outcome | undefined> {
    const giveUp = (): void => call.giveUp()
    const timer = setTimeout(giveUp, this.#rules.refreshTimeoutMs)
    timer.unref()
    const stop = this.#services.onClose(giveUp)
    signal?.addEventListener('abort', giveUp)
    if (signal?.aborted === true) giveUp()
    const outcome = await Promise.race([call.outcome!, call.lost])
    clearTimeout(timer)
    stop()
    signal?.removeEventListener('abort', giveUp)
    return outcome ?? undefined
  }

  /** Calls the function, whatever other processes do. */
  async #beginNow(request: CallRequest, held: StoredResponse | undefined): Promise<Call> {
    const { library, runClean } = this.#services
    const claim = await library.order(requestKeyOf(request.key), NO_REQUEST, held)
    return runClean(() => this.#calls.begin(request, held, false, claim))
  }

  /** Undefined where there is nothing to do any more. */
  async #begin(request: CallRequest, held: StoredResponse | undefined): Promise<Call | undefined> {
    const { elsewhere, library, isClosed } = this.#services
    const { full } = request
    // Purged while it waited here: whoever wants it asks again.
    if (held !== undefined && !library.admits(held)) return undefined
    // Somebody may have made it while it waited here: in this process, or in another one.
    const made = library.inMemory(full, NO_REQUEST)
    if (made !== undefined && this.#isFresh(made)) return undefined
    const lookedAt = library.nextOrder()
    this.#calls.makeWay(full)
    const wanted = { ...this.#calls.wanted(request, held), isGood: (found: StoredResponse) => this.#isFresh(found) }
    const place = library.hasStore ? await placeOfRefresh(library, wanted) : HERE
    if (place.kind === 'busy') elsewhere.await(full, place.over)
    if (place.kind !== 'claim') return undefined
    const { claim } = place
    // Or is making it, or has made it and the store has it in a moment; or it was purged meanwhile.
    const isNeedless =
      this.#calls.joinable(full, lookedAt) !== undefined || (held !== undefined && !library.admits(held))
    if (isClosed() || isNeedless) {
      claim?.end()
      return undefined
    }
    this.#waiting.delete(full)
    const call = this.#calls.begin(request, held, false, claim)
    void this.#watch(request, held, call)
    return call
  }

  async #watch(request: CallRequest, held: StoredResponse | undefined, call: Call): Promise<void> {
    const outcome = await Promise.race([call.outcome!, call.lost])
    const { isClosed, journal } = this.#services
    if (isClosed()) return
    if (outcome !== undefined) return this.#conclude(request, held, outcome, call.startedAt)
    journal.note('refresh-failed', () => ({ ...describeCall(this.#services, request), reason: 'timeout' }))
    // What comes late is better than nothing, and ends the pause that a failure after it has begun.
    const late = await call.outcome!
    if (late.kind === 'value' && late.refused === undefined) this.#conclude(request, held, late, call.startedAt)
  }

  /** What a call has brought: a new value, the end of the old one, or nothing but a reason to wait. */
  #conclude(request: CallRequest, held: StoredResponse | undefined, outcome: Outcome, startedAt: number): void {
    const { backOff, journal, library, settings } = this.#services
    const { full } = request
    const durationMs = settings.monotonicNow() - startedAt
    const described = (more: object) => () => ({ ...describeCall(this.#services, request), durationMs, ...more })
    if (outcome.kind === 'thrown') {
      backOff.failed(full)
      journal.note('refresh-failed', described({ reason: 'thrown', error: outcome.error }))
      return
    }
    const { refused } = outcome
    if (refused !== undefined && BY_CHANCE.has(refused)) return
    backOff.succeeded(full)
    // The function has spoken, and what it says is not to be kept: nor is what it said before.
    if (refused !== undefined && held !== undefined && this.#isStored(held)) library.remove(held)
    journal.note('refresh', described({ reason: refused }))
  }

  /** What cannot be read, however fresh, is as good as not there. */
  #isFresh(response: StoredResponse): boolean {
    return response.decide(NOBODY, this.#services.settings.now()) === 'fresh' && this.#calls.canGive(response)
  }

  /** Whether nothing newer has come in its place, as far as this process knows. */
  #isStored(held: StoredResponse): boolean {
    const { library } = this.#services
    return library.memory.isOn ? library.inMemory(held.parts.key, NO_REQUEST) === held : library.admits(held)
  }
}

/** A purge or a newer value came in between. */
const BY_CHANCE = new Set(['purged', 'superseded'])

const HERE = { kind: 'claim', claim: undefined } as const
