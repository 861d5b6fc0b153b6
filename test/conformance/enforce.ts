import { EXPECTED } from './expected.ts'
import { type Framework, run } from './harness.ts'
import type { Profile } from './profiles.ts'
import { NEWER, PACKAGE, TESTS } from './suite.ts'
import type { Results } from './types.ts'
import { isPassed, verdictOf } from './verdict.ts'

/** Where a run differs from expected.ts. */
export interface Surprises {
  /** Not passed, and not listed. */
  readonly unlisted: readonly string[]
  /** Listed, and passed. */
  readonly passed: readonly string[]
}

/** Required and optimal tests that one version of the suite or the other does not see passed. Checks have no right answer. */
export function notPassed(results: Results): string[] {
  const ids = TESTS.map(({ id }) => id)
  return ids.filter((id) =>
    [NEWER, PACKAGE].some((reading) => {
      const kind = reading.get(id)?.kind
      return (kind === 'required' || kind === 'optimal') && !isPassed(verdictOf(reading, id, results))
    }),
  )
}

export function surprises(framework: Framework, profile: Profile, results: Results): Surprises {
  const groups = EXPECTED.filter(
    (group) => (group.profiles?.includes(profile) ?? true) && (group.frameworks?.includes(framework) ?? true),
  )
  const listed = new Set(groups.flatMap(({ ids }) => ids))
  const failed = new Set(notPassed(results))
  return { unlisted: [...failed].filter((id) => !listed.has(id)), passed: [...listed].filter((id) => !failed.has(id)) }
}

/**
 * A run whose surprises were run a second time, by themselves, with what they depend on: the suite waits real seconds,
 * and a machine that was busy at the wrong moment must not fail anybody.
 */
export async function confirmed(framework: Framework, profile: Profile, results: Results): Promise<Results> {
  const { unlisted, passed } = surprises(framework, profile, results)
  const again = new Set<string>()
  const add = (id: string): void => {
    if (again.has(id)) return
    again.add(id)
    for (const reading of [NEWER, PACKAGE]) {
      for (const gate of reading.get(id)?.dependsOn ?? []) if (results[gate] !== true) add(gate)
    }
  }
  for (const id of [...unlisted, ...passed]) add(id)
  if (again.size === 0) return results
  const tests = TESTS.filter(({ id }) => again.has(id))
  return { ...results, ...(await run(framework, profile, tests)) }
}
