import { FOREIGN } from '../stores/frame.ts'
import type { RankedFrame } from '../stores/shared-store.ts'
import type { Store } from '../stores/store.ts'
import { Breaker } from './breaker.ts'
import { DeadlineError, withDeadline } from './deadline.ts'
import { Doubts } from './doubts.ts'

/** Calls under way at once; more are refused rather than queued (100,000 pending reads are 300 MB in a client). */
const MAX_PENDING = 1000
const CLOSE_TIMEOUT_MS = 1000
const RESET_EVERY_MS = 1000
const SETTLE_AGAIN_MS = 1000

export interface StoreGuard {
  readonly timeoutMs: { readonly get: number; readonly set: number }
  readonly monotonicNow: () => number
  /** A key under which nothing is ever stored. */
  readonly probeKey: string
  onError(reason: string, durationMs: number): void
  onBreaker(state: 'open' | 'closed'): void
}

/**
 * A store behind deadlines, a bound and a circuit breaker: dead, slow, hung or lying, it costs nobody more than a
 * deadline, and after three of those nothing. Every method rejects where the store could not be asked.
 */
export class GuardedStore {
  readonly #store: Store
  readonly #guard: StoreGuard
  readonly #breaker: Breaker
  readonly #doubts = new Doubts()
  #pending = 0
  #isClosed = false
  #resetAt = -Infinity
  #settleAgainAt = -Infinity
  /** Calls have missed their deadlines, or a probe has failed, and nothing good has been heard since. */
  #isSilent = false

  constructor(store: Store, guard: StoreGuard) {
    this.#store = store
    this.#guard = guard
    this.#breaker = new Breaker(guard.monotonicNow, (state) => guard.onBreaker(state))
  }

  get breakerState(): 'closed' | 'open' | 'half-open' {
    return this.#breaker.state
  }

  /** A connection has been made: where the store was left alone, it is asked at once whether it is back. */
  hurry(): void {
    this.#breaker.hurry()
    if (this.#breaker.beginsProbe()) void this.#probe()
  }

  /** Whether somebody has waited for it in vain, and it has said nothing good since. */
  get isSilent(): boolean {
    return this.#isSilent
  }

  /** Reads what `decode` makes of a frame. One that it calls FOREIGN was a reply to another request: a new connection. */
  async get<T>(key: string, decode: (frame: Uint8Array) => T | typeof FOREIGN): Promise<T | undefined> {
    if (this.#doubts.has(key)) return undefined
    const read = await this.#call('get', () => this.#read(key, decode), this.#guard.timeoutMs.get)
    // Doubts may have come up while it was under way.
    return this.#doubts.has(key) ? undefined : read
  }

  /**
   * The same for several keys that a shared store reads at once; `read` asks for them in this order.
   */
  async readAll<T>(
    keys: readonly string[],
    read: () => Promise<readonly (RankedFrame | undefined)[]>,
    decode: (found: RankedFrame, index: number) => Decoded<T>,
  ): Promise<(T | undefined)[]> {
    const found = await this.ask('get', 'get', read)
    return keys.map((key, index) => {
      const frame = found[index]
      if (frame === undefined || this.#doubts.has(key)) return undefined
      const decoded = decode(frame, index)
      if (decoded !== FOREIGN) return decoded
      this.#noteForeign()
      return undefined
    })
  }

  /** Any other call of a shared store, behind the same guards. */
  ask<T>(name: string, limit: 'get' | 'set', call: () => Promise<T>): Promise<T> {
    return this.#call(name, call, this.#guard.timeoutMs[limit])
  }

  /** A removal in a shared store: until it has succeeded, nothing is read from under this key. */
  async remove(key: string, remove: () => Promise<void>): Promise<void> {
    await this.#orDoubt(key, 'delete', (landing) =>
      this.#call('delete', () => noted(remove, landing), this.#guard.timeoutMs.set),
    )
  }

  /** A lifetime that is not above 0 would mean "for ever" to many a store, so it is refused here. */
  async set(key: string, frame: Uint8Array, ttlMs: number): Promise<void> {
    await this.#orDoubt(key, 'set', (landing) => this.setRecord(key, frame, ttlMs, landing))
  }

  /** For what its writer writes again until it succeeds, so that it is never in doubt. */
  async setRecord(key: string, frame: Uint8Array, ttlMs: number, landing?: Landing): Promise<void> {
    const ttl = Math.ceil(ttlMs)
    if (!(ttl > 0 && Number.isSafeInteger(ttl))) throw new Error('lifetime')
    const write = (): Promise<void> => noted(async () => this.#store.set(key, frame, ttl), landing)
    await this.#call('set', write, this.#guard.timeoutMs.set)
  }

  async delete(key: string): Promise<void> {
    await this.#delete(key, true)
  }

  /** `counts`: whether a failure is one for the breaker. */
  async #delete(key: string, counts: boolean): Promise<void> {
    await this.#orDoubt(key, 'delete', (landing) => {
      const remove = (): Promise<void> => noted(async () => this.#store.delete(key), landing)
      return this.#call('delete', remove, this.#guard.timeoutMs.set, counts)
    })
  }

  /** Never rejects. A hung connection is left behind after a second. */
  async close(): Promise<void> {
    this.#isClosed = true
    const closing = async (): Promise<void> => this.#store.close?.()
    await withDeadline(closing(), CLOSE_TIMEOUT_MS, this.#guard.monotonicNow).catch(() => undefined)
  }

  async #read<T>(key: string, decode: (frame: Uint8Array) => T | typeof FOREIGN): Promise<T | undefined> {
    try {
      const frame = await this.#store.get(key)
      const decoded = frame === undefined ? undefined : decode(frame)
      if (decoded !== FOREIGN) return decoded
    } catch (error) {
      // What the codec of the store cannot read was the reply to something else.
      if (!(error instanceof SyntaxError)) throw error
    }
    // Also where nobody waits for it any more: the next reply may belong to somebody else as well.
    this.#noteForeign()
    return undefined
  }

  #noteForeign(): void {
    this.#guard.onError('foreign-reply', 0)
    this.#distrust()
  }

