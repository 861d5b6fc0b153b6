import type { Store } from './store.ts'

/**
 * A store behind several processes that can do what a plain one cannot: number renders, lend leases, keep the purges
 * and carry word of them. @cacheback/redis is one. As with a plain store, every call has a deadline, a bound and a
 * circuit breaker before it; it must reject where it could not do what it was asked, and reject with ForeignReplyError
 * where what came back was the reply to something else.
 */
export interface SharedStore extends Store {
  /** Called once by each cache; several may share one store. */
  join(party: Party): Membership
}

/** What a cache tells a store about itself. */
export interface Party {
  /** Stands in every key, so that caches with another name, version or wire format have nothing in common. */
  readonly namespace: string
  /** Another process has purged; `previous`: the number before. When this returns, the purge holds here: the store then acknowledges it. */
  onPurge(mark: NumberedMark, previous: number): void
  /** What had been told before was lost, and another process has told it anew: all is to be read again. */
  onRestored(): void
  /** A render for which this process has been waiting is over. */
  onLeaseEnded(address: Address): void
  /** A connection has been made, perhaps to another server than before. */
  onConnected(): void
}

/** Where a response lies. `url`: its URL's own key; `entry`: its variant's, the same where it has no Vary. */
export interface Address {
  readonly url: string
  readonly entry: string
}

/** A frame, and its place in the order of renders of its URL. */
export interface RankedFrame {
  readonly frame: Uint8Array
  readonly rank: number
}

/** A purge with its number: above those of all purges before it. `selector` is JSON. */
export interface NumberedMark {
  readonly number: number
  readonly selector: string
}

export interface PastMark extends NumberedMark {
  /** How many milliseconds ago it was made. */
  readonly agoMs: number
}

export interface ClaimRequest {
  /** Names this claim alone. */
  readonly token: string
  /** The newest rank of this URL that is known here: the render gets a higher one, and is needless where something newer is stored. */
  readonly known: number
  /** 0: only a rank is wanted, no lease, whatever is stored. */
  readonly leaseMs: number
}

export type Claimed =
  | { readonly kind: 'granted'; readonly rank: number }
  /** Another process is rendering it; its lease ends after so many milliseconds at the latest. */
  | { readonly kind: 'busy'; readonly leftMs: number }
  /** Something newer than `known` is stored, with this rank. */
  | { readonly kind: 'newer'; readonly rank: number }

export interface Put {
  /** Of the claim; '' for none. Its lease ends with this. */
  readonly token: string
  /** 0: unknown; then it is stored only where nothing is. */
  readonly rank: number
  readonly frame: Uint8Array
  /** The list of the URL's selecting headers, where the response has any. */
  readonly index: Uint8Array | undefined
  readonly ttlMs: number
}

/** The state of the purges. */
export interface PurgeState {
  /** The number of the newest. */
  readonly latest: number
  /** The number at which they were last told anew. */
  readonly restoredAt: number
  /** Processes that are alive. */
  readonly processes: number
}

export interface ToldPurge {
  readonly number: number
  /** The number of the purge before it. */
  readonly previous: number
  /** Resolves when every process that was alive has acknowledged it, or after a quarter of a second. Never rejects. */
  readonly acknowledged: Promise<{ readonly acknowledged: number; readonly missing: number }>
}

/** A cache's part in a shared store. */
export interface Membership {
  /** One round trip: what lies at the URL's own key, then at the others. */
  read(url: string, entries: readonly string[]): Promise<readonly (RankedFrame | undefined)[]>
  claim(address: Address, request: ClaimRequest): Promise<Claimed>
  /** Resolves with whether the lease was still held. */
  renew(address: Address, token: string, leaseMs: number): Promise<boolean>
  release(address: Address, token: string): Promise<void>
  /** Resolves with whether it is stored: not where a newer one is, or it was removed since the rank was given. */
  put(address: Address, lease: Address, put: Put): Promise<boolean>
  /** Removes a response unless a newer one is there; 0: whatever is there. Renders under way are not stored. */
  remove(address: Address, rank: number): Promise<void>
  /** The clock that all share, in milliseconds since 1970. */
  time(): Promise<number>
  /** Says that this process is alive, and asks for the state of the purges. */
  beat(): Promise<PurgeState>
  /** The purges above a number, oldest first, and their state at that moment. */
  purgesSince(number: number): Promise<PurgeState & { readonly marks: readonly PastMark[] }>
  /** Tells a purge, with a number above `known`. Of those that are `bounded`, the oldest may be forgotten. */
  purge(selector: string, known: number, bounded: boolean): Promise<ToldPurge>
  /** Tells purges anew that the store has lost. */
  restore(marks: readonly NumberedMark[], known: number): Promise<void>
  /** Whether word of other processes arrives. */
  readonly hears: boolean
  leave(): Promise<void>
}

export function isSharedStore(store: object): store is SharedStore {
  return typeof (store as { join?: unknown }).join === 'function'
}

/** What has come back was the reply to something else: the connection cannot be trusted any longer. */
export class ForeignReplyError extends SyntaxError {}
