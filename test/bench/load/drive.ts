import { setTimeout as sleep } from 'node:timers/promises'

import type { Contender } from '../contender.ts'
import { smoke } from './autocannon.ts'
import type { Requests } from './requests.ts'
import { type WrkRun, startWrk } from './wrk.ts'

const SLICE_MS = 100
/** What idle servers may spend together in such a time. */
const IDLE_MICROS = 20_000

export interface DriveOptions {
  readonly rounds: number
  /** How long each server is under load in a round. */
  readonly seconds: number
  /** Seconds of load before the first round: until then V8 runs most of the code as it was read, and not as it compiles it. */
  readonly warmUp: number
  readonly requests: Requests | ((contender: Contender) => Requests)
  /** False: autocannon, one server after the other. */
  readonly wrk: boolean
}

/** What one server did in one round. */
export interface Round {
  readonly perSecond: number
  /** CPU time of a request. */
  readonly cpuMicros: number
  readonly failed: number
}

/**
 * Loads servers in turn, 100 ms each, for as long as a round is; everything that is not its turn is stopped. So all of
 * them see the same seconds of a noisy machine, each alone, and their ratios mean something. A first round warms up.
 */
export async function drive(contenders: readonly Contender[], options: DriveOptions): Promise<Map<string, Round[]>> {
  const rounds = new Map<string, Round[]>(contenders.map(({ id }) => [id, []]))
  const warmUp = { ...options, seconds: options.wrk ? options.warmUp : 1 }
  for (let round = 0; round <= options.rounds; round++) {
    const settings = round === 0 ? warmUp : options
    const requestsOf = (contender: Contender): Requests => {
      const { requests } = options
      return later(typeof requests === 'function' ? requests(contender) : requests, round)
    }
    const run = options.wrk ? interleave : smoke
    const done = await run(contenders, settings.seconds, requestsOf)
    if (round > 0) for (const [id, result] of done) rounds.get(id)!.push(result)
  }
  return rounds
}

/** A URL that was new in one round is not in the next. */
function later(requests: Requests, round: number): Requests {
  return requests.kind === 'unique' ? { ...requests, from: requests.from + round * 10_000_000 } : requests
}

interface Turn {
  readonly contender: Contender
  readonly cpuBefore: number
  activeMs: number
  load?: WrkRun
}

async function interleave(
  contenders: readonly Contender[],
  seconds: number,
  requestsOf: (contender: Contender) => Requests,
): Promise<[string, Round][]> {
  const turns: Turn[] = contenders.map((contender) => ({ contender, cpuBefore: contender.cpuMicros(), activeMs: 0 }))
  for (const { contender } of turns) contender.pause()
  while (turns.some(({ activeMs }) => activeMs < seconds * 1000)) {
    for (const turn of shuffled(turns)) await takeTurn(turn, requestsOf(turn.contender))
  }
  const done: [string, Round][] = []
  for (const turn of turns) done.push([turn.contender.id, await finish(turn)])
  await drain(contenders)
  return done
}

/** What was on its way when the load ended is answered before the next round begins. */
async function drain(contenders: readonly Contender[]): Promise<void> {
  for (const contender of contenders) contender.resume()
  const spent = (): number => contenders.reduce((sum, contender) => sum + contender.cpuMicros(), 0)
  for (let turns = 0; turns < 50; turns++) {
    const before = spent()
    await sleep(SLICE_MS)
    const used = spent() - before
    if (Number.isNaN(used) || used <= IDLE_MICROS) return
  }
}

async function takeTurn(turn: Turn, requests: Requests): Promise<void> {
  const { contender } = turn
  contender.resume()
  const start = performance.now()
  if (turn.load) turn.load.resume()
  else turn.load = startWrk(contender.origin, requests)
  await sleep(SLICE_MS)
  turn.load.pause()
  turn.activeMs += performance.now() - start
  contender.pause()
}

async function finish({ contender, cpuBefore, activeMs, load }: Turn): Promise<Round> {
  const { requests, failed } = await load!.finish()
  const cpuMicros = (contender.cpuMicros() - cpuBefore) / requests
  return { perSecond: (requests / activeMs) * 1000, cpuMicros, failed }
}

/** Another order each time, so that no beat of the machine falls on the same server always. */
function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((value) => ({ value, place: Math.random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ value }) => value)
}
