import { describe, expect, test } from 'vitest'
import type { RouteOptions } from '../options.ts'
import { resolveRules } from '../settings.ts'
import type { FieldLines } from './fields.ts'
import { forbiddenOutside, isFailure, judge, mayStandInFor, rulingLines } from './storable.ts'

const NOW = Date.UTC(2031, 2, 5, 6, 7, 8)
const cc = (value: string): FieldLines => ['Cache-Control', value]
const FRESH = cc('max-age=60')

interface Case {
  readonly status?: number
  readonly fields?: FieldLines
  readonly options?: RouteOptions
  readonly authorized?: boolean
}

const judged = ({ status = 200, fields = FRESH, options = {}, authorized = false }: Case) =>
  judge({ status, reason: undefined, fields }, resolveRules([options]), {
    requestedAt: NOW,
    receivedAt: NOW,
    authorized,
  })

const reasonOf = (one: Case): string => {
  const verdict = judged(one)
  return 'reason' in verdict ? verdict.reason : 'stored'
}

test.each<[one: Case, reason: string]>([
  [{}, 'stored'],

  // Statuses: a final one with freshness of its own; a 200 by maxAge too.
  ...[200, 203, 204, 301, 302, 303, 308, 404, 405, 410, 414, 451, 500, 501, 503, 599].map((status): [Case, string] => [
    { status },
    'stored',
  ]),
  ...[0, 100, 103, 199, 206, 304, 600].map((status): [Case, string] => [{ status }, 'status']),
  [{ fields: [] }, 'no-freshness'],
  [{ fields: [], options: { maxAge: 60 } }, 'stored'],
  ...[201, 204, 301, 302, 400, 404, 405, 412, 414, 429, 431, 500, 503].map((status): [Case, string] => [
    { status, fields: [], options: { maxAge: 60 } },
    'no-freshness',
  ]),

  // What forbids it, in any spelling.
  ...[
    ['no-store', 'no-store'],
    ['NO-STORE', 'no-store'],
    ['no-store;x', 'no-store'],
    ['private', 'private'],
    ['private=""', 'private'],
    ['private, private="x"', 'private'],
    ['public, private', 'private'],
    ['max-age=60; private', 'private'],
    ['no-store, max-age=60', 'no-store'],
    ['must-understand, private', 'private'],
  ].map(([value, reason]): [Case, string] => [
    { fields: [...FRESH, ...cc(value!)], options: { maxAge: 60, staleWhileRevalidate: 60 } },
    reason!,
  ]),
  [{ fields: ['Cache-Control', 'ext="x', 'Cache-Control', 'private, max-age=60'] }, 'private'],
  [{ fields: cc('ext="private", max-age=60') }, 'stored'],
  [{ fields: [...FRESH, 'Set-Cookie', 'a=1'] }, 'set-cookie'],
  [{ fields: [...cc('public, max-age=60'), 'set-cookie', ''] }, 'set-cookie'],
  [{ fields: cc('no-store, must-understand, max-age=60') }, 'stored'],
  [{ status: 599, fields: cc('no-store, must-understand, max-age=60') }, 'must-understand'],
  [{ fields: [...FRESH, 'Content-Type', 'text/event-stream; charset=utf-8'] }, 'event-stream'],
  [{ fields: [...FRESH, 'Content-Type', ' Text/Event-Stream'] }, 'event-stream'],
  [{ fields: [...FRESH, 'Content-Type', 'multipart/x-mixed-replace;boundary=x'] }, 'multipart-replace'],
  [{ fields: [...FRESH, 'Vary', '*'] }, 'vary-any'],
  [{ fields: [...FRESH, 'Vary', 'Authorization'] }, 'vary-credential'],
  // Not for us: Pragma on a response, the client's words, immutable.
  [{ fields: [...FRESH, 'Pragma', 'no-cache'] }, 'stored'],
  [{ fields: cc('max-age=60, immutable') }, 'stored'],

  // RFC 9111 §3.5
  [{ authorized: true }, 'authorization'],
  [{ authorized: true, fields: [], options: { maxAge: 60 } }, 'authorization'],
  [{ authorized: true, fields: cc('max-age=60, proxy-revalidate') }, 'authorization'],
  [{ authorized: true, fields: cc('max-age=60, ext="public"') }, 'authorization'],
  [{ authorized: true, fields: cc('public, max-age=60') }, 'stored'],
  [{ authorized: true, fields: cc('s-maxage=60') }, 'stored'],
  [{ authorized: true, fields: cc('max-age=60, must-revalidate') }, 'stored'],
  [{ authorized: true, fields: cc('public, private, max-age=60') }, 'private'],

  // Nothing left of it, unless the app can be asked whether it is still the same.
  [{ fields: cc('no-cache, max-age=60'), options: { maxAge: 60, staleWhileRevalidate: 60 } }, 'no-cache'],
  [{ fields: [...cc('no-cache="set-cookie"'), 'ETag', '"a"'] }, 'stored'],
  [{ fields: [...cc('no-cache'), 'ETag', '"a"'], options: { keep: 0 } }, 'no-cache'],
  [{ fields: [...cc('max-age=0'), 'Last-Modified', 'x'] }, 'stored'],
  [{ fields: [...cc('max-age=0'), 'Last-Modified', 'x'], options: { keep: 0 } }, 'expired'],
  [{ fields: cc('max-age=0') }, 'expired'],
  [{ fields: cc('max-age=junk'), options: { maxAge: 60 } }, 'expired'],
  [{ fields: cc('max-age=0'), options: { maxAge: 60 } }, 'expired'],
  [{ fields: cc('s-maxage=0, max-age=60') }, 'expired'],
  [{ fields: ['Expires', '0'], options: { maxAge: 60 } }, 'expired'],
  [{ fields: [...FRESH, 'Age', '60'] }, 'expired'],
  [{ fields: [...FRESH, 'Age', '59'] }, 'stored'],
  [{ fields: cc('max-age=0, stale-while-revalidate=60') }, 'stored'],
  [{ fields: cc('max-age=0, stale-if-error=60') }, 'stored'],
  [{ fields: cc('max-age=0'), options: { staleWhileRevalidate: 60 } }, 'stored'],
  [{ fields: cc('max-age=0, must-revalidate'), options: { staleWhileRevalidate: 60 } }, 'expired'],
  [{ fields: [...cc('max-age=30, stale-while-revalidate=30'), 'Age', '40'] }, 'stored'],
  [{ fields: [...cc('max-age=30, stale-while-revalidate=30'), 'Age', '60'] }, 'expired'],
  [{ fields: cc('stale-while-revalidate=60') }, 'no-freshness'],
])('%j: %s', (one, reason) => {
  expect(reasonOf(one)).toBe(reason)
})

