import type { RequestHead } from '../policy/fields.ts'
import type { RequestKey } from '../policy/key.ts'
import type { StoredParts } from './stored-parts.ts'
import type { StoredResponse } from './stored-response.ts'

/** What a store has for a request. */
export interface Found {
  readonly parts: StoredParts
  /** Its place in the order of all processes; 0 where the store knows none. */
  readonly rank: number
}

/** The store behind the copies in memory, as the library sees it. All of it rejects where the store is out of reach. */
export interface Shelf {
  /** What is stored for a request, the newest of what its selecting headers select. */
  read(key: RequestKey, request: RequestHead): Promise<Found | undefined>
  /** Whether anything is stored for a key. */
  has(key: RequestKey): Promise<boolean>
  /** Whether this response, or one that has taken its place, is stored. */
  holds(response: StoredResponse): Promise<boolean>
  /** Resolves with whether it is stored: not where a newer one is. */
  write(response: StoredResponse): Promise<boolean>
  remove(response: StoredResponse): Promise<void>
}
