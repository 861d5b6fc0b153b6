// node top.ts file.cpuprofile: where the time of a server went, of that in which it was not idle.
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[]
  samples: number[]
  timeDeltas: number[]
}

const FRAMES = 25
const profile = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Profile
const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
const micros = new Map<string, number>()
profile.samples.forEach((id, i) => {
  const name = names.get(id) ?? ''
  micros.set(name, (micros.get(name) ?? 0) + (profile.timeDeltas[i] ?? 0))
})
micros.delete('(idle)')
const total = [...micros.values()].reduce((a, b) => a + b, 0)
for (const [name, spent] of [...micros].toSorted((a, b) => b[1] - a[1]).slice(0, FRAMES)) {
  console.log(`${((spent / total) * 100).toFixed(1).padStart(5)} %  ${name}`)
}

function nameOf({ functionName, url, lineNumber }: Profile['nodes'][number]['callFrame']): string {
  const name = functionName || '(anonymous)'
  return url === '' ? name : `${name} ${url.startsWith('node:') ? url : basename(url)}:${lineNumber + 1}`
}
