import { availableParallelism, loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Got } from '../support/client.ts'
import { median, noteRow, quantile } from './redis-measured.ts'
import { type Control, READ_MS, type RedisSite, type Scene } from './redis-site.ts'

interface Sample {
  readonly label: string
  readonly hasMemory: boolean
  readonly ms: number
  /** Whether the breaker had opened when the visitor came. */
  readonly isOpen: boolean
  /** Whether a call of the store failed meanwhile. */
  readonly sawFailure: boolean
}

/** What visitors have noticed. */
interface Traffic {
  readonly samples: Sample[]
  /** Milliseconds of the same visits where there is no store. */
  readonly baseline: number[]
  readonly failures: string[]
  /** By site: when its breaker was first seen open, and how often its store was called while it was. */
  readonly opened: Map<string, { readonly at: number; calls: number }>
}

interface Outage extends Traffic {
  /** Seconds from the end of the fault until all was as before. */
  readonly recovery: number
}

/** What only a wait for the store can take. */
const SLOW_MS = READ_MS * 0.8
const TICK_MS = 20
const PATIENCE_MS = 10_000

/** Stored before a fault begins. */
const KNOWN = ['/known-0', '/known-1', '/known-2']

let round = 0

/**
 * One visitor after the other at each site, to a page that is known and to a new one; to a new one where there is no store.
 * Where breakers open, the time begins when all have.
 */
export async function drive(
  sites: readonly RedisSite[],
  controls: readonly Control[],
  lastsMs: number,
  opens = false,
): Promise<Traffic> {
  const traffic: Traffic = { samples: [], baseline: [], failures: [], opened: new Map() }
  let until = performance.now() + lastsMs
  let isNoticed = !opens
  const patience = performance.now() + PATIENCE_MS
  while (performance.now() < (isNoticed ? until : patience)) {
    if (!isNoticed && traffic.opened.size === sites.length) {
      isNoticed = true
      until = performance.now() + lastsMs
    }
    round += 1
    for (const site of sites) {
      await visit(site, KNOWN[round % KNOWN.length]!, traffic)
      await visit(site, `/new-${round}-${site.label.replaceAll(/\W+/g, '-')}`, traffic)
    }
    for (const control of controls) traffic.baseline.push(await timed(control, `/new-${round}`, traffic.failures))
    await sleep(2)
  }
  return traffic
}

async function visit(site: RedisSite, path: string, { samples, failures, opened }: Traffic): Promise<void> {
  const { label, hasMemory, calls, cache } = site
  const isOpen = cache.stats().breaker !== 'closed'
  const { made } = calls
  if (isOpen && !opened.has(label)) opened.set(label, { at: performance.now(), calls: 0 })
  const failuresOf = (): number => cache.stats().events['store-error']
  const before = failuresOf()
  const ms = await timed(site, path, failures)
  samples.push({ label, hasMemory, isOpen, ms, sawFailure: failuresOf() > before })
  const isStillOpen = isOpen && cache.stats().breaker !== 'closed'
  if (isStillOpen) opened.get(label)!.calls += calls.made - made
}

async function timed(site: Control, path: string, failures: string[]): Promise<number> {
  const startedAt = performance.now()
  const got = await site.visit(path)
  const ms = performance.now() - startedAt
  if (!isRight(got, path)) failures.push(`${site.label} ${path}: ${got.status} ${got.text.slice(0, 60)}`)
  return ms
}

/** Whole, and the page that was asked for. */
export const isRight = (got: Got, path: string): boolean =>
  got.status === 200 && got.complete && got.text.startsWith(`page ${path} `)

export interface Fault extends Pick<Scene, 'sites' | 'controls'> {
  readonly name: string
  readonly begin: () => unknown
  /** From when all have noticed it, if they are to notice it. */
  readonly lastsMs: number
  /** Whether the breaker opens at every site. Default: true. */
  readonly opens?: boolean
  /** What else is to be seen before the end. */
  readonly meanwhile?: () => unknown
  readonly end: () => unknown
  /** Whether the sites come before their Redis. */
  readonly isCold?: boolean
  /** How soon all must be as before. Default: the 2 s that are promised. */
  readonly recoversWithinMs?: number
}

/** Traffic before a fault, during it, and until all is as before; nobody may notice more of it than is promised. */
export async function suffer(fault: Fault): Promise<void> {
  const { name, sites, controls, isCold = false, opens = true, recoversWithinMs = 2000 } = fault
  if (!isCold) await warm(sites, controls)
  const listeners = sites.map(listenersOf)
  await fault.begin()
  const traffic = await drive(sites, controls, fault.lastsMs, opens)
  for (const [label, { at, calls }] of traffic.opened) {
    const seconds = (performance.now() - at) / 1000
    expect(calls, `${label}: calls of a store that is left alone`).toBeLessThan(seconds + 2)
  }
  await fault.meanwhile?.()
  await fault.end()
  let tries = 0
  const tookMs = await eventually(`${name}: all as before`, recoversWithinMs, () => {
    tries += 1
    return isAsBefore(sites, traffic.failures, `${name.replaceAll(/\W+/g, '-')}-${tries}`)
  })
  // A client that did not connect at once is fitted out twice by its adapter.
  for (const [i, site] of sites.entries()) {
    expect(listenersOf(site), `${site.label}: listeners`).toBeLessThanOrEqual(listeners[i]! * (isCold ? 2 : 1))
  }
  const outage = { ...traffic, recovery: tookMs / 1000 }
  noteOutage(name, outage)
  expectUnnoticed(outage, fault)
}

