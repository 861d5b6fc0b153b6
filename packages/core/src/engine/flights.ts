import type { StoredResponse } from './stored-response.ts'

/** How a render ended for those who wait for it. */
export type Landing =
  | { readonly kind: 'stored'; readonly response: StoredResponse }
  /** The render has failed: each serves the older response that stands in for him, if there is one. */
  | { readonly kind: 'stand-in' }
  /** It may not be shared: each goes on alone, all at once. */
  | { readonly kind: 'released' }
  /** Other rules hold for this path than was thought: look again. */
  | { readonly kind: 'superseded' }

export type Joined =
  | Landing
  /** The leader is gone: this follower renders, the others wait for it. */
  | { readonly kind: 'lead' }
  | { readonly kind: 'timeout' }

/** Where one visitor after the other leaves, nobody waits for a fifth leader; where the app itself breaks off, for a third. */
const MAX_HANDOVERS = 3

interface Follower {
  readonly isThere: () => boolean
  readonly settle: (joined: Joined) => void
}

/** A write that never rejects, and how long a look into the store may take. */
export interface Written {
  readonly done: Promise<void>
  readonly lookMs: number
}

/** One render of a key that others wait for. */
export class Flight {
  /** Most flights have none. */
  #followers: Set<Follower> | undefined
  #landing: Landing | undefined
  /** From when on everybody finds the response by looking; until then, whoever comes may join. */
  #visibleAt = Infinity
  #handovers = 0

  /** Waits for the render, `waitMs` at most. `isThere`: whether this follower's own visitor still is. */
  join(waitMs: number, isThere: () => boolean): Promise<Joined> {
    if (this.#landing !== undefined) return Promise.resolve(this.#landing)
    return new Promise((resolve) => {
      const settle = (joined: Joined): void => {
        clearTimeout(timer)
        this.#followers?.delete(follower)
        resolve(joined)
      }
      const timer = setTimeout(() => settle({ kind: 'timeout' }), waitMs)
      timer.unref()
      const follower: Follower = { isThere, settle }
      this.#followers ??= new Set()
      this.#followers.add(follower)
    })
  }

  get hasLanded(): boolean {
    return this.#landing !== undefined
  }

  /** What it has brought, where it was stored. */
  get stored(): StoredResponse | undefined {
    return this.#landing?.kind === 'stored' ? this.#landing.response : undefined
  }

  /** Whether one who looked into the store at this moment may still wait for this render, or for what it brought. */
  isJoinable(lookedAt: number): boolean {
    return lookedAt < this.#visibleAt
  }

  /** `at`: the number of this moment, in the order of renders and reads. */
  becomeVisible(at: number): void {
    this.#visibleAt = at
  }

  land(landing: Landing): void {
    if (this.#landing !== undefined) return
    this.#landing = landing
    this.#followers?.forEach((follower) => follower.settle(landing))
  }

  /** Lets one follower render in the leader's place. Returns whether there was one. */
  handOver(visitorLeft: boolean): boolean {
    if (this.#handovers >= (visitorLeft ? MAX_HANDOVERS : 1)) return false
    this.#handovers += 1
    for (const follower of this.#followers ?? []) {
      if (!follower.isThere()) continue
      follower.settle({ kind: 'lead' })
      return true
    }
    return false
  }
}

/** The renders under way, by key. */
export class Flights {
  readonly #flights = new Map<string, Flight>()
  readonly #nextOrder: () => number

  /** `nextOrder` numbers moments in the order of renders and reads. */
  constructor(nextOrder: () => number) {
    this.#nextOrder = nextOrder
  }

  get size(): number {
    return this.#flights.size
  }

  get(key: string): Flight | undefined {
    return this.#flights.get(key)
  }

  /** Starts a flight that others will join. */
  lead(key: string): Flight {
    const flight = new Flight()
    this.#flights.set(key, flight)
    return flight
  }

  /**
   * Ends a flight. `written`: where what it has brought is still on its way to those who look for it. Whoever looked
   * before it was there may join, for as long as a look may take.
   */
  land(key: string, flight: Flight, landing: Landing, written?: Written): void {
    flight.land(landing)
    if (written === undefined) this.#forget(key, flight)
    else void this.#linger(key, flight, written)
  }

  async #linger(key: string, flight: Flight, { done, lookMs }: Written): Promise<void> {
    await done
    flight.becomeVisible(this.#nextOrder())
    setTimeout(() => this.#forget(key, flight), lookMs).unref()
  }

  #forget(key: string, flight: Flight): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
  }
}
