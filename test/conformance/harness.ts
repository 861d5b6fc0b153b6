import { createCacheback } from '@cacheback/core'
import type { StartApp } from './apps/app.ts'
import { startExpress } from './apps/express.ts'
import { startFastify } from './apps/fastify.ts'
import { startKoa } from './apps/koa.ts'
import { runTests } from './client.ts'
import { startOrigin } from './origin.ts'
import { type Profile, optionsOf } from './profiles.ts'
import { TESTS } from './suite.ts'
import type { Results, SuiteTest } from './types.ts'

export const FRAMEWORKS = ['express', 'koa', 'fastify'] as const

export type Framework = (typeof FRAMEWORKS)[number]

const START: Record<Framework, StartApp> = { express: startExpress, koa: startKoa, fastify: startFastify }

/** Runs tests through one framework's app, with a cache of its own in front. */
export async function run(
  framework: Framework,
  profile: Profile,
  tests: readonly SuiteTest[] = TESTS,
): Promise<Results> {
  const origin = await startOrigin()
  const cache = createCacheback(optionsOf(profile).options)
  const app = await START[framework](cache, origin.port)
  try {
    return await runTests(app.port, tests)
  } finally {
    await app.close()
    await cache.close()
    await origin.close()
  }
}
