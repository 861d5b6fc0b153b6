import fc from 'fast-check'
import type { Framework } from '../../support/app.ts'
import type { AskUncached, Verdict } from './judge.ts'
import { type Command, sequences } from './commands.ts'
import { Player, type Played } from './play.ts'
import { type Setup, setups } from './rules.ts'
import { type Site, startCached, startUncached } from './site.ts'
import { World } from './world.ts'

export interface Outcome {
  /** Requests, purges, changes of pages and of the clock. */
  readonly steps: number
  readonly sequences: number
  readonly seconds: number
  /** How visitors were answered. */
  readonly verdicts: ReadonlyMap<Verdict, number>
  /** The shrunk counterexample, with the seed that finds it again. */
  readonly failure: string | undefined
}

export interface Plan {
  readonly framework: Framework
  readonly seed: number
  readonly steps: number
  /** Whether a counterexample is made smaller before it is told. Default: true. */
  readonly shrink?: boolean
  readonly onProgress?: (steps: number, seed: number) => void
}

/** So many sequences under one seed. */
const SEQUENCES_PER_ROUND = 10
/** Somebody who waits longer than this waits for ever. */
const PATIENCE_MS = 15_000
/** While a counterexample is shrunk, nobody has that long. */
const SHRINKING_PATIENCE_MS = 2000
const SHRINK_MS = 120_000

/** Plays random sequences until so many steps have been done, or one fails. Round by round the seed rises by one. */
export async function run({ framework, seed, steps, shrink = true, onProgress }: Plan): Promise<Outcome> {
  const startedAt = Date.now()
  const verdicts = new Map<Verdict, number>()
  const total = { steps: 0, sequences: 0 }
  const stage = makeStage(framework)
  const unwanted: unknown[] = []
  const notice = (reason: unknown): void => void unwanted.push(reason)
  process.on('unhandledRejection', notice)
  process.on('uncaughtExceptionMonitor', notice)
  // What is played to shrink a counterexample does not count.
  let hasFailed = false
  const count = (played: Played): void => {
    total.steps += played.steps
    total.sequences += 1
    for (const verdict of played.verdicts) verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
  }
  let failure: string | undefined
  try {
    for (let round = 0; total.steps < steps && failure === undefined; round += 1) {
      const property = fc.asyncProperty(setups, sequences, async (setup, commands) => {
        try {
          const played = await stage.play(setup, commands, hasFailed ? SHRINKING_PATIENCE_MS : PATIENCE_MS)
          if (unwanted.length > 0) throw new Error(`nobody has caught: ${String(unwanted.splice(0)[0])}`)
          if (!hasFailed) count(played)
        } catch (error) {
          hasFailed = true
          throw error
        }
      })
      const details = await fc.check(property, {
        seed: seed + round,
        numRuns: SEQUENCES_PER_ROUND,
        interruptAfterTimeLimit: SHRINK_MS,
        endOnFailure: !shrink,
      })
      if (details.failed) failure = await tell(framework, seed + round, details)
      onProgress?.(total.steps, seed + round)
    }
  } finally {
    process.off('unhandledRejection', notice)
    process.off('uncaughtExceptionMonitor', notice)
    await stage.close()
  }
  return { ...total, seconds: (Date.now() - startedAt) / 1000, verdicts, failure }
}

export interface Stage {
  play: (setup: Setup, commands: readonly Command[], patienceMs?: number) => Promise<Played>
  close: () => Promise<void>
}

/** The app without the cache serves for all sequences; each gets a new app with a new cache. */
export function makeStage(framework: Framework): Stage {
  let world: World | undefined
  const uncached = new Map<boolean, Promise<Site>>()
  const uncachedFor = (trustProxy: boolean): Promise<Site> => {
    const known = uncached.get(trustProxy) ?? startUncached(framework, () => world!, trustProxy)
    uncached.set(trustProxy, known)
    return known
  }
  return {
    async play(setup, commands, patienceMs = PATIENCE_MS) {
      const here = new World(setup)
      world = here
      const site = await startCached(framework, here)
      const without = await uncachedFor(setup.trustProxy)
      const askUncached: AskUncached = async ({ method, url, headers, content }, repeated) => {
        const { connection: _connection, 'content-length': _length, ...own } = headers
        here.repeated = repeated
        try {
          return await without.client.visit(`${method} ${url}`, own, content === '' ? {} : { body: content }).done
        } finally {
          here.repeated = undefined
        }
      }
      const played: Played = { steps: 0, verdicts: [] }
      try {
        const player = new Player(here, site, askUncached, played)
        for (const command of commands) {
          await inTime(player.play(command), command, patienceMs)
        }
        return played
      } finally {
        here.hold?.gate.open()
        await site.close()
      }
    },
    async close() {
      for (const site of uncached.values()) await (await site).close()
    },
  }
}

async function inTime(playing: Promise<void>, command: Command, patienceMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`somebody waits for ever: ${JSON.stringify(command)}`)), patienceMs)
  })
  try {
    await Promise.race([playing, late])
  } finally {
    clearTimeout(timer)
  }
}

type Details = fc.RunDetails<[Setup, Command[]]>

async function tell({ name }: Framework, seed: number, details: Details): Promise<string> {
  const [setup, commands] = details.counterexample ?? []
  const error = details.errorInstance as Error | undefined
  return [
    `CACHEBACK_SEED=${seed} finds this again on ${name} (run ${details.numRuns}, shrunk ${details.numShrinks} times):`,
    String(error?.message ?? details.errorInstance),
    `setup: ${JSON.stringify(setup)}`,
    ...(commands ?? []).map((command) => `  ${JSON.stringify(command)}`),
  ].join('\n')
}
