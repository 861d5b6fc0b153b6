import type { Framework } from './harness.ts'
import type { Profile } from './profiles.ts'
import { PUBLISHED } from './published.ts'
import { NEWER, PACKAGE, WITHOUT_CDN } from './suite.ts'
import type { Kind, Results } from './types.ts'
import { type Reading, tally } from './verdict.ts'

export interface Run {
  readonly framework: Framework
  readonly profile: Profile
  readonly results: Results
}

const KINDS: readonly Kind[] = ['required', 'optimal', 'check']

/** Our rows above the published ones, as a Markdown table. */
export function table(runs: readonly Run[]): string {
  const rows = [
    ...runs.map((run) => {
      const name = `**cacheback, ${run.framework}, ${run.profile}**`
      return [name, ...[NEWER, WITHOUT_CDN, PACKAGE].map((reading) => counts(reading, run.results))]
    }),
    ...PUBLISHED,
  ]
  const heads = [
    'cache',
    ...[NEWER, WITHOUT_CDN].map((reading) => `r pass/fail/other of ${size(reading, 'required')} | ${others(reading)}`),
    `package: r pass/fail/other of ${size(PACKAGE, 'required')} | ${others(PACKAGE)}`,
  ]
  const width = heads.join('|').split('|').length
  return [heads, Array.from({ length: width }, () => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

/** Our passes per section and kind, in the newer version. */
export function sections(run: Run): string {
  const names = new Set([...NEWER.values()].map(({ section }) => section))
  const rows = [...names].map((section) => [
    section,
    ...KINDS.map((kind) => {
      const of = size(NEWER, kind, section)
      const { pass, fail } = tally(NEWER, run.results, kind, section)
      return of === 0 ? '' : `${pass} of ${of}${kind !== 'check' && fail > 0 ? `, ${fail} failed` : ''}`
    }),
  ])
  return [['section', ...KINDS], ['---', '---', '---', '---'], ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n')
}

function counts(reading: Reading, results: Results): string {
  const { pass, fail, other } = tally(reading, results, 'required')
  const passed = (kind: Kind): number => tally(reading, results, kind).pass
  return `${pass}/${fail}/${other} | ${passed('optimal')} | ${passed('check')}`
}

const others = (reading: Reading): string => `o of ${size(reading, 'optimal')} | c`

function size(reading: Reading, kind: Kind, section?: string): number {
  return [...reading.values()].filter(
    (test) => test.kind === kind && (section === undefined || test.section === section),
  ).length
}
