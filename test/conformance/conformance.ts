import { expect, test } from 'vitest'
import { confirmed, surprises } from './enforce.ts'
import { type Framework, run } from './harness.ts'
import { PROFILES } from './profiles.ts'

/** The public suite against one framework, held to expected.ts in both directions. */
export function conformanceOf(framework: Framework): void {
  for (const profile of PROFILES) {
    test(`${framework} passes what it is to pass, under the ${profile} profile`, async () => {
      const results = await confirmed(framework, profile, await run(framework, profile))
      expect(surprises(framework, profile, results)).toEqual({ unlisted: [], passed: [] })
    })
  }
}
