import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { type Bench, note, versionOf } from '../bench.ts'
import { CONTENDERS } from '../functions/contenders.ts'

export const FUNCTIONS = 'functions, a hit in memory'

/** One call after the other of a cached function that finds its value in memory, each contender in turn. */
export async function functions(bench: Bench): Promise<void> {
  const names = Object.keys(CONTENDERS).filter((name) => bench.only?.includes(name.split(':')[0]!) !== false)
  const values = new Map(names.map((name) => [name, [] as number[]]))
  console.error(`${FUNCTIONS} …`)
  for (let round = 0; round < bench.run.rounds; round += 1) {
    for (const name of names) values.get(name)!.push(measure(bench, name))
  }
  for (const name of names) {
    const { title, kind, package: of } = CONTENDERS[name]!
    const version = of === undefined ? '' : ` ${versionOf(of)}`
    const figure = { scenario: FUNCTIONS, server: name, title: title + version, kind, measure: 'µs/call' } as const
    bench.run.figures.push({ ...figure, values: values.get(name)! })
  }
}

function measure(bench: Bench, name: string): number {
  const child = fileURLToPath(new URL('../functions/child.ts', import.meta.url))
  try {
    return Number(execFileSync(process.execPath, [child, name, String(bench.run.seconds)], { encoding: 'utf8' }))
  } catch {
    note(bench, `${FUNCTIONS}, ${name}: it has failed`)
    return Number.NaN
  }
}
