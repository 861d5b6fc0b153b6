import type { Address } from '../stores/shared-store.ts'

/**
 * A render's place in the order of all processes, and the lease under which no other process renders the same. Without
 * a store, or out of its reach, it is neither.
 */
export class Claim {
  /** 0 while it is unknown. */
  rank = 0
  /** Settles when the rank is there, or will never be. */
  ready: Promise<void> | undefined
  readonly address: Address
  /** '' where there is no lease. */
  readonly token: string
  /** When this began, on the clock of deadlines. */
  readonly beganAt: number
  readonly #onEnd: () => void
  #isOver = false

  constructor(address: Address, token: string, rank: number, beganAt: number, onEnd: () => void) {
    this.address = address
    this.token = token
    this.rank = rank
    this.beganAt = beganAt
    this.#onEnd = onEnd
  }

  /** Hands the lease over to the write that ends it. Returns its token. */
  handOver(): string {
    if (this.#isOver) return ''
    this.#isOver = true
    return this.token
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Nothing will be stored: whoever waits may render. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    if (this.token !== '') this.#onEnd()
  }
}
