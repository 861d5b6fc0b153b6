import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { type Child, startChild } from './process/child.ts'
import { randomFrom, type Random } from './process/random.ts'
import type { SoakFigures, SoakOrder } from './process/soak-app.ts'
import { type Counts, load, noCounts } from './process/soak-load.ts'

// A few minutes of everything at once: visitors of all kinds, handlers that fail, a Redis that comes and goes.
//   pnpm soak [--minutes 3] [--seed 1]
// A seed brings back the same mix and the same faults, though not to the millisecond.
// Ends with 1 on a failed response that no handler has caused, an unhandled rejection, or memory that keeps growing.

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '3' }, seed: { type: 'string' } } })
const FRAMEWORKS = ['fastify', 'express', 'koa'] as const
const LINE_MS = 10_000
const seed = Number(values.seed ?? Date.now() % 1_000_000)
const millisecondsEach =
  Math.max(1, Math.round((Number(values.minutes) * 60_000) / FRAMEWORKS.length / LINE_MS)) * LINE_MS

interface Result {
  readonly framework: string
  readonly counts: Counts
  readonly figures: readonly SoakFigures[]
  readonly problems: readonly string[]
  readonly faults: number
  readonly purges: number
}

/** Kills, hangs and restarts Redis (which forgets everything), now and then; ends it with the soak. */
async function trouble(
  first: RedisServer,
  random: Random,
  signal: AbortSignal,
  tell: (state: string) => void,
): Promise<number> {
  let redis = first
  let faults = 0
  const pause = (from: number, to: number): Promise<unknown> =>
    sleep(from + random.below(to - from), undefined, { signal }).catch(() => undefined)
  while (!signal.aborted) {
    await pause(2000, 6000)
    if (signal.aborted) break
    faults += 1
    const kind = random.pick([1, 1, 1])
    tell(['away', 'hung', 'restarted'][kind]!)
    if (kind === 1) redis.pause()
    else await redis.kill()
    if (kind !== 2) await pause(1000, 4000)
    if (kind === 1) redis.resume()
    else redis = await startRedis({ socketPath: redis.socketPath })
    tell('well')
  }
  await redis.stop()
  return faults
}

async function purges(app: Child<SoakOrder>, random: Random, signal: AbortSignal): Promise<number> {
  let done = 0
  while (!signal.aborted) {
    await sleep(500 + random.below(2000), undefined, { signal }).catch(() => undefined)
    if (signal.aborted) break
    const soft = random.below(2) === 0
    const what = random.pick([5, 5, 1])
    if (what === 0) await app.tell({ kind: 'purge', tag: `t${random.below(5)}`, soft })
    else if (what === 1) await app.tell({ kind: 'purge', url: `/page/${random.below(100)}`, soft })
    else await app.tell({ kind: 'purge', soft })
    done += 1
  }
  return done
}

const ms = (value: number): string => value.toFixed(value < 10 ? 1 : 0)

function print(framework: string, seconds: number, counts: Counts, figures: SoakFigures, redis: string): void {
  const { rssMiB, heapMiB, lagMs, stats } = figures
  const { queued, running } = stats.refresh
  const kinds = Object.entries(counts.kinds).map(([kind, count]) => `${kind} ${count}`)
  console.log(
    [
      `${framework} ${seconds} s`,
      `${counts.requests} requests (${kinds.join(', ')})`,
      `${counts.kinds['failed'] ?? 0} failed`,
      `rss ${rssMiB.toFixed(0)} heap ${heapMiB.toFixed(0)} MiB`,
      `lag ${ms(lagMs.p50)}/${ms(lagMs.p99)}/${ms(lagMs.max)} ms`,
      `refreshes ${running} running ${queued} queued`,
      `breaker ${stats.breaker}, Redis ${redis}`,
    ].join(' | '),
  )
}

async function soak(framework: (typeof FRAMEWORKS)[number]): Promise<Result> {
  const redis = await startRedis()
  const app = await startChild<SoakOrder>('soak-app.ts', [framework, redis.socketPath])
  const counts = noCounts()
  const stop = new AbortController()
  const figures: SoakFigures[] = []
  let state = 'well'
  const random = randomFrom(seed)
  const visitors = load(app.port, random, counts, stop.signal)
  const troubles = trouble(redis, randomFrom(seed + 1), stop.signal, (now) => (state = now))
  const purging = purges(app, randomFrom(seed + 2), stop.signal)
  for (let elapsed = LINE_MS; elapsed <= millisecondsEach; elapsed += LINE_MS) {
    // Twice a line: a third of the time is soon over.
    for (let half = 0; half < 2; half++) {
      await Promise.race([sleep(LINE_MS / 2), visitors])
      figures.push((await app.tell({ kind: 'figures' })) as SoakFigures)
    }
    print(framework, elapsed / 1000, counts, figures.at(-1)!, state)
  }
  stop.abort()
  await visitors
  const [faults, purged] = await Promise.all([troubles, purging])
  await sleep(2500)
  const last = (await app.tell({ kind: 'figures' })) as SoakFigures
  await app.stop()
  return { framework, counts, figures, problems: problemsOf(counts, figures, last), faults, purges: purged }
}

function problemsOf(counts: Counts, figures: readonly SoakFigures[], last: SoakFigures): string[] {
  const problems = [...counts.failures, ...last.unhandled]
  const third = Math.floor(figures.length / 3)
  const [before, after] = [figures.slice(third, 2 * third), figures.slice(-third)].map((part) =>
    median(part.map(({ heapMiB }) => heapMiB)),
  )
  if (after! > before! * 1.1 + 8)
    problems.push(`memory grows: ${before!.toFixed(1)} MiB, then ${after!.toFixed(1)} MiB`)
  const { refresh, capturing } = last.stats
  if (refresh.queued + refresh.running > 0) problems.push(`${refresh.running} refreshes never ended`)
  if (capturing > 0) problems.push(`${capturing} bytes of captures are left`)
  return problems
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0

function summarise(results: readonly Result[]): void {
  console.table(
    Object.fromEntries(
      results.map(({ framework, counts, figures, faults, purges: purged }) => {
        const of = (pick: (each: SoakFigures) => number): number => Math.round(Math.max(...figures.map(pick)) * 10) / 10
        const row = {
          requests: counts.requests,
          failed: counts.kinds['failed'] ?? 0,
          'handler failed': counts.kinds['handler failed'] ?? 0,
          'Redis faults': faults,
          purges: purged,
          'slowest good ms': Math.round(counts.slowestMs),
          'lag p99 ms': of(({ lagMs }) => lagMs.p99),
          'turn p99 ms': of(({ heldMs }) => heldMs.p99),
          'heap MiB': of(({ heapMiB }) => heapMiB),
          'rss MiB': of(({ rssMiB }) => rssMiB),
        }
        return [framework, row] as const
      }),
    ),
  )
  for (const { framework, problems } of results)
    for (const problem of problems) console.error(`${framework}: ${problem}`)
}

console.log(`seed ${seed}, ${millisecondsEach / 1000} s for each framework`)
const results: Result[] = []
for (const framework of FRAMEWORKS) results.push(await soak(framework))
summarise(results)
process.exitCode = results.some(({ problems }) => problems.length > 0) ? 1 : 0
