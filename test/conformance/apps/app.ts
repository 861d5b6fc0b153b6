import type { Cacheback } from '@cacheback/core'

/** A running app whose only route forwards to the suite's origin, with the cache in front. */
export interface App {
  readonly port: number
  close(): Promise<void>
}

export type StartApp = (cache: Cacheback, originPort: number) => Promise<App>
