import { describe, expect, test } from 'vitest'
import { expressFramework } from '../../support/express.ts'
import { fastify } from '../../support/fastify.ts'
import { koa } from '../../support/koa.ts'
import { FOUND } from './found.ts'
import type { Verdict } from './judge.ts'
import { makeStage, run } from './run.ts'

const { CACHEBACK_SEED, CACHEBACK_STEPS } = process.env
const random = Math.floor(Math.random() * 2 ** 29)
/** On each framework. `pnpm nightly` takes many more. */
const steps = Number(CACHEBACK_STEPS ?? 1200)

/** What has to happen all the time, or nothing has been tried. */
const USUAL: readonly Verdict[] = ['own', 'fresh', 'just rendered']

describe.each([fastify, expressFramework, koa].map((framework, index) => ({ framework, index })))(
  '$framework.name',
  ({ framework, index }) => {
    // Other sequences on each, unless one is asked for.
    const seed = Number(CACHEBACK_SEED ?? random + index * 1_000_000)
    test(
      `SEC-DIFF-01 the app with the cache answers as the app without it, or as it may be shared (CACHEBACK_SEED=${seed}, ${steps} steps)`,
      { timeout: 300_000 },
      async () => {
        const { failure, verdicts, ...total } = await run({ framework, seed, steps })
        const counts = [...verdicts].map(([verdict, count]) => `${count} ${verdict}`).join(', ')
        console.log(`seed ${seed}, ${total.steps} steps in ${total.seconds.toFixed(1)} s: ${counts}`)
        if (failure !== undefined) console.error(failure)
        const untried = total.steps < 1000 ? [] : USUAL.filter((verdict) => !verdicts.has(verdict))
        expect({ failure, untried }).toEqual({ failure: undefined, untried: [] })
      },
    )

    const found = FOUND.filter(({ frameworks }) => frameworks?.includes(framework.name) ?? true)
    test.each(found)('$id $title', { timeout: 60_000 }, async ({ setup, commands }) => {
      const stage = makeStage(framework)
      try {
        await expect(stage.play(setup, commands, 10_000)).resolves.toBeDefined()
      } finally {
        await stage.close()
      }
    })
  },
)
