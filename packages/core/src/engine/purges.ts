import type { ReadSelector } from '../policy/selector.ts'
import type { PurgeReport } from '../types.ts'
import type { StoredResponse } from './stored-response.ts'

/** What of the stored responses has been purged, here and by other processes. */
export interface Purges {
  /** The newest purge known, as a number: what begins to be rendered now is younger than that. */
  readonly latest: number
  /** Whether no purge has taken this response; makes it stale where a soft one says so. */
  admits(response: StoredResponse): boolean
  /** Undefined where what memory holds may be used as it is; else a promise that never rejects. */
  catchUp(): Promise<void> | undefined
  /** The store has been away: nothing of it is served before the purges are known that were made meanwhile. */
  catchUpAnew(): void
  /** Whether what memory holds is behind other processes by no more than is allowed. */
  readonly isCurrent: boolean
  /** The same for one response, which may be younger than the last word of others. */
  vouchesFor(response: StoredResponse): boolean
  /** Holds at once in this process. Rejects where the store could not be told; it is then told when it is back. */
  purge(selector: ReadSelector, soft: boolean, unsafe?: boolean): Promise<PurgeReport>
}

/** In this process, and there alone. */
export const HERE: PurgeReport = { acknowledged: 1, missing: 0 }