  /** A change that was refused, or failed, or has not come back in time, leaves its key in doubt. */
  async #orDoubt(key: string, name: 'set' | 'delete', change: (landing: Landing) => Promise<void>): Promise<void> {
    const landing: Landing = { hasSucceeded: undefined }
    try {
      await change(landing)
    } catch (error) {
      const doubt = this.#doubts.add(key)
      if (error instanceof DeadlineError) void this.#whenLanded(key, name, doubt, landing)
      throw error
    }
  }

  /** A write that was given up may land yet, after what has been deleted since; a deletion that does is what was wanted. */
  async #whenLanded(key: string, name: 'set' | 'delete', doubt: object, landing: Landing): Promise<void> {
    const hasSucceeded = await landing.hasSucceeded
    if (name === 'delete' && hasSucceeded === true && this.#doubts.end(key, doubt)) return
    this.#doubts.add(key)
    this.#settleDoubts()
  }

  async #call<T>(name: string, call: () => Promise<T>, timeoutMs: number, counts = true): Promise<T> {
    // A client would open a new connection for it, and that would keep the process.
    if (this.#isClosed) throw new Error('closed')
    if (this.#pending >= MAX_PENDING) throw new Error('busy')
    if (this.#breaker.state !== 'closed') {
      if (this.#breaker.beginsProbe()) void this.#probe()
      throw new Error('breaker-open')
    }
    this.#pending += 1
    const startedAt = this.#guard.monotonicNow()
    try {
      const result = await withDeadline(this.#heard(call()), timeoutMs, this.#guard.monotonicNow)
      this.#succeeded()
      return result
    } catch (error) {
      this.#failed(name, error, startedAt, counts)
      throw error
    } finally {
      this.#pending -= 1
    }
  }

  /**
   * Asks for what is never there. Over a connection that has been silent until now it is not asked: it is made anew, and
   * so is one that answers with something.
   */
  async #probe(): Promise<void> {
    if (this.#isSilent) this.#distrust()
    const startedAt = this.#guard.monotonicNow()
    const ask = async (): Promise<boolean> => {
      const frame = await this.#store.get(this.#guard.probeKey)
      if (frame !== undefined) this.#distrust()
      return frame === undefined
    }
    try {
      const isGood = await withDeadline(this.#heard(ask()), this.#guard.timeoutMs.get, this.#guard.monotonicNow)
      if (isGood) this.#succeeded()
      else this.#failed('probe', new Error('a reply to something else'), startedAt)
    } catch (error) {
      this.#isSilent = true
      this.#failed('probe', error, startedAt)
    }
  }

  /** Also after its deadline a good reply is a sign of life, and one that cannot be read belongs to somebody else. */
  #heard<T>(call: Promise<T>): Promise<T> {
    return call.then(
      (result) => {
        this.#isSilent = false
        return result
      },
      (error: unknown) => {
        if (error instanceof SyntaxError) this.#noteForeign()
        throw error
      },
    )
  }

  #succeeded(): void {
    this.#breaker.succeeded()
    this.#settleDoubts()
  }

  #failed(name: string, error: unknown, startedAt: number, counts = true): void {
    if (error instanceof DeadlineError) this.#isSilent = true
    // A change that is refused at once (full, read-only) costs nobody anything, and what is stored can be read.
    const isRefusal = CHANGES.has(name) && !(error instanceof DeadlineError)
    if (counts && !isRefusal) this.#breaker.failed()
    const reason = error instanceof DeadlineError ? `${name}-timeout` : `${name}-failed`
    this.#guard.onError(reason, this.#guard.monotonicNow() - startedAt)
  }

  #settleDoubts(): void {
    if (this.#breaker.state === 'closed' && this.#guard.monotonicNow() >= this.#settleAgainAt) void this.#settle()
  }

  async #settle(): Promise<void> {
    const isSettled = await this.#doubts.settle((key) => this.#delete(key, false))
    if (!isSettled) this.#settleAgainAt = this.#guard.monotonicNow() + SETTLE_AGAIN_MS
  }

  #distrust(): void {
    const now = this.#guard.monotonicNow()
    if (now - this.#resetAt < RESET_EVERY_MS) return
    this.#resetAt = now
    try {
      this.#store.reset?.()
    } catch {
      // The breaker and the keys in the frames go on guarding.
    }
  }
}

/** Calls that a store may refuse while it can be read: it is full, or read-only. */
const CHANGES = new Set(['set', 'delete', 'put', 'claim', 'renew', 'release', 'purge', 'restore'])

/** What a reader has made of a frame. */
export type Decoded<T> = T | typeof FOREIGN | undefined

/** Where a change that outlives its deadline can be followed. */
interface Landing {
  hasSucceeded: Promise<boolean> | undefined
}

function noted(begin: () => Promise<void>, landing: Landing | undefined): Promise<void> {
  const change = begin()
  if (landing !== undefined) {
    landing.hasSucceeded = change.then(
      () => true,
      () => false,
    )
  }
  return change
}
