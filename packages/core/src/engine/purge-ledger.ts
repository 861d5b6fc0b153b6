import type { PurgeReport } from '../types.ts'
import type { ReadSelector } from '../policy/selector.ts'
import { decodePurges, encodePurges } from '../stores/frame.ts'
import type { GuardedStore } from './guarded-store.ts'
import { type Mark, PurgeMarks } from './purge-marks.ts'
import { HERE, type Purges } from './purges.ts'
import type { StoredResponse } from './stored-response.ts'

/** How long this process may not know of another one's purge. */
const CATCH_UP_MS = 1000
/** Of marks that wait for the store: the newest say again what the oldest said, or are among thousands. */
const MAX_UNTOLD = 1000
/** Longer than anything is kept in a store. */
const RECORD_TTL_MS = 400 * 86_400_000

/**
 * The purges, kept in one bounded record of the store, so that they reach other processes and outlive this one. The
 * record is read at most once a second, when a request comes. Two processes that purge in the same moment may lose a
 * mark: a plain store has no compare-and-set.
 */
export class PurgeLedger implements Purges {
  readonly #marks = new PurgeMarks()
  readonly #store: GuardedStore | undefined
  readonly #key: string
  readonly #clocks: { now(): number; monotonicNow(): number }
  readonly #onLearnt: (selector: ReadSelector) => void
  #readAt = -Infinity
  #reading: Promise<void> | undefined
  #writing: Promise<unknown> = Promise.resolve()
  #waiting: Promise<void> | undefined
  /** Marks that the store has not been told yet. */
  #untold: readonly Mark[] = []

  /** `onLearnt` hears of the purges of other processes. */
  constructor(
    store: GuardedStore | undefined,
    key: string,
    clocks: { now(): number; monotonicNow(): number },
    onLearnt: (selector: ReadSelector) => void = () => undefined,
  ) {
    this.#store = store
    this.#key = key
    this.#clocks = clocks
    this.#onLearnt = onLearnt
  }

  get latest(): number {
    return this.#marks.latest
  }

  admits(response: StoredResponse): boolean {
    return this.#marks.hasChecked(response) || this.#marks.admits(response, this.#clocks.now())
  }

  /** Between plain stores, what memory holds is served also while nothing can be heard of others. */
  readonly isCurrent = true

  vouchesFor(): boolean {
    return true
  }

  /** Undefined where all purges older than a second are known; else a promise that never rejects. */
  catchUp(): Promise<void> | undefined {
    if (this.#store === undefined) return undefined
    if (this.#clocks.monotonicNow() - this.#readAt < CATCH_UP_MS) return undefined
    this.#reading ??= this.#catchUp(this.#store).finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  /** The store has been away: nothing of it is served before the purges are known that were made meanwhile. */
  catchUpAnew(): void {
    this.#readAt = -Infinity
  }

  /** Holds at once in this process. Rejects where the store could not be told; the mark is then told when it is back. */
  async purge(selector: ReadSelector, soft: boolean, unsafe = false): Promise<PurgeReport> {
    const mark = this.#marks.add(selector, soft, this.#clocks.now(), unsafe)
    if (this.#store === undefined) return HERE
    this.#untold = [...this.#untold, mark].slice(-MAX_UNTOLD)
    await this.#tellSoon(this.#store)
    return HERE
  }

  /** One write tells all marks that have come in before it begins, so that there is never more than one waiting. */
  #tellSoon(store: GuardedStore): Promise<void> {
    this.#waiting ??= this.#writing.then(() => {
      this.#waiting = undefined
      const writing = this.#tell(store)
      this.#writing = writing.catch(() => undefined)
      return writing
    })
    return this.#waiting
  }

  async #catchUp(store: GuardedStore): Promise<void> {
    try {
      const newest = await this.#read(store)
      // What had been told is gone: the store was restored, or has evicted the record. Whoever knows says it again.
      if (newest < this.latest || this.#untold.length > 0) await this.#tellSoon(store)
    } catch {
      // Counted by the guard. What memory holds goes on being served, and the next request tries again in a second.
    }
    this.#readAt = this.#clocks.monotonicNow()
  }

  /** Resolves with the number of the newest purge in the record. */
  async #read(store: GuardedStore): Promise<number> {
    const record = await store.get(this.#key, decodePurges)
    const marks = Array.isArray(record) ? record.filter(isMark) : []
    for (const { selector } of this.#marks.merge(marks)) this.#onLearnt(selector)
    return Math.max(0, ...marks.map(({ number }) => number))
  }

  async #tell(store: GuardedStore): Promise<void> {
    const { latest } = this
    await this.#read(store)
    const telling = this.#untold
    // Others have purged what was not known here, by a clock that may be ahead of ours: what is told now comes after.
    const isBehind = this.latest > latest
    for (const { selector, soft, unsafe } of isBehind ? telling : []) {
      this.#marks.add(selector, soft, this.#clocks.now(), unsafe)
    }
    await store.setRecord(this.#key, encodePurges(this.#marks.all), RECORD_TTL_MS)
    this.#untold = this.#untold.filter((mark) => !telling.includes(mark))
  }
}

/** Checks what comes out of a store. */
export function isMark(value: unknown): value is Mark {
  const { number, soft, selector } = (value ?? {}) as Record<string, unknown>
  if (!Number.isSafeInteger(number) || typeof soft !== 'boolean') return false
  const { kind, name, path, host } = (selector ?? {}) as Record<string, unknown>
  if (kind === 'all') return true
  if (host !== undefined && typeof host !== 'string') return false
  if (kind === 'route' || kind === 'tag') return typeof name === 'string'
  return (kind === 'url' || kind === 'prefix') && typeof path === 'string'
}
