import type { SharingState } from '../types.ts'
import type { Settings } from '../settings.ts'
import type { RequestHead } from '../policy/fields.ts'
import { type RequestKey, WIRE_VERSION } from '../policy/key.ts'
import type { ReadSelector } from '../policy/selector.ts'
import type { Decode } from '../stores/frame.ts'
import type { Membership, SharedStore } from '../stores/shared-store.ts'
import type { Claim } from './claim.ts'
import type { GuardedStore } from './guarded-store.ts'
import { type Lease, Leases } from './leases.ts'
import { SharedPurges } from './shared-purges.ts'
import { SharedShelf } from './shared-shelf.ts'
import type { StoredResponse } from './stored-response.ts'
import type { VaryLists } from './vary-lists.ts'

/** The clock of the store is asked for so often. */
const ASK_TIME_EVERY_MS = 60_000

interface SharingOptions {
  readonly settings: Settings
  readonly namespace: string
  readonly decode: Decode
  readonly varyLists: VaryLists
  readonly nextOrder: () => number
  readonly onLearnt: (selector: ReadSelector) => void
  readonly onLost: () => void
}

/** What a process shares with the others behind the same store: entries, leases, the order of renders, purges, a clock. */
export class Sharing {
  readonly shelf: SharedShelf
  readonly purges: SharedPurges
  readonly #leases: Leases
  readonly #member: Membership
  readonly #store: GuardedStore
  readonly #settings: Settings
  readonly #timeKeeping: NodeJS.Timeout
  /** What is to be added to a time of this process to make it one of the store. */
  #offsetMs: number | undefined
  #asking: Promise<number> | undefined

  constructor(store: GuardedStore, shared: SharedStore, options: SharingOptions) {
    const { settings, namespace, decode, varyLists, nextOrder, onLearnt, onLost } = options
    const member = shared.join({
      namespace: `${WIRE_VERSION}:${namespace}`,
      onPurge: (mark, previous) => this.purges.heard(mark, previous),
      onRestored: () => this.purges.restored(),
      onLeaseEnded: (address) => this.#leases.ended(address),
      onConnected: () => this.#greet(),
    })
    this.#store = store
    this.#member = member
    this.#settings = settings
    this.#leases = new Leases(store, member, settings.monotonicNow)
    this.shelf = new SharedShelf(store, member, namespace, decode, varyLists, () => this.#offset())
    this.purges = new SharedPurges(store, member, {
      now: settings.now,
      monotonicNow: settings.monotonicNow,
      maxStalenessMs: settings.memoryMaxStalenessMs,
      nextOrder,
      onLearnt,
      onLost,
    })
    this.#timeKeeping = setInterval(() => this.#askTime().catch(() => undefined), ASK_TIME_EVERY_MS)
    this.#timeKeeping.unref()
  }

  get state(): SharingState {
    const { behindMs, processes } = this.purges
    return { hears: this.#member.hears, behindMs: Math.max(0, Math.round(behindMs)), processes }
  }

  /** Asks for the lease of a render. `after`: the rank of what is there already and not good enough. */
  lease(key: RequestKey, request: RequestHead, after: number): Promise<Lease> {
    const slot = this.shelf.slotFor(key, request)
    return this.#leases.take(slot, Math.max(after, slot.rank))
  }

  /** The place of a render that nobody else would wait for. */
  order(key: RequestKey, request: RequestHead, known: number): Claim {
    const slot = this.shelf.slotFor(key, request)
    return this.#leases.order(slot, Math.max(known, slot.rank))
  }

  /** For a visitor whose look the store has not answered: to ask it for a lease would cost him a second deadline. */
  claimOfSilence(key: RequestKey, request: RequestHead): Claim | undefined {
    return this.#store.isSilent ? this.#leases.none(this.shelf.slotFor(key, request)) : undefined
  }

  /** What has been rendered here a moment ago is not behind anybody yet. */
  vouch(response: StoredResponse): void {
    const { claim } = response
    if (claim !== undefined) response.vouchedUntil = claim.beganAt + this.#settings.memoryMaxStalenessMs
  }

  async close(): Promise<void> {
    clearInterval(this.#timeKeeping)
    this.#leases.close()
    this.purges.close()
    await this.#member.leave()
  }

  /** A connection is there, to a server that may be another one than before. */
  #greet(): void {
    this.#store.hurry()
    this.#askTime().catch(() => undefined)
    void this.purges.ask()
  }

  #offset(): number | Promise<number> {
    return this.#offsetMs ?? this.#askTime()
  }

  /** The moment between question and answer is the one that was meant. */
  #askTime(): Promise<number> {
    this.#asking ??= this.#measure().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #measure(): Promise<number> {
    const { now } = this.#settings
    const askedAt = now()
    const theirs = await this.#store.ask('time', 'get', () => this.#member.time())
    this.#offsetMs = Math.round(theirs - (askedAt + now()) / 2)
    return this.#offsetMs
  }
}
