import type { StoredResponse } from '../engine/stored-response.ts'
import type { Call, CallRequest, Outcome } from './call.ts'
import { type Calls, type FunctionServices, describeCall } from './calls.ts'
import type { FunctionRules } from './function-settings.ts'
import { NO_REQUEST, requestKeyOf } from './stored-value.ts'

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

  /** Queues one refresh, unless one is queued or under way, or the last has failed a moment ago. */
  soon(request: CallRequest, held: StoredResponse | undefined): void {
    const { backOff, journal, queue, runClean, isClosed } = this.#services
    const { full } = request
    if (isClosed() || this.#waiting.has(full) || backOff.forbids(full)) return
    if (this.#calls.underWay(full) !== undefined) return
    this.#waiting.add(full)
    const isQueued = runClean(() => queue.add(full, () => this.#refresh(request, held)))
    if (isQueued) return
    this.#waiting.delete(full)
    journal.note('refresh-dropped', () => ({ ...describeCall(this.#services, request), reason: 'queue-full' }))
  }

  /** Calls the function for somebody who wants a new value now. Resolves with how it ended. */
  async now(request: CallRequest, held: StoredResponse | undefined): Promise<Outcome> {
    const { runClean, settings } = this.#services
    const startedAt = settings.monotonicNow()
    const outcome = await runClean(() => this.#calls.begin(request, held, false).outcome!)
    this.#conclude(request, held, outcome, startedAt)
    return outcome
  }

  /** Holds its place in the queue until the call has come back, or counts as lost. Never rejects. */
  async #refresh(request: CallRequest, held: StoredResponse | undefined): Promise<void> {
    const call = await this.#begin(request, held).finally(() => this.#waiting.delete(request.full))
    if (call === undefined) return
    const timer = setTimeout(() => call.giveUp(), this.#rules.refreshTimeoutMs)
    timer.unref()
    const stop = this.#services.onClose(() => call.giveUp())
    await Promise.race([call.outcome, call.lost])
    clearTimeout(timer)
    stop()
  }

  /** Undefined where there is nothing to do any more. */
  async #begin(request: CallRequest, held: StoredResponse | undefined): Promise<Call | undefined> {
    const { library, settings, isClosed } = this.#services
    // Purged while it waited here: whoever wants it asks again.
    if (held !== undefined && !library.admits(held)) return undefined
    const isFresh = (response: StoredResponse | undefined): boolean =>
      response?.decide(NO_REQUEST_OF_ANYBODY, settings.now()) === 'fresh'
    // Somebody may have made it while it waited here: in this process, or in another one.
    if (isFresh(library.inMemory(request.full, NO_REQUEST))) return undefined
    const lookedAt = library.nextOrder()
    if (library.hasStore && isFresh(await library.read(requestKeyOf(request.key), NO_REQUEST))) return undefined
    // Or is making it, or has made it and the store has it in a moment.
    if (isClosed() || this.#calls.joinable(request.full, lookedAt) !== undefined) return undefined
    const call = this.#calls.begin(request, held, false)
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

  /** Whether nothing newer has come in its place, as far as this process knows. */
  #isStored(held: StoredResponse): boolean {
    const { library } = this.#services
    return library.memory.isOn ? library.inMemory(held.parts.key, NO_REQUEST) === held : library.admits(held)
  }
}

/** A purge or a newer value came in between. */
const BY_CHANCE = new Set(['purged', 'superseded'])
const NO_REQUEST_OF_ANYBODY = { authorized: false }
