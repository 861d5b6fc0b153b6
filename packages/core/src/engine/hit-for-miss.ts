import { recordsOf } from './records.ts'

/** Keys that have turned out uncacheable, remembered for a while, so that their visitors do not wait for each other. */
export class HitForMiss {
  readonly #records = recordsOf<{ readonly until: number }>()
  readonly #now: () => number

  constructor(monotonicNow: () => number) {
    this.#now = monotonicNow
  }

  has(key: string): boolean {
    const record = this.#records.size === 0 ? undefined : this.#records.get(key)
    return record !== undefined && this.#now() < record.until
  }

  note(key: string, forMs: number): void {
    if (forMs > 0) this.#records.set(key, { until: this.#now() + forMs })
  }

  forget(key: string): void {
    if (this.#records.size > 0) this.#records.delete(key)
  }
}
