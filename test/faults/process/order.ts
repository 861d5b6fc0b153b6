import type { Stats } from '@cacheback/core'

export interface AppOptions {
  readonly pageBytes?: number
  /** The length of `/big`. */
  readonly bigMiB?: number
  /** A store behind the copies whose every write takes so long. */
  readonly slowStoreMs?: number
  /** How long a page takes. */
  readonly renderMs?: number
}

export type Order =
  | { readonly kind: 'advance'; readonly seconds: number }
  | { readonly kind: 'open' | 'reset' | 'idle' | 'figures' }

export interface Spread {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** What can be measured of a process from inside. */
export interface ProcessFigures {
  readonly rssMiB: number
  /** What lives on the heap and in buffers. */
  readonly heapMiB: number
  /** How late the loop was, by the clock. */
  readonly lagMs: Spread
  /** How long the loop was at work in one turn, by the processor: a machine that is busy with others adds nothing. */
  readonly heldMs: Spread
}

export interface Figures extends ProcessFigures {
  readonly renders: number
  readonly mostRunning: number
  readonly mostWrites: number
  readonly stats: Stats
}
