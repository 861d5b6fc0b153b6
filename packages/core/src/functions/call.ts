import type { Claim } from '../engine/claim.ts'
import type { Flight } from '../engine/flights.ts'
import type { StoredResponse } from '../engine/stored-response.ts'
import type { AnyArgs } from './function-settings.ts'

/** Who asks for what. */
export interface CallRequest {
  readonly self: unknown
  readonly args: AnyArgs
  /** Readable: `name:arguments`. */
  readonly key: string
  readonly full: string
  /** The function's. */
  readonly name: string
}

/** How a call has ended. */
export type Outcome =
  /** A value that can be given from what is stored, or would be. `refused`: why it is not stored. */
  | { readonly kind: 'value'; readonly response: StoredResponse; readonly refused?: string | undefined }
  /** A value that cannot be stored. */
  | { readonly kind: 'raw'; readonly value: unknown; readonly refused: string }
  | { readonly kind: 'thrown'; readonly error: unknown }

/** One call of the function, which others wait for. */
export class Call {
  readonly flight: Flight
  outcome: Promise<Outcome> | undefined
  /** Settles when it has begun, or is needless: it may have to wait for other processes. Never rejects. */
  placed: Promise<unknown> | undefined
  /** Resolves when it counts as lost. */
  readonly lost: Promise<void>
  readonly #giveUp: () => void
  #startedAt = Infinity
  #isFenced: () => boolean = () => false
  #claim: Claim | undefined
  #isLost = false

  constructor(flight: Flight) {
    this.flight = flight
    const { promise, resolve } = Promise.withResolvers<void>()
    this.lost = promise
    this.#giveUp = resolve
  }

  /** The function is called now. `isFenced`: whether a purge has come since then. */
  begin(now: number, isFenced: () => boolean, claim: Claim | undefined): void {
    this.#startedAt = now
    this.#isFenced = isFenced
    this.#claim = claim
  }

  get startedAt(): number {
    return this.#startedAt
  }

  get isUnderWay(): boolean {
    return !this.flight.hasLanded
  }

  /** Whether what it brings is what somebody wants who asks now. */
  isWanted(now: number, timeoutMs: number): boolean {
    if (this.isUnderWay && now - this.#startedAt >= timeoutMs) this.giveUp()
    return !this.#isLost && !this.#isFenced()
  }

  /** Nobody waits for it any longer; what it brings is stored all the same, unless something newer is. */
  giveUp(): void {
    this.#isLost = true
    this.release()
    this.#giveUp()
  }

  /** Other processes need not wait for it either. */
  release(): void {
    this.#claim?.end()
  }
}