test('a storable response says when, for whom and by what', () => {
  expect(judged({ fields: ['Cache-Control', 'public, max-age=60', 'Vary', 'B, A', 'Age', '5'] })).toEqual({
    freshness: { bornAt: NOW - 5000, freshUntil: NOW + 55_000, staleUntil: NOW + 55_000, errorUntil: NOW + 55_000 },
    vary: ['a', 'b'],
    authorized: true,
    isHeuristic: false,
    keepUntil: NOW + 55_000,
  })
  expect(judged({})).toMatchObject({ authorized: false, vary: [] })
})

test.each<[fields: FieldLines, reason: string | undefined, options?: RouteOptions, status?: number]>([
  [[], undefined],
  [FRESH, undefined],
  [cc('no-cache'), undefined],
  [['Set-Cookie', 'a=1'], 'set-cookie'],
  [cc('max-age=60, no-store'), 'no-store'],
  [[...FRESH, 'cache-control', 'Private'], 'private'],
  [['Vary', 'a'], undefined],
  [['Vary', 'a', 'vary', 'b, *'], 'vary-any'],
  // By the same rules as the head before: in a field that is meant for us,
  [[...cc('no-store'), 'X-CC', 'max-age=60'], undefined, { targetedCacheControl: ['X-CC'] }],
  [[...FRESH, 'X-CC', 'private'], 'private', { targetedCacheControl: ['X-CC'] }],
  [[...FRESH, 'X-CC', 'private'], undefined],
  // and with a status that we understand, or not.
  [cc('no-store, must-understand'), undefined],
  [cc('no-store, must-understand'), 'must-understand', {}, 599],
  [[...cc('must-understand'), 'set-cookie', ''], 'set-cookie'],
])('what appears outside: %j, %s', (fields, reason, options = {}, status = 200) => {
  expect(forbiddenOutside(fields, status, resolveRules([options]))).toBe(reason)
})

describe('statuses of failure', () => {
  test.each([
    [200, false, false],
    [301, false, false],
    [404, false, false],
    [408, true, false],
    [410, false, false],
    [429, true, false],
    [499, false, false],
    [500, true, true],
    [501, true, false],
    [502, true, true],
    [503, true, true],
    [504, true, true],
    [505, true, false],
  ])('%d: a refresh has failed %s, a stored response may stand in %s', (status, failed, standsIn) => {
    expect(isFailure(status)).toBe(failed)
    expect(mayStandInFor(status)).toBe(standsIn)
  })
})

test.each([
  ['Set-Cookie', 'a=1', 'set-cookie'],
  ['Cache-Control', 'no-store', 'no-store'],
  ['CACHE-CONTROL', 'private', 'private'],
  ['CDN-Cache-Control', 'no-store', 'no-store'],
  ['Vary', 'Accept, *', 'vary-any'],
  ['x.y*|z', 'no-store', 'no-store'],
])('%s: %s is among the lines that rule, and forbids', (name, value, reason) => {
  const rules = resolveRules([{ targetedCacheControl: ['CDN-Cache-Control', 'X.Y*|Z'] }])
  const head = `HTTP/1.1 200 OK\r\nX-${name}: a\r\n${name}: ${value}\r\nX: ${name}: b\r\nxxyxz: c\r\n\r\n`
  const found = [...head.matchAll(rulingLines(rules))].map((line) => [line[1], line[2]!.trim()])
  expect(found).toEqual([[name, value]])
  expect(forbiddenOutside([name, value], 200, rules)).toBe(reason)
})
