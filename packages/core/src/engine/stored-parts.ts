import type { FieldLines } from '../policy/fields.ts'
import type { Freshness } from '../policy/freshness.ts'
import type { Place } from '../policy/selector.ts'
import type { Selecting } from '../policy/vary.ts'

/** What is written to a store and read from it: all that another process needs. */
export interface StoredParts {
  /** The full key of the request. */
  readonly key: string
  readonly selecting: Selecting
  readonly status: number
  readonly reason: string | undefined
  readonly fields: FieldLines
  readonly body: Buffer
  readonly place: Place
  readonly freshness: Freshness
  readonly receivedAt: number
  readonly authorized: boolean
  /** Until when it is worth keeping, if only to be validated. */
  readonly keepUntil: number
  /** Whether its lifetime is a guess. */
  readonly isHeuristic: boolean
  /** Whether it was captured in front of the whole app: nothing of it was left to layers outside the cache. */
  readonly isWhole: boolean
  /** Whether it was captured by the rules of an inner layer of the cache, which are not known where it is found first. */
  readonly isInner: boolean
  /** Whether its ETag is ours: the app does not know it and cannot be asked about it. */
  readonly hasOwnEtag: boolean
  /** The number of the newest purge that was known when its render began. */
  readonly epoch: number
}

/** All of it but the fields and the body, of which memory has a form of its own. */
export type StoredHead = Omit<StoredParts, 'body' | 'fields'>

/** Expiry in a store is garbage collection, not freshness: clocks differ. */
const EXPIRY_MARGIN_MS = 10_000
const MAX_TTL_MS = 365 * 86_400_000

/** For how many milliseconds a store is to keep a response. */
export function ttlMsOf({ keepUntil, receivedAt }: StoredHead): number {
  return Math.min(keepUntil - receivedAt + EXPIRY_MARGIN_MS, MAX_TTL_MS)
}
