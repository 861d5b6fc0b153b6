import { recordsOf } from './records.ts'

const FIRST_MS = 1000
const LONGEST_MS = 30_000

/** How long a key whose refresh has failed is left alone: 1 s, doubling to 30 s. */
export class BackOff {
  readonly #failures = recordsOf<{ readonly count: number; readonly until: number }>()
  readonly #now: () => number

  constructor(monotonicNow: () => number) {
    this.#now = monotonicNow
  }

  /** Whether the last refresh of this key has failed. */
  hasFailed(key: string): boolean {
    return this.#failures.size > 0 && this.#failures.has(key)
  }

  /** Whether it is still too early to try again. */
  forbids(key: string): boolean {
    const failure = this.#failures.size === 0 ? undefined : this.#failures.get(key)
    return failure !== undefined && this.#now() < failure.until
  }

  failed(key: string): void {
    const count = (this.#failures.get(key)?.count ?? 0) + 1
    const pause = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(count - 1, 10))
    this.#failures.set(key, { count, until: this.#now() + pause })
  }

  succeeded(key: string): void {
    if (this.#failures.size > 0) this.#failures.delete(key)
  }
}