/** All know the pages that are known. */
async function warm(sites: readonly RedisSite[], controls: readonly Control[]): Promise<void> {
  for (const site of sites) {
    for (const path of KNOWN) await site.visit(path)
    await site.cache.idle()
  }
  await drive(sites, controls, 100)
}

/** Every breaker is closed, and what one site renders the next one gets from the store. */
export async function isAsBefore(sites: readonly RedisSite[], failures: string[], name: string): Promise<boolean> {
  let isAll = true
  for (const [i, site] of sites.entries()) {
    const path = `/back-${name}-${i}`
    await timed(site, path, failures)
    await site.cache.idle()
    const other = sites[(i + 1) % sites.length]!
    const got = await other.visit(path)
    if (!isRight(got, path)) failures.push(`${other.label} ${path}: ${got.status} ${got.text.slice(0, 60)}`)
    const isHit = got.cacheStatus?.includes('; hit') === true
    isAll = isAll && isHit && site.cache.stats().breaker === 'closed'
  }
  return isAll
}

export function listenersOf({ clients }: RedisSite): number {
  const events = ['error', 'connect', 'ready', 'reconnecting', 'disconnect', 'end']
  const counts = clients().flatMap((client) => events.map((event) => client.listenerCount(event)))
  return counts.reduce((sum, count) => sum + count, 0)
}

/**
 * Waits until something holds, looking again and again. Rejects after `withinMs`: on a machine with more to do than it can,
 * later, and the time in which this process was not let run does not count. Resolves with the milliseconds it took.
 */
export async function eventually(
  what: string,
  withinMs: number,
  holds: () => boolean | Promise<boolean>,
): Promise<number> {
  const startedAt = performance.now()
  const busy = Math.min(Math.max(loadavg()[0]! / availableParallelism(), 1), 2.5)
  let stalledMs = 0
  let tickedAt = startedAt
  const ticking = setInterval(() => {
    const now = performance.now()
    if (now - tickedAt > 2 * TICK_MS) stalledMs += now - tickedAt - TICK_MS
    tickedAt = now
  }, TICK_MS)
  try {
    while (!(await holds())) {
      const tookMs = performance.now() - startedAt
      if (tookMs - stalledMs > withinMs * busy)
        throw new Error(`${what}: not within ${withinMs} ms (${Math.round(tookMs)})`)
      await sleep(10)
    }
    return performance.now() - startedAt
  } finally {
    clearInterval(ticking)
  }
}

/** No failed response; the first few at most a deadline later; then nothing to be noticed. */
function expectUnnoticed(outage: Outage, { sites, opens = true, isCold = false }: Fault): void {
  const { samples, baseline, failures, opened } = outage
  expect(failures).toEqual([])
  if (opens) expect([...opened.keys()].toSorted()).toEqual(sites.map(({ label }) => label).toSorted())
  const usual = median(baseline)
  const noise = quantile(baseline, 0.9) - usual
  const before = samples.filter(({ isOpen }) => !isOpen)
  // The very first visitors of a process wait for more than the store.
  const most = READ_MS + 20 + 3 * noise + (isCold ? 2 * READ_MS : 0)
  expect(median(times(before)) - usual, 'ms before it opened, median').toBeLessThan(most)
  // Where visits take as long by themselves, nobody can tell who has waited for the store.
  if (!opens || noise > SLOW_MS / 4) return
  const after = samples.filter(({ isOpen }) => isOpen)
  const waited = (some: readonly Sample[]): number => some.filter((sample) => isWait(sample, usual)).length
  // Three at each site, and who came in the same moment.
  expect(waited(before), 'visitors who waited before the breaker opened').toBeLessThanOrEqual(sites.length * 5)
  // Some by chance, on a busy machine in the very moment of a probe; not one at each site.
  expect(waited(after), 'visitors who waited after it').toBeLessThanOrEqual(sites.length / 2)
  // Nothing to be noticed beside what a visit takes by itself, which on a slow machine is more than on a quick one.
  expect(median(times(after)) - usual, 'ms after it, median').toBeLessThan(Math.max(2, 2 * usual))
}

const isWait = ({ ms, sawFailure }: Sample, usual: number): boolean => sawFailure && ms - usual > SLOW_MS

const times = (samples: readonly Sample[]): number[] => samples.map(({ ms }) => ms)

function noteOutage(fault: string, { samples, baseline, failures, recovery }: Outage): void {
  const usual = median(baseline)
  for (const hasMemory of [true, false]) {
    const own = samples.filter((sample) => sample.hasMemory === hasMemory)
    if (own.length === 0) continue
    const added = (isOpen: boolean): string => {
      const some = times(own.filter((sample) => sample.isOpen === isOpen))
      if (some.length === 0) return '-'
      return [0.5, 0.99, 1].map((share) => Math.max(0, quantile(some, share) - usual).toFixed(1)).join(' / ')
    }
    noteRow({
      fault,
      copies: hasMemory ? 'yes' : 'no',
      'added ms until the breaker opens: p50 / p99 / max': added(false),
      'after it has opened': added(true),
      visits: own.length,
      'waited for the store': own.filter((sample) => isWait(sample, usual)).length,
      failed: failures.length,
      'recovery, s': recovery.toFixed(2),
    })
  }
}
