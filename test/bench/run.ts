// pnpm bench, with the options that README.md lists.
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

import { type Bench, readServerFiles } from './bench.ts'
import { judge } from './goals.ts'
import { describeMachine, findCores, pinSelf, runs } from './machine.ts'
import { printGoals, printRun } from './report.ts'
import type { RunFile } from './run-file.ts'
import { alone } from './scenarios/alone.ts'
import { functions } from './scenarios/functions.ts'
import { hit } from './scenarios/hit.ts'
import { memory } from './scenarios/memory.ts'
import { miss } from './scenarios/miss.ts'
import { redis } from './scenarios/redis.ts'
import { shared } from './scenarios/shared.ts'
import { stale } from './scenarios/stale.ts'
import { stampede } from './scenarios/stampede.ts'

const SCENARIOS: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  hit,
  stale,
  miss,
  memory,
  redis,
  shared,
  stampede,
  functions,
  alone,
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(SCENARIOS).join() },
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '2' },
    'warm-up': { type: 'string', default: '5' },
    entries: { type: 'string', default: '1000000' },
    servers: { type: 'string' },
    json: { type: 'string' },
    profiles: { type: 'string' },
    print: { type: 'string' },
    autocannon: { type: 'boolean', default: false },
  },
})

if (values.print !== undefined) {
  const earlier = JSON.parse(readFileSync(values.print, 'utf8')) as RunFile
  printRun(earlier)
  printGoals(judge(earlier), true)
  process.exit()
}

const only = values.only.split(',')
const unknown = only.filter((name) => !(name in SCENARIOS))
if (unknown.length > 0) throw new Error(`There is no ${unknown.join()}; there are ${Object.keys(SCENARIOS).join()}.`)

// Stopped servers and loads are ended where the process exits.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1))

const cores = findCores()
const wrk = !values.autocannon && runs('wrk', '-v') !== undefined

const run: RunFile = {
  takenAt: new Date().toISOString(),
  machine: describeMachine(cores, wrk),
  rounds: positive(values.rounds, 'rounds'),
  seconds: positive(values.seconds, 'seconds'),
  warmUp: positive(values['warm-up'], 'warm-up'),
  figures: [],
  notes: [],
}
// Only now: a pinned process sees one core.
if (cores) pinSelf(cores.load)
const bench: Bench = {
  run,
  cores,
  wrk,
  entries: positive(values.entries, 'entries'),
  only: values.servers?.split(','),
  profiles: values.profiles,
  files: await readServerFiles(run.notes),
}
for (const name of only) {
  await SCENARIOS[name]!(bench)
  // After each, so that a long run that breaks off leaves what it has.
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(run, null, 1)}\n`)
}
printRun(run)
printGoals(judge(run), only.length < Object.keys(SCENARIOS).length || bench.only !== undefined)
process.exit()

function positive(value: string, name: string): number {
  const number = Number(value)
  if (number > 0) return number
  throw new Error(`--${name} must be a number above 0.`)
}
