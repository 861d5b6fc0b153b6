const FAILURES_TO_OPEN = 3
const PROBE_AFTER_MS = 1000

/**
 * A circuit breaker: after three failures in a row it opens, and asks for one probe a second until one succeeds. A
 * probe is a call of its own, so that no visitor waits for it.
 */
export class Breaker {
  readonly #now: () => number
  readonly #onChange: (state: 'open' | 'closed') => void
  #failures = 0
  #openUntil: number | undefined
  #probing = false

  constructor(monotonicNow: () => number, onChange: (state: 'open' | 'closed') => void) {
    this.#now = monotonicNow
    this.#onChange = onChange
  }

  get state(): 'closed' | 'open' | 'half-open' {
    if (this.#openUntil === undefined) return 'closed'
    return this.#probing ? 'half-open' : 'open'
  }

  /** Whether it is time for a probe. One that is begun must be followed by succeeded() or failed(). */
  beginsProbe(): boolean {
    if (this.#openUntil === undefined || this.#probing || this.#now() < this.#openUntil) return false
    this.#probing = true
    return true
  }

  /** There is reason to hope: a probe need not wait for its time. */
  hurry(): void {
    if (this.#openUntil !== undefined) this.#openUntil = -Infinity
  }

  succeeded(): void {
    this.#failures = 0
    this.#probing = false
    if (this.#openUntil === undefined) return
    this.#openUntil = undefined
    this.#onChange('closed')
  }

  failed(): void {
    // Begun before it opened: that the store was away then is known.
    if (this.state === 'open') return
    this.#failures += 1
    this.#probing = false
    if (this.#failures < FAILURES_TO_OPEN) return
    const wasClosed = this.#openUntil === undefined
    this.#openUntil = this.#now() + PROBE_AFTER_MS
    if (wasClosed) this.#onChange('open')
  }
}
