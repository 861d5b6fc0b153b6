import type { PurgeReport } from '../types.ts'
import type { ReadSelector } from '../policy/selector.ts'
import type { Membership, NumberedMark, PastMark, PurgeState } from '../stores/shared-store.ts'
import type { GuardedStore } from './guarded-store.ts'
import { type Mark, PurgeMarks } from './purge-marks.ts'
import type { Purges } from './purges.ts'
import { isMark } from './purge-ledger.ts'
import type { StoredResponse } from './stored-response.ts'

/** Purges that the store has not been told yet; more become one of everything. */
const MAX_UNTOLD = 10_000
/** So many are told at once. */
const TOLD_AT_ONCE = 50
/** The store is asked so often in the time for which memory may be behind. */
const BEATS = 2
/** Where it does not answer, requests ask again after so long. */
const ASK_AGAIN_MS = 100
/** More than the store keeps. */
const LIMITS = { marks: 20_000, bytes: 16 * 1024 * 1024 }

export interface SharedPurgesOptions {
  readonly now: () => number
  readonly monotonicNow: () => number
  /** For how long memory may be behind. */
  readonly maxStalenessMs: number
  /** Numbers the moments of this process. */
  readonly nextOrder: () => number
  /** Hears of the purges of other processes. */
  readonly onLearnt: (selector: ReadSelector) => void
  /** The store has lost what it knew: what memory holds may have been purged without a trace. */
  readonly onLost: () => void
}

/** A purge that holds here and that nobody else has been told of. */
interface Untold {
  /** Numbered in the order of this process. */
  readonly mark: Mark
  readonly told: PromiseWithResolvers<PurgeReport>
}

/**
 * The purges of several processes. The store numbers them and carries word of each; a gap in the numbers, or silence,
 * makes a process ask for what it has missed. What it can no longer vouch for it does not serve.
 */
export class SharedPurges implements Purges {
  readonly #marks = new PurgeMarks(LIMITS)
  readonly #store: GuardedStore
  readonly #member: Membership
  readonly #options: SharedPurgesOptions
  readonly #beat: NodeJS.Timeout
  #untold: Untold[] = []
  /** The same, to be asked whether they have taken something. */
  #untoldMarks = new PurgeMarks(LIMITS)
  /** All purges up to this number are known here. */
  #seen = 0
  /** When the store was asked whose answer we know: nothing that was purged before is missing here. */
  #confirmedAt = -Infinity
  #askedAt = -Infinity
  #asking: Promise<void> | undefined
  #isTelling = false
  #processes = 0

  constructor(store: GuardedStore, member: Membership, options: SharedPurgesOptions) {
    this.#store = store
    this.#member = member
    this.#options = options
    this.#beat = setInterval(() => void this.ask(), Math.max(50, Math.min(1000, options.maxStalenessMs) / BEATS))
    this.#beat.unref()
  }

