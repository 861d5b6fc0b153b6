import { setBaseUrl, setFetch, setUseBrowserCache } from 'http-cache-tests/client/config.mjs'
import { makeCacheTest, testResults } from 'http-cache-tests/client/test.mjs'
import { setTimeout as pause } from 'node:timers/promises'
import { makeFetch } from './fetch.ts'
import type { Results, SuiteTest } from './types.ts'

/** Tests start one after the other: all at once, a busy machine makes responses stale before they are asked for. */
const START_EVERY_MS = 15

/** Runs tests with the suite's client, whose state is global: one run at a time. */
export async function runTests(port: number, tests: readonly SuiteTest[]): Promise<Results> {
  for (const id of Object.keys(testResults)) delete testResults[id]
  // The client writes into what it is given, and tests of one template share parts.
  const copies = tests.map((test) => JSON.parse(JSON.stringify(test)) as SuiteTest)
  setUseBrowserCache(false)
  setBaseUrl(`http://127.0.0.1:${port}`)
  setFetch(makeFetch(copies))
  const running: Promise<void>[] = []
  for (const test of copies) {
    running.push(makeCacheTest(test))
    await pause(START_EVERY_MS)
  }
  await Promise.all(running)
  return { ...testResults }
}
