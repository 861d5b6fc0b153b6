import type { BackOff } from './back-off.ts'
import type { Dispatch } from './dispatch.ts'
import type { Elsewhere } from './place.ts'
import type { RefreshQueue } from './refresh-queue.ts'

/** What refreshes share, those of pages and those of functions. */
export interface Workings {
  readonly queue: RefreshQueue
  readonly backOff: BackOff
  readonly elsewhere: Elsewhere
  /** Where refreshes go to worker processes. */
  readonly dispatch: Dispatch | undefined
  /** Runs something in nobody's async context. */
  readonly runClean: <T>(run: () => T) => T
}
