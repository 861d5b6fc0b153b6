import type { Kind, Results } from './types.ts'

export type Verdict =
  | 'pass'
  | 'fail'
  | 'optional fail'
  | 'yes'
  | 'no'
  | 'setup'
  | 'dependency'
  | 'retry'
  | 'harness'
  | 'untested'

/** A test as one version of the suite judges it. */
export interface Judged {
  readonly id: string
  readonly section: string
  readonly kind: Kind
  readonly dependsOn: readonly string[]
}

/** One version of the suite: its tests by id, without those that only a browser runs. */
export type Reading = ReadonlyMap<string, Judged>

export function verdictOf(reading: Reading, id: string, results: Results): Verdict {
  const test = reading.get(id)
  const result = results[id]
  if (test === undefined || result === undefined) return 'untested'
  if (!test.dependsOn.every((gate) => isPassed(verdictOf(reading, gate, results)))) return 'dependency'
  if (result !== true && result[0] === 'Setup') return result[1] === 'retry' ? 'retry' : 'setup'
  if (result !== true && result[0] === 'AbortError') return 'harness'
  const passed = result === true
  if (test.kind === 'check') return passed ? 'yes' : 'no'
  if (test.kind === 'optimal') return passed ? 'pass' : 'optional fail'
  return passed ? 'pass' : 'fail'
}

export function isPassed(verdict: Verdict): boolean {
  return verdict === 'pass' || verdict === 'yes'
}

/** How many tests passed, failed, or were neither (dependency, setup, retry, harness, untested). */
export interface Tally {
  readonly pass: number
  readonly fail: number
  readonly other: number
}

export function tally(reading: Reading, results: Results, kind: Kind, section?: string): Tally {
  const counts = { pass: 0, fail: 0, other: 0 }
  for (const test of reading.values()) {
    if (test.kind !== kind || (section !== undefined && test.section !== section)) continue
    const verdict = verdictOf(reading, test.id, results)
    if (isPassed(verdict)) counts.pass += 1
    else if (verdict === 'fail' || verdict === 'optional fail' || verdict === 'no') counts.fail += 1
    else counts.other += 1
  }
  return counts
}
