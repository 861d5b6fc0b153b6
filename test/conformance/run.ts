import { parseArgs } from 'node:util'
import { confirmed, notPassed, surprises } from './enforce.ts'
import { FRAMEWORKS, run } from './harness.ts'
import { PROFILES, optionsOf } from './profiles.ts'
import { type Run, sections, table } from './report.ts'
import { NEWER, PACKAGE, TESTS } from './suite.ts'
import { verdictOf } from './verdict.ts'

const { values: flags } = parseArgs({
  options: {
    framework: { type: 'string', multiple: true, default: [...FRAMEWORKS] },
    profile: { type: 'string', multiple: true, default: [...PROFILES] },
    /** Only these tests; prints what became of each. */
    id: { type: 'string', multiple: true, default: [] },
    /** Fail if the run differs from expected.ts. */
    enforce: { type: 'boolean', default: false },
    /** Every test that is not passed, with what went wrong. */
    failures: { type: 'boolean', default: false },
  },
})

const tests = TESTS.filter(({ id }) => flags.id.length === 0 || flags.id.includes(id))
const runs: Run[] = []
let surprised = false

for (const profile of PROFILES.filter((name) => flags.profile.includes(name))) {
  const { unknown } = optionsOf(profile)
  if (unknown.length > 0) console.log(`Profile ${profile} goes without ${unknown.join(', ')}: not an option yet.`)
  for (const framework of FRAMEWORKS.filter((name) => flags.framework.includes(name))) {
    // Runs share the suite's client, whose state is global.
    // oxlint-disable-next-line no-await-in-loop
    const first = await run(framework, profile, tests)
    // oxlint-disable-next-line no-await-in-loop
    const results = flags.enforce ? await confirmed(framework, profile, first) : first
    runs.push({ framework, profile, results })
    if (flags.failures || flags.id.length > 0) printResults(runs.at(-1)!)
    if (flags.enforce) surprised = printSurprises(runs.at(-1)!) || surprised
  }
}

if (flags.id.length === 0) {
  for (const one of runs) console.log(`\ncacheback, ${one.framework}, ${one.profile}\n\n${sections(one)}`)
  console.log(`\n${table(runs)}`)
}
if (surprised) process.exitCode = 1

function printResults({ framework, profile, results }: Run): void {
  const ids = flags.id.length > 0 ? tests.map(({ id }) => id) : notPassed(results)
  for (const id of ids) {
    const result = results[id]
    const verdicts = [NEWER, PACKAGE].map((reading) => (reading.has(id) ? verdictOf(reading, id, results) : '-'))
    const kind = (NEWER.get(id) ?? PACKAGE.get(id))!.kind
    const why = result === undefined || result === true ? '' : `${result[0]}: ${result[1]}`
    console.log([framework, profile, kind, verdicts.join('/'), id, why].join('\t'))
  }
}

function printSurprises({ framework, profile, results }: Run): boolean {
  const { unlisted, passed } = surprises(framework, profile, results)
  for (const id of unlisted) console.error(`${framework}, ${profile}: ${id} is not passed and not in expected.ts`)
  for (const id of passed) console.error(`${framework}, ${profile}: ${id} is passed; take it out of expected.ts`)
  return unlisted.length + passed.length > 0
}
