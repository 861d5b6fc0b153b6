import { type Measure, type RunFile, ratio, spread, valuesOf } from './run-file.ts'
import { FUNCTIONS } from './scenarios/functions.ts'

export interface Verdict {
  readonly goal: string
  readonly limit: string
  /** Undefined: not measured in this run. */
  readonly value: number | undefined
  readonly isMet: boolean | undefined
}

const FRAMEWORKS = ['fastify', 'koa', 'express'] as const
const BARE = 'node-http'
const PEERS = { express: ['apicache', 'apicache-plus', 'route-cache', 'cacheable-response'], koa: ['koa-cash'] }
/** Least ratios to bare node:http. */
const LEAST = {
  'hit 1 KiB': { front: 0.95, fastify: 0.9, koa: 0.8, express: 0.7 },
  'hit 64 KiB': { front: 0.85, fastify: 0.7, koa: 0.7, express: 0.6 },
} as const
/** Least ratios to the trivial uncached handler of the same framework. */
const LEAST_OVER_TRIVIAL = {
  'hit 1 KiB': { fastify: 1, koa: 1.2, express: 1.7 },
  'hit 64 KiB': { fastify: 1.3, koa: 1.3, express: 1.3 },
} as const
/** Most CPU time over the trivial handler's. */
const MOST_OF_A_MISS = { 'miss 1 KiB': 1.1, 'miss 64 KiB': 1.15, 'miss 1 KiB, 1 ms of CPU': 1.03 } as const

/** The goals, and whether this run met them. */
export function judge(run: RunFile): Verdict[] {
  const of = (scenario: string, server: string, to: string, measure?: Measure): number | undefined =>
    ratio(run, scenario, [server, to], measure)?.median
  return [
    ...(['hit 1 KiB', 'hit 64 KiB'] as const).flatMap((scenario) =>
      FRAMEWORKS.flatMap((name) => {
        const trivial = LEAST_OVER_TRIVIAL[scenario][name]
        return [
          atLeast(
            `${scenario}: in front of ${name} / bare`,
            LEAST[scenario].front,
            of(scenario, `${name}-front`, BARE),
          ),
          atLeast(`${scenario}: in ${name} / bare`, LEAST[scenario][name], of(scenario, `${name}-cacheback`, BARE)),
          atLeast(`${scenario}: in ${name} / its trivial handler`, trivial, of(scenario, `${name}-cacheback`, name)),
        ]
      }),
    ),
    ...FRAMEWORKS.flatMap((name) => [
      atLeast(`hit 1 KiB: in front of ${name} / Varnish`, 1.25, of('hit 1 KiB', `${name}-front`, 'varnish')),
      atLeast(`hit 1 KiB: in front of ${name} / nginx`, 0.6, of('hit 1 KiB', `${name}-front`, 'nginx')),
    ]),
    ...(['koa', 'express'] as const).map((name) => {
      const ratios = PEERS[name]
        .map((peer) => of('hit 1 KiB', `${name}-cacheback`, peer))
        .filter((n) => n !== undefined)
      // The least of them is that to the fastest.
      return atLeast(`hit 1 KiB: in ${name} / its fastest peer`, 1.3, ratios.toSorted((a, b) => a - b)[0])
    }),
    ...FRAMEWORKS.flatMap((name) => [`${name}-front`, `${name}-cacheback`]).flatMap((server) =>
      staleGoals(run, server),
    ),
    ...FRAMEWORKS.flatMap((name) => missGoals(run, name)),
    ...memoryGoals(run),
    ...['1 KiB', '64 KiB'].map((size) =>
      atLeast(`hit from Redis ${size} / bare GET`, 0.8, of(`Redis ${size}`, 'redis-shared', 'redis-bare')),
    ),
    ...FRAMEWORKS.flatMap((name) => [`${name}-front`, `${name}-cacheback`]).flatMap((server) => herdGoals(run, server)),
    ...functionGoals(run),
  ]
}

