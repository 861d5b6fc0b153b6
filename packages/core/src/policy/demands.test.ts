import { describe, expect, test } from 'vitest'
import { resolveRules } from '../settings.ts'
import { parseCacheControl } from './cache-control.ts'
import { decide } from './decide.ts'
import { meets, readDemands } from './demands.ts'
import type { FieldLines } from './fields.ts'
import { freshnessOf } from './freshness.ts'

const RECEIVED = Date.UTC(2031, 2, 5)
const RULES = resolveRules([{ targetedCacheControl: ['CDN-Cache-Control'] }])

describe('readDemands', () => {
  test.each<[headers: Record<string, string>, said: string | undefined]>([
    [{}, undefined],
    [{ 'cache-control': 'no-store' }, 'no-store'],
    [{ 'cache-control': 'Only-If-Cached' }, 'only-if-cached'],
    [{ 'cache-control': 'no-cache, no-store, only-if-cached' }, 'no-store only-if-cached'],
    [{ 'cache-control': 'max-age=0' }, ''],
    [{ 'cache-control': '' }, ''],
    [{ 'cache-control': 'foo="no-store, only-if-cached"' }, ''],
    // Pragma counts in the absence of Cache-Control (RFC 9111 §5.4).
    [{ pragma: 'no-cache' }, ''],
    [{ pragma: 'no-store', 'cache-control': 'max-age=1' }, ''],
    // It says no-cache or nothing.
    [{ pragma: 'no-store, only-if-cached, max-age=0' }, undefined],
    [{ pragma: 'foo' }, undefined],
  ])('%j: %j', (headers, said) => {
    const demands = readDemands(headers)
    const found = [demands?.noStore === true && 'no-store', demands?.onlyIfCached === true && 'only-if-cached']
    expect(demands === undefined ? undefined : found.filter(Boolean).join(' ')).toBe(said)
  })

  test('Pragma: no-cache is Cache-Control: no-cache', () => {
    expect(readDemands({ pragma: 'no-cache' })?.directives.has('no-cache')).toBe(true)
    expect(readDemands({ pragma: 'no-cache', 'cache-control': 'max-age=1' })?.directives.has('no-cache')).toBe(false)
  })
})

/** Whether a client takes a response of this Cache-Control, so many seconds after it was rendered. */
function takes(demand: string, seconds: number, cacheControl: string, more: FieldLines = []): boolean {
  const fields: FieldLines = ['Cache-Control', cacheControl]
  const directives = parseCacheControl([cacheControl])
  const lifetimeMs = Number(directives.get('max-age') ?? directives.get('s-maxage')) * 1000
  const exchange = { requestedAt: RECEIVED, receivedAt: RECEIVED }
  const freshness = freshnessOf(200, fields, directives, RULES, exchange, lifetimeMs)
  const now = RECEIVED + seconds * 1000
  const decision = decide({ freshness, receivedAt: RECEIVED, authorized: false }, { authorized: false }, now)
  const taken = readDemands({ 'cache-control': demand })
  return meets(taken!, decision, { freshness, fields: [...fields, ...more] }, now, RULES)
}

describe('meets, RFC 9111 §5.2.1', () => {
  const SWR = 'max-age=60, stale-while-revalidate=600'

  test.each<[demand: string, seconds: number, cacheControl: string, isTaken: boolean]>([
    // Unknown and irrelevant directives demand nothing.
    ['nothing-to-see-here', 10, 'max-age=60', true],
    ['no-transform', 10, 'max-age=60', true],
    ['nothing-to-see-here', 70, SWR, true],
    ['nothing-to-see-here', 70, 'max-age=60', false],
    ['no-cache', 0, 'max-age=60', false],
    ['no-cache, max-stale', 70, 'max-age=60', false],

    // §5.2.1.1: an age up to this.
    ['max-age=10', 9, 'max-age=60', true],
    ['max-age=10', 10, 'max-age=60', true],
    ['max-age=10', 11, 'max-age=60', false],
    ['max-age=0', 0, 'max-age=60', true],
    ['max-age=0', 1, 'max-age=60', false],
    ['max-age=junk', 1, 'max-age=60', false],
    ['max-age=600', 61, 'max-age=60', false],

    // §5.2.1.2: stale by so much, or by any time.
    ['max-stale', 61, 'max-age=60', true],
    ['max-stale', 60_000, 'max-age=60', true],
    ['max-stale=10', 70, 'max-age=60', true],
    ['max-stale=10', 71, 'max-age=60', false],
    ['max-stale=junk', 61, 'max-age=60', false],
    ['max-stale=10', 30, 'max-age=60', true],
    // Together: no older than the one, no staler than the other.
    ['max-age=65, max-stale=10', 65, 'max-age=60', true],
    ['max-age=65, max-stale=10', 66, 'max-age=60', false],
    // It lifts no ban of the response.
    ['max-stale', 61, 'max-age=60, must-revalidate', false],
    ['max-stale', 61, 'max-age=60, proxy-revalidate', false],
    ['max-stale', 61, 's-maxage=60', false],

    // §5.2.1.3: fresh for so long still.
    ['min-fresh=10', 50, 'max-age=60', true],
    ['min-fresh=10', 51, 'max-age=60', false],
    ['min-fresh=0', 59, 'max-age=60', true],
    ['min-fresh=0', 61, SWR, false],
    ['min-fresh=99999999999', 0, 'max-age=60', false],
  ])('%j, %d s after %j: %s', (demand, seconds, cacheControl, isTaken) => {
    expect(takes(demand, seconds, cacheControl)).toBe(isTaken)
  })

  // What the origin's window allows, the client may still refuse.
  test.each<[demand: string, seconds: number, isTaken: boolean]>([
    // "Unless max-stale is also present, the client does not wish to receive a stale response" (§5.2.1.1).
    ['max-age=600', 70, false],
    ['max-age=600, max-stale', 70, true],
    // "by no more than the specified number of seconds" (§5.2.1.2).
    ['max-stale=10', 65, true],
    ['max-stale=10', 75, false],
  ])(`%j, %d s after ${SWR}: %s`, (demand, seconds, isTaken) => {
    expect(takes(demand, seconds, SWR)).toBe(isTaken)
  })

  test('max-stale does not lift the ban of a targeted field', () => {
    const taken = ['max-age=60', 'max-age=60, must-revalidate', 'no-cache'].map((value) =>
      takes('max-stale', 61, 'max-age=60', ['CDN-Cache-Control', value]),
    )
    expect(taken).toEqual([true, false, false])
  })
})
