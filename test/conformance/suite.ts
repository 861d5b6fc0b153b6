import sections from 'http-cache-tests/tests/index.mjs'
import { added, gone } from './newer/added.ts'
import { cdnCacheControl } from './newer/cdn-cache-control.ts'
import { changed } from './newer/changed.ts'
import { interim } from './newer/interim.ts'
import { gatesOf, kindOf } from './newer/judging.ts'
import type { SuiteTest } from './types.ts'
import type { Judged, Reading } from './verdict.ts'

const packaged = sections.flatMap((section) => section.tests.map((test) => ({ section: section.id, test })))
const ours = [
  ...Object.entries(added).flatMap(([section, tests]) => tests.map((test) => ({ section, test }))),
  ...[cdnCacheControl, interim].flatMap(({ id, tests }) => tests.map((test) => ({ section: id, test }))),
]

/** What is run: every test of either version that is not for browsers alone, in its newer form where there is one. */
export const TESTS: readonly SuiteTest[] = [
  ...packaged.map(({ test }) => ({ ...test, requests: changed[test.id] ?? test.requests })),
  ...ours.map(({ test }) => test),
].filter((test) => test.browser_only !== true)

/** The suite's home: 370 tests in 25 sections. */
export const NEWER: Reading = read([
  ...packaged
    .filter(({ test }) => !gone.has(test.id))
    .map(({ section, test }) => {
      const { id } = test
      return {
        section,
        test: { ...test, kind: kindOf(id) ?? test.kind, depends_on: gatesOf(id) ?? test.depends_on } as SuiteTest,
      }
    }),
  ...ours,
])

/** The same without the section that only CDNs are asked for. */
export const WITHOUT_CDN: Reading = new Map([...NEWER].filter(([, test]) => test.section !== cdnCacheControl.id))

/** The package, version 0.4.5: 334 tests in 23 sections. */
export const PACKAGE: Reading = read(packaged)

function read(tests: readonly { section: string; test: SuiteTest }[]): Reading {
  return new Map(
    tests
      .filter(({ test }) => test.browser_only !== true)
      .map(({ section, test: { id, kind = 'required', depends_on: dependsOn = [] } }): [string, Judged] => [
        id,
        { id, section, kind, dependsOn },
      ]),
  )
}