function staleGoals(run: RunFile, server: string): Verdict[] {
  const hits = ratio(run, 'stale 1 KiB', [`${server}:stale`, server])?.median
  const slow = ratio(run, 'hits during refreshes', [`${server}:refreshing`, server], 'p99 ms')?.median
  return [
    atLeast(`stale hit while refreshing / fresh, ${server}`, 0.9, hits),
    atMost(`p99 of hits during refreshes / without, ${server}`, 1.2, slow),
  ]
}

function missGoals(run: RunFile, name: string): Verdict[] {
  const costs = Object.entries(MOST_OF_A_MISS).map(([scenario, limit]) => {
    const value = ratio(run, scenario, [`${name}-cacheback`, name], 'CPU µs/request')?.median
    return atMost(`${scenario}: CPU in ${name} / its trivial handler`, limit, value)
  })
  return [
    ...costs,
    atMost(`miss: ms until the first byte in ${name}, beyond its trivial handler's`, 1, later(run, name)),
  ]
}

/** The second half of the body comes after 20 ms; below one, nobody has waited for it. */
function later(run: RunFile, name: string): number | undefined {
  const [cached, trivial] = [`${name}-cacheback`, name].map((server) =>
    spread(valuesOf(run, 'miss 64 KiB, streamed', server, 'first byte ms')),
  )
  return cached && trivial && cached.median - trivial.median
}

function memoryGoals(run: RunFile): Verdict[] {
  const perEntry = run.figures.find(
    ({ measure, server }) => measure.startsWith('bytes/') && server === 'fastify-cacheback',
  )
  const flat = (['get', 'set'] as const).map((scenario) => {
    const ids = run.figures.filter((figure) => figure.scenario === scenario).map(({ server }) => server)
    const [least, most] = [ids[0], ids.at(-1)]
    const isRun = least !== undefined && most !== undefined && least !== most
    const value = isRun ? ratio(run, scenario, [most, least], 'CPU µs/request')?.median : undefined
    return atMost(`${scenario}: CPU at the most entries / at 1,000`, 1.25, value)
  })
  return [atMost('memory: bytes an entry over body and head', 600, spread(perEntry?.values ?? [])?.median), ...flat]
}

function herdGoals(run: RunFile, server: string): Verdict[] {
  const herds = ['1 cold key', '1 stale key', '500 cold keys', '500 stale keys'].map((what) => `stampede, ${what}`)
  const worst = (measure: Measure): number | undefined =>
    spread(herds.flatMap((scenario) => valuesOf(run, scenario, server, measure)))?.max
  const slow = ratio(run, 'stampede, 1 stale key', [server, 'varnish'], 'p99 ms')?.median
  return [
    atMost(`stampede: most renders of a key, ${server}`, 1, worst('most renders of a key')),
    atMost(`stampede: failures, ${server}`, 0, worst('failures')),
    atMost(`stampede: p99 on a stale key / Varnish's, ${server}`, 1, slow),
  ]
}

function functionGoals(run: RunFile): Verdict[] {
  const of = (name: string): number | undefined => spread(valuesOf(run, FUNCTIONS, name, 'µs/call'))?.median
  const [bare, ours] = [of('constant'), of('cacheback')]
  return [
    atMost('functions: µs of a hit beyond a constant promise', 2, ours && bare && ours - bare),
    ...['async-cache-dedupe', 'bentocache'].map((peer) => {
      const value = ratio(run, FUNCTIONS, [peer, 'cacheback'], 'µs/call')?.median
      return atLeast(`functions: time of ${peer} / cacheback`, 2, value)
    }),
  ]
}

function atLeast(goal: string, limit: number, value: number | undefined): Verdict {
  return { goal, limit: `≥ ${limit}`, value, isMet: value === undefined ? undefined : value >= limit }
}

function atMost(goal: string, limit: number, value: number | undefined): Verdict {
  return { goal, limit: `≤ ${limit}`, value, isMet: value === undefined ? undefined : value <= limit }
}
