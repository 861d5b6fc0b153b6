import { setTimeout as sleep } from 'node:timers/promises'

import { type Bench, ofKind, record, startAll } from '../bench.ts'
import type { Contender } from '../contender.ts'
import { burst } from '../load/burst.ts'
import { PATH } from '../load/requests.ts'
import { DEFAULT_PAGE } from '../page.ts'
import { percentile } from '../run-file.ts'

const REQUESTS = 1000
/** A stampede on cold code would measure the compiler: bare node:http takes five of them to become three times as quick. */
const WARM_UPS = 4
/** 500 refreshes take their time. */
const MOST_ROUNDS = 3
const PAGE = { maxAge: 2, staleWhileRevalidate: 600, ioMs: 100, countsUrls: true }

const PHASES = [
  { scenario: 'stampede, 1 cold key', keys: 1, isStale: false },
  { scenario: 'stampede, 1 stale key', keys: 1, isStale: true },
  { scenario: 'stampede, 500 cold keys', keys: 500, isStale: false },
  { scenario: 'stampede, 500 stale keys', keys: 500, isStale: true },
]

type Phase = (typeof PHASES)[number]

interface Outcome {
  readonly 'renders/key': number
  readonly 'most renders of a key': number
  readonly failures: number
  readonly 'p50 ms': number
  readonly 'p99 ms': number
}

/** 1,000 requests at once for what takes 100 ms to render. */
export async function stampede(bench: Bench): Promise<void> {
  for (const wanted of ofKind(bench, 'front', 'cacheback', 'peer', 'proxy')) {
    console.error(`stampede, ${wanted.file} …`)
    const [contender] = await startAll(bench, [wanted], PAGE)
    if (contender === undefined) continue
    for (const one of PHASES) {
      const outcomes: Outcome[] = []
      const rounds = Math.min(MOST_ROUNDS, bench.run.rounds)
      for (let round = -WARM_UPS; round < rounds; round++) {
        const outcome = await phase(contender, one, round)
        if (round >= 0) outcomes.push(outcome)
      }
      for (const measure of Object.keys(outcomes[0] ?? {}) as (keyof Outcome)[]) {
        const values = outcomes.map((outcome) => outcome[measure])
        record(bench, { scenario: one.scenario, server: contender.id, measure, values })
      }
    }
    await contender.stop()
  }
}

async function phase(contender: Contender, { scenario, keys, isStale }: Phase, round: number): Promise<Outcome> {
  // Keys of its own each time.
  const name = scenario.replaceAll(/\W+/gu, '-')
  const targets = Array.from({ length: REQUESTS }, (_, i) => `${PATH}?n=${name}-${round}-${i % keys}`)
  const ours = new Set(targets)
  if (isStale) {
    await burst(contender.origin, [...ours], DEFAULT_PAGE.bytes)
    await sleep(PAGE.maxAge * 1000 + 1100)
  }
  const before = await rendersOf(contender, ours)
  const { latencies, failed } = await burst(contender.origin, targets, DEFAULT_PAGE.bytes)
  const after = await settled(contender, ours)
  const times = [...ours].map((url) => (after.get(url) ?? 0) - (before.get(url) ?? 0))
  return {
    'renders/key': times.reduce((sum, n) => sum + n, 0) / keys,
    'most renders of a key': Math.max(...times),
    failures: failed,
    'p50 ms': percentile(latencies, 0.5),
    'p99 ms': percentile(latencies, 0.99),
  }
}

async function rendersOf(contender: Contender, urls: ReadonlySet<string>): Promise<Map<string, number>> {
  const { byUrl } = await contender.ask('renders')
  return new Map(byUrl.filter(([url]) => urls.has(url)))
}

/** When half a second has passed without a render: those behind the visitors go on after they have gone. */
async function settled(contender: Contender, urls: ReadonlySet<string>): Promise<Map<string, number>> {
  let total = -1
  for (;;) {
    const renders = await rendersOf(contender, urls)
    const sum = [...renders.values()].reduce((a, b) => a + b, 0)
    if (sum === total) return renders
    total = sum
    await sleep(500)
  }
}
