import type { Store } from '../stores/store.ts'
import { Breaker } from './breaker.ts'

/** Calls under way at once; more are refused rather than queued (100,000 pending reads are 300 MB in a client). */
const MAX_PENDING = 1000
const CLOSE_TIMEOUT_MS = 1000

export interface StoreGuard {
  readonly timeoutMs: { readonly get: number; readonly set: number }
  readonly monotonicNow: () => number
  onError(reason: string, durationMs: number): void
  onBreaker(state: 'open' | 'closed'): void
}

/**
 * A store behind deadlines, a bound and a circuit breaker: dead, slow or hung, it costs nobody more than a deadline,
 * and after three of those nothing. Every method rejects where the store could not be asked.
 */
export class GuardedStore {
  readonly #store: Store
  readonly #guard: StoreGuard
  readonly #breaker: Breaker
  /** Writes that the store has not finished, by key. */
  readonly #writes = new Map<string, Set<Promise<void>>>()
  #pending = 0

  constructor(store: Store, guard: StoreGuard) {
    this.#store = store
    this.#guard = guard
    this.#breaker = new Breaker(guard.monotonicNow, (state) => guard.onBreaker(state))
  }

  get breakerState(): 'closed' | 'open' | 'half-open' {
    return this.#breaker.state
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#call('get', () => this.#store.get(key), this.#guard.timeoutMs.get)
  }

  /** A lifetime that is not above 0 would mean "for ever" to many a store, so it is refused here. */
  set(key: string, frame: Uint8Array, ttlMs: number): Promise<void> {
    const ttl = Math.ceil(ttlMs)
    if (!(ttl > 0 && Number.isSafeInteger(ttl))) return Promise.reject(new Error('lifetime'))
    return this.#call('set', () => this.#write(key, frame, ttl), this.#guard.timeoutMs.set)
  }

  delete(key: string): Promise<void> {
    // A write that has outlived its deadline may land after this.
    for (const late of this.#writes.get(key) ?? []) void this.#deleteAfter(late, key)
    return this.#call('delete', () => this.#store.delete(key), this.#guard.timeoutMs.set)
  }

  /** Never rejects. A hung connection is left behind after a second. */
  async close(): Promise<void> {
    const closing = async (): Promise<void> => this.#store.close?.()
    await withDeadline(closing(), CLOSE_TIMEOUT_MS).catch(() => undefined)
  }

  async #write(key: string, frame: Uint8Array, ttlMs: number): Promise<void> {
    const write = this.#store.set(key, frame, ttlMs)
    const writes = this.#writes.get(key) ?? new Set()
    this.#writes.set(key, writes.add(write))
    try {
      await write
    } finally {
      writes.delete(write)
      if (writes.size === 0) this.#writes.delete(key)
    }
  }

  async #deleteAfter(write: Promise<void>, key: string): Promise<void> {
    try {
      await write.catch(() => undefined)
      await this.#store.delete(key)
    } catch {
      // Its expiry will see to it.
    }
  }

  async #call<T>(name: string, call: () => Promise<T>, timeoutMs: number): Promise<T> {
    if (this.#pending >= MAX_PENDING) throw new Error('busy')
    if (!this.#breaker.admits()) throw new Error('breaker-open')
    this.#pending += 1
    const startedAt = this.#guard.monotonicNow()
    try {
      const result = await withDeadline(call(), timeoutMs)
      this.#breaker.succeeded()
      return result
    } catch (error) {
      this.#breaker.failed()
      const reason = error instanceof DeadlineError ? `${name}-timeout` : `${name}-failed`
      this.#guard.onError(reason, this.#guard.monotonicNow() - startedAt)
      throw error
    } finally {
      this.#pending -= 1
    }
  }
}

class DeadlineError extends Error {}

function withDeadline<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      // After the loop was blocked an answer may be there already, unread: it gets one turn to arrive.
      setImmediate(() => reject(new DeadlineError()))
    }, timeoutMs)
    timer.unref()
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
