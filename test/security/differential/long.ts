import { parseArgs } from 'node:util'
import type { Framework } from '../../support/app.ts'

// Frameworks print the errors of handlers everywhere but in tests.
process.env['NODE_ENV'] = 'test'
const { expressFramework } = await import('../../support/express.ts')
const { fastify } = await import('../../support/fastify.ts')
const { koa } = await import('../../support/koa.ts')
const { run } = await import('./run.ts')

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '100000' },
    seed: { type: 'string' },
    framework: { type: 'string' },
    // Tells a counterexample as it was found.
    'no-shrink': { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 30))
const frameworks: Framework[] = [fastify, expressFramework, koa].filter(
  ({ name }) => values.framework === undefined || name === values.framework,
)
const steps = Math.ceil(Number(values.steps) / frameworks.length)

for (const [index, framework] of frameworks.entries()) {
  let told = 0
  // Other sequences on each, unless the one that is asked for.
  const first = values.seed === undefined ? seed + index * 1_000_000 : seed
  console.log(`${framework.name}: ${steps} steps from seed ${first}`)
  const outcome = await run({
    framework,
    seed: first,
    steps,
    shrink: !values['no-shrink'],
    onProgress(done, lastSeed) {
      if (done - told < 5000) return
      told = done
      console.log(`${framework.name}: ${done} steps, last seed ${lastSeed}`)
    },
  })
  const rate = Math.round(outcome.steps / outcome.seconds)
  console.log(
    `${framework.name}: ${outcome.steps} steps, ${outcome.sequences} sequences, ${outcome.seconds} s, ${rate} steps/s`,
  )
  console.log(`${framework.name}: ${[...outcome.verdicts].map(([verdict, count]) => `${count} ${verdict}`).join(', ')}`)
  if (outcome.failure === undefined) continue
  console.error(outcome.failure)
  process.exitCode = 1
}
