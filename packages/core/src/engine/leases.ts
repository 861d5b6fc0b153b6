import { randomUUID } from 'node:crypto'

import type { Address, Claimed, ClaimRequest, Membership } from '../stores/shared-store.ts'
import { Claim } from './claim.ts'
import type { GuardedStore } from './guarded-store.ts'

/** A holder that dies costs so much. */
const LEASE_MS = 2000
const RENEW_EVERY_MS = 700
/** A lease that nobody gives back is not kept up for ever: those who wait for it have gone by then. */
const MAX_HELD_MS = 120_000
/** Word of a lease's end may be lost: whoever waits looks again now and then. */
const LOOK_AGAIN_MS = 250

/** What came of asking for a lease. */
export type Lease =
  | { readonly kind: 'granted'; readonly claim: Claim }
  /** Another process is at it; `over` settles when it may be worth to look again. */
  | { readonly kind: 'busy'; readonly over: Promise<void> }
  | { readonly kind: 'newer'; readonly rank: number }

/** The leases of this process: one render for all processes, and its place in their order. */
export class Leases {
  readonly #store: GuardedStore
  readonly #member: Membership
  readonly #monotonicNow: () => number
  /** Those who wait for a lease of another process to end. */
  readonly #waiting = new Map<string, Set<() => void>>()
  readonly #held = new Set<Claim>()

  constructor(store: GuardedStore, member: Membership, monotonicNow: () => number) {
    this.#store = store
    this.#member = member
    this.#monotonicNow = monotonicNow
  }

  /**
   * Asks for the lease of an address. `known`: the newest rank that is known of it; what is newer makes the render
   * needless. Never rejects: out of reach of the store everybody renders for himself.
   */
  async take(address: Address, known: number): Promise<Lease> {
    const token = randomUUID()
    const beganAt = this.#monotonicNow()
    let claiming: Promise<Claimed> | undefined
    try {
      const request = { token, known, leaseMs: LEASE_MS }
      const claimed = await this.#store.ask('claim', 'get', () => (claiming = this.#member.claim(address, request)))
      if (claimed.kind === 'newer') return claimed
      if (claimed.kind === 'busy') return { kind: 'busy', over: this.#over(address, claimed.leftMs) }
      return { kind: 'granted', claim: this.#hold(address, token, claimed.rank, beganAt) }
    } catch {
      void this.#giveBack(claiming, address, token)
      return { kind: 'granted', claim: this.none(address, beganAt) }
    }
  }

  /** Neither a lease nor a place in the order. */
  none(address: Address, beganAt: number = this.#monotonicNow()): Claim {
    return new Claim(address, '', 0, beganAt, () => undefined)
  }

  /** A claim that was given up may be granted yet, when nobody wants it any more. */
  async #giveBack(claiming: Promise<Claimed> | undefined, address: Address, token: string): Promise<void> {
    try {
      if ((await claiming)?.kind === 'granted') await this.#member.release(address, token)
    } catch {
      // The lease ends by itself.
    }
  }

  /** A place in the order, without a lease: for a render that others would not wait for. Its rank arrives later. */
  order(address: Address, known: number): Claim {
    const claim = this.none(address)
    claim.ready = this.#rank(claim, { token: randomUUID(), known, leaseMs: 0 })
    return claim
  }

  /** The store says that a lease of another process has ended. */
  ended({ entry }: Address): void {
    const waiting = this.#waiting.get(entry)
    this.#waiting.delete(entry)
    waiting?.forEach((wake) => wake())
  }

  /** Gives back what is held, so that nobody waits for a process that goes. */
  close(): void {
    for (const claim of this.#held) claim.end()
  }

  async #rank(claim: Claim, request: ClaimRequest): Promise<void> {
    const claimed = await this.#ask(claim.address, request).catch(() => undefined)
    if (claimed?.kind === 'granted') claim.rank = claimed.rank
  }

  #ask(address: Address, request: ClaimRequest): Promise<Claimed> {
    return this.#store.ask('claim', 'get', () => this.#member.claim(address, request))
  }

  #hold(address: Address, token: string, rank: number, beganAt: number): Claim {
    const renewal = setInterval(() => {
      if (claim.isOver || this.#monotonicNow() - beganAt > MAX_HELD_MS) this.#letGo(claim, renewal)
      else void this.#renew(claim)
    }, RENEW_EVERY_MS)
    renewal.unref()
    const claim = new Claim(address, token, rank, beganAt, () => {
      this.#letGo(claim, renewal)
      // Where it fails, the lease ends by itself.
      this.#store.ask('release', 'set', () => this.#member.release(address, token)).catch(() => undefined)
    })
    this.#held.add(claim)
    return claim
  }

  #letGo(claim: Claim, renewal: NodeJS.Timeout): void {
    clearInterval(renewal)
    this.#held.delete(claim)
  }

  async #renew({ address, token }: Claim): Promise<void> {
    // One that was lost is rendered twice; the order says which of the two stays.
    await this.#store.ask('renew', 'set', () => this.#member.renew(address, token, LEASE_MS)).catch(() => false)
  }

  #over({ entry }: Address, leftMs: number): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(entry) ?? new Set()
      const wake = (): void => {
        clearTimeout(timer)
        waiting.delete(wake)
        if (waiting.size === 0 && this.#waiting.get(entry) === waiting) this.#waiting.delete(entry)
        resolve()
      }
      const timer = setTimeout(wake, Math.max(1, Math.min(leftMs, LOOK_AGAIN_MS)))
      timer.unref()
      this.#waiting.set(entry, waiting.add(wake))
    })
  }
}
