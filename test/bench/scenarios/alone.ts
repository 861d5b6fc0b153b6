import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { type Bench, note, ofKind, record } from '../bench.ts'
import { DEFAULT_PAGE } from '../page.ts'

const CHILD = fileURLToPath(new URL('../alone/child.ts', import.meta.url))

/**
 * What a request costs a process beside its connection: requests that come from nowhere, whose answers go nowhere. The
 * system's share of a real one is the same for all, and most of the noise; here it is not.
 */
export async function alone(bench: Bench): Promise<void> {
  const hits = ofKind(bench, 'bare', 'uncached', 'hit-floor', 'cacheback', 'front')
  const misses = ofKind(bench, 'bare', 'uncached', 'miss-floor', 'cacheback', 'front')
  for (const [size, bytes] of Object.entries({ '1 KiB': 1024, '64 KiB': 64 * 1024 })) {
    measure(bench, `alone, hit ${size}`, hits, 'same', bytes)
    measure(bench, `alone, miss ${size}`, misses, 'unique', bytes)
  }
}

function measure(bench: Bench, scenario: string, wanted: ReturnType<typeof ofKind>, kind: string, bytes: number): void {
  console.error(`${scenario} …`)
  const { rounds, seconds, warmUp } = bench.run
  const settings = JSON.stringify({ ...DEFAULT_PAGE, bytes })
  const pinned = bench.cores ? ['taskset', '-c', String(bench.cores.servers)] : []
  for (const { file } of wanted) {
    if (bench.only !== undefined && !bench.only.includes(file)) continue
    const [program, ...args] = [...pinned, process.execPath, CHILD, file, kind, settings]
    const times = [warmUp, seconds, rounds].map(String)
    try {
      const printed = execFileSync(program, [...args, ...times], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      record(bench, { scenario, server: file, measure: 'CPU µs/request', values: JSON.parse(printed) as number[] })
    } catch {
      note(bench, `${scenario}, ${file}: it has failed`)
    }
  }
}
