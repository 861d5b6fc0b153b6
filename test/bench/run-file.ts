import type { Machine } from './machine.ts'
import type { Kind } from './server-file.ts'

/** One measure of one server in one scenario: a value a round. */
export interface Figure {
  readonly scenario: string
  readonly server: string
  readonly title: string
  readonly kind: Kind
  readonly measure: Measure
  readonly values: readonly number[]
}

export type Measure =
  | 'requests/s'
  | 'CPU µs/request'
  | 'p50 ms'
  | 'p99 ms'
  | 'first byte ms'
  | 'renders/key'
  | 'most renders of a key'
  | 'failures'
  | 'µs/call'
  | 'bytes/entry over body and head'

/** What `pnpm bench --json` writes. */
export interface RunFile {
  readonly takenAt: string
  readonly machine: Machine
  readonly rounds: number
  readonly seconds: number
  /** Seconds of load before anything is measured. */
  readonly warmUp: number
  readonly figures: Figure[]
  /** What was skipped, and what went wrong. */
  readonly notes: string[]
}

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function valuesOf(run: RunFile, scenario: string, server: string, measure: Measure): readonly number[] {
  const isIt = (figure: Figure): boolean =>
    figure.scenario === scenario && figure.server === server && figure.measure === measure
  return run.figures.find(isIt)?.values ?? []
}

/** Of rounds in which both took part, round by round; undefined where there is none. */
export function ratio(
  run: RunFile,
  scenario: string,
  [server, to]: readonly [string, string],
  measure: Measure = 'requests/s',
): Spread | undefined {
  const others = valuesOf(run, scenario, to, measure)
  return spread(valuesOf(run, scenario, server, measure).map((value, round) => value / (others[round] ?? Number.NaN)))
}

export function spread(values: readonly number[]): Spread | undefined {
  const sorted = values.filter(Number.isFinite).toSorted((a, b) => a - b)
  if (sorted.length === 0) return undefined
  const middle = sorted.length / 2
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}

/** A value that so large a part of the (ascending) list does not exceed. */
export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN
}
