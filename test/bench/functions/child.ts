// One contender in a process of its own: prints the microseconds of a call that finds its value in memory.
import { CONTENDERS, KEYS, made } from './contenders.ts'

const BATCH = 20_000

const [name = '', seconds = '1'] = process.argv.slice(2)
const contender = CONTENDERS[name]
if (contender === undefined) throw new Error(`There is no ${name}.`)
const load = contender.make()
const ids = Array.from({ length: KEYS }, (_, i) => `item-${i}`)

for (const id of ids) await load(id)
// The compiler has its time.
await callFor(Number(seconds) * 250)
const micros = await callFor(Number(seconds) * 1000)
if (made.count > KEYS) throw new Error(`${name} has made ${made.count} items of ${KEYS}.`)
console.log(JSON.stringify(micros))
process.exit()

async function callFor(ms: number): Promise<number> {
  const startedAt = performance.now()
  let calls = 0
  let spentMs = 0
  while (spentMs < ms) {
    for (let i = 0; i < BATCH; i += 1) await load(ids[i % KEYS]!)
    calls += BATCH
    spentMs = performance.now() - startedAt
  }
  return (spentMs * 1000) / calls
}