  get latest(): number {
    // While the store counts anew, what is known is more than it says.
    return Math.max(this.#seen, this.#marks.latest)
  }

  /** Milliseconds by which memory may be behind at this moment. */
  get behindMs(): number {
    return this.#options.monotonicNow() - this.#confirmedAt
  }

  get processes(): number {
    return this.#processes
  }

  get isCurrent(): boolean {
    return this.behindMs <= this.#options.maxStalenessMs
  }

  vouchesFor(response: StoredResponse): boolean {
    return this.isCurrent || response.vouchedUntil >= this.#options.monotonicNow()
  }

  admits(response: StoredResponse): boolean {
    if (this.#untold.length > 0) {
      // What came out of the store may be of any age.
      const renderedAt = response.vouchedUntil === 0 ? -1 : response.order
      const verdict = this.#untoldMarks.verdict(response.parts.place, renderedAt)
      if (verdict === 'removed') return false
      if (verdict !== undefined) response.expire(verdict)
    }
    return this.#marks.admits(response, this.#options.now())
  }

  catchUp(): Promise<void> | undefined {
    if (this.isCurrent) return undefined
    const isTooSoon = this.#options.monotonicNow() - this.#askedAt < ASK_AGAIN_MS
    return this.#asking === undefined && isTooSoon ? undefined : this.ask()
  }

  catchUpAnew(): void {
    this.#confirmedAt = -Infinity
    this.#askedAt = -Infinity
    void this.ask()
  }

  /** Word of another process. */
  heard({ number, selector }: NumberedMark, previous: number): void {
    this.#learn([{ number, selector, agoMs: 0 }])
    if (previous === this.#seen) this.#seen = number
    // Word was lost in between; what has been heard holds already.
    else if (number > this.#seen) void this.ask()
  }

  /** The store was told anew what it had lost. */
  restored(): void {
    void this.ask()
  }

  async purge(selector: ReadSelector, soft: boolean, unsafe = false): Promise<PurgeReport> {
    const { nextOrder, now } = this.#options
    const told = Promise.withResolvers<PurgeReport>()
    this.#keep({ mark: { number: nextOrder(), soft, selector, unsafe, at: now() }, told })
    this.#tellSoon()
    return told.promise
  }

  close(): void {
    clearInterval(this.#beat)
  }

  #tellSoon(): void {
    if (!this.#isTelling) void this.#tellAll()
  }

  /** Tells what has not been told, in its order. Stops where the store is out of reach; its next answer tries again. */
  async #tellAll(): Promise<void> {
    this.#isTelling = true
    let failure: PromiseRejectedResult | undefined
    while (failure === undefined && this.#untold.length > 0) {
      const some = this.#untold.slice(0, TOLD_AT_ONCE)
      const results = await Promise.allSettled(some.map((untold) => this.#tell(untold)))
      failure = results.find((result) => result.status === 'rejected')
    }
    // In the same turn as the last look: what comes after it begins anew, and is not left to a loop that has ended.
    this.#isTelling = false
    if (failure !== undefined) for (const { told } of this.#untold) told.reject(failure.reason)
  }

  async #tell(untold: Untold): Promise<void> {
    const { mark, told } = untold
    const text = textOf(mark)
    const { number, previous, acknowledged } = await this.#store.ask('purge', 'set', () =>
      this.#member.purge(text, this.#seen, mark.unsafe === true),
    )
    this.heard({ number, selector: text }, previous)
    // It may have become one of everything meanwhile.
    this.#untold = this.#untold.filter((other) => other !== untold)
    this.#untoldMarks.forget(mark)
    told.resolve(acknowledged)
  }

  /** Too many that nobody could be told of become one of everything. */
  #keep(untold: Untold): void {
    const { mark, told } = untold
    if (this.#untold.length < MAX_UNTOLD) {
      this.#untold.push(untold)
      this.#untoldMarks.merge([mark])
      return
    }
    for (const other of this.#untold) other.told.resolve(told.promise)
    const everything: Mark = { ...mark, selector: { kind: 'all' }, soft: false, unsafe: false }
    this.#untold = [{ mark: everything, told }]
    this.#untoldMarks = new PurgeMarks(LIMITS)
    this.#untoldMarks.merge([everything])
  }

  /** Asks what has been purged. Never rejects: out of reach of the store, memory is not vouched for before long. */
  ask(): Promise<void> {
    this.#asking ??= this.#catchUp()
      .catch(() => undefined)
      .finally(() => {
        this.#asking = undefined
      })
    return this.#asking
  }

  async #catchUp(): Promise<void> {
    const askedAt = this.#options.monotonicNow()
    this.#askedAt = askedAt
    const state = await this.#store.ask('beat', 'get', () => this.#member.beat())
    this.#processes = state.processes
    if (state.latest !== this.#seen || state.restoredAt > this.#seen) await this.#read(state)
    this.#confirmedAt = Math.max(this.#confirmedAt, askedAt)
    if (this.#untold.length > 0) this.#tellSoon()
  }

  async #read({ latest, restoredAt }: PurgeState): Promise<void> {
    const hasLost = latest < this.#seen
    // Told anew, perhaps by one who did not know all.
    const isWhole = hasLost || restoredAt > this.#seen
    const from = isWhole ? 0 : this.#seen
    const known = this.#seen
    const state = await this.#store.ask('purges', 'set', () => this.#member.purgesSince(from))
    this.#learn(state.marks)
    if (isWhole) {
      await this.#restore(state, known)
      // Also where another process has noticed it first: what it did not know is lost for us too.
      this.#options.onLost()
    }
    this.#seen = isWhole ? state.latest : Math.max(this.#seen, state.latest)
  }

  /** Tells the store what it does not know any more, and never to count again what it has counted. */
  async #restore(
    { marks, latest }: PurgeState & { readonly marks: readonly NumberedMark[] },
    known: number,
  ): Promise<void> {
    const numbers = new Map(marks.map(({ selector, number }) => [selector, number]))
    // Everything that is older has been purged with it.
    const floor = numbers.get(EVERYTHING) ?? 0
    const missing = this.#marks.all
      .map((mark) => ({ number: mark.number, selector: textOf(mark) }))
      .filter(({ selector, number }) => number > floor && (numbers.get(selector) ?? 0) < number)
    if (missing.length === 0 && latest >= known) return
    await this.#store.ask('restore', 'set', () => this.#member.restore(missing, known))
  }

  #learn(marks: readonly PastMark[]): void {
    const at = this.#options.now()
    const read = marks.flatMap(({ number, selector, agoMs }) => readMark(number, selector, at - agoMs))
    for (const { selector } of this.#marks.merge(read)) this.#options.onLearnt(selector)
  }
}

function textOf({ selector, soft, unsafe }: Mark): string {
  return JSON.stringify({ selector, soft, ...(unsafe === true && { unsafe }) })
}

const EVERYTHING = textOf({ number: 0, soft: false, selector: { kind: 'all' } })

/** What comes from the store is not trusted: what is no mark is none. */
function readMark(number: number, text: string, at: number): Mark[] {
  try {
    const mark: unknown = { ...JSON.parse(text), number, at }
    return isMark(mark) ? [mark] : []
  } catch {
    return []
  }
}
