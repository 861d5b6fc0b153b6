import { describe, expect, test } from 'vitest'
import { type Decision, type Stored, decide } from './decide.ts'

const RECEIVED = Date.UTC(2031, 2, 5)

/** Seconds from the moment when it was received: fresh for 10, stale for 5 more, in place of an error for 20 more. */
const stored = (patch: Partial<Stored> = {}, [fresh, stale, error] = [10, 15, 30]): Stored => ({
  freshness: {
    bornAt: RECEIVED,
    freshUntil: RECEIVED + fresh * 1000,
    staleUntil: RECEIVED + stale * 1000,
    errorUntil: RECEIVED + error * 1000,
  },
  receivedAt: RECEIVED,
  authorized: false,
  ...patch,
})

const after = (seconds: number, what: Stored, authorized = false): Decision =>
  decide(what, { authorized }, RECEIVED + seconds * 1000)

test.each<[seconds: number, decision: Decision]>([
  [0, 'fresh'],
  [9.999, 'fresh'],
  // RFC 9111 §4.2: stale as soon as its age reaches its lifetime.
  [10, 'stale'],
  [14.999, 'stale'],
  [15, 'error-only'],
  [29.999, 'error-only'],
  [30, 'unusable'],
])('after %d s: %s', (seconds, decision) => {
  expect(after(seconds, stored())).toBe(decision)
})

describe('without windows', () => {
  const bare = stored({}, [10, 10, 10])

  test.each<[seconds: number, decision: Decision]>([
    [9, 'fresh'],
    [10, 'unusable'],
  ])('after %d s: %s', (seconds, decision) => {
    expect(after(seconds, bare)).toBe(decision)
  })
})

test('a window that is stale from birth is used', () => {
  expect(after(0, stored({}, [-10, 20, -10]))).toBe('stale')
})

describe('a window that does not reach beyond the lifetime is none', () => {
  // Before it was received nothing is known to be fresh.
  test.each<[windows: [number, number, number], decision: Decision]>([
    [[10, 11, 10], 'stale'],
    [[10, 10, 11], 'error-only'],
    [[10, 9, 11], 'error-only'],
    [[10, 9, 9], 'unusable'],
    [[10, 10, 10], 'unusable'],
  ])('with %j: %s', (windows, decision) => {
    expect(after(-2, stored({}, windows))).toBe(decision)
  })
})

describe('a clock that went back', () => {
  test.each<[seconds: number, windows: [number, number, number], decision: Decision]>([
    [-1, [10, 15, 15], 'fresh'],
    [-1.001, [10, 15, 15], 'stale'],
    [-3600, [10, 15, 15], 'stale'],
    [-3600, [10, 10, 10], 'unusable'],
  ])('by %d s, windows %j: %s', (seconds, windows, decision) => {
    expect(after(seconds, stored({}, windows))).toBe(decision)
  })
})

describe('a request with Authorization', () => {
  test.each<[authorizedStored: boolean, seconds: number, decision: Decision]>([
    [false, 0, 'unusable'],
    [false, 12, 'unusable'],
    [false, 20, 'unusable'],
    [true, 0, 'fresh'],
    // A background refresh could not carry it.
    [true, 12, 'error-only'],
    [true, 20, 'error-only'],
    [true, 30, 'unusable'],
  ])('and a response that allows it: %s, after %d s: %s', (authorized, seconds, decision) => {
    expect(after(seconds, stored({ authorized }), true)).toBe(decision)
  })

  test('a response that allows it answers others too', () => {
    expect(after(0, stored({ authorized: true }))).toBe('fresh')
  })
})
