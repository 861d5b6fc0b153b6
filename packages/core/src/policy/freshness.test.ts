import { describe, expect, test } from 'vitest'
import type { RouteOptions } from '../options.ts'
import { resolveRules } from '../settings.ts'
import { parseCacheControl } from './cache-control.ts'
import { directivesOf } from './directives.ts'
import type { FieldLines } from './fields.ts'
import { type Freshness, currentAge, freshnessLifetime, freshnessOf } from './freshness.ts'

const NOW = Date.UTC(2031, 2, 5, 6, 7, 8)
const at = (seconds: number): string => new Date(NOW + seconds * 1000).toUTCString()
const cc = (value: string): FieldLines => ['Cache-Control', value]

const lifetime = (status: number, fields: FieldLines, options: RouteOptions = {}): number | undefined => {
  const rules = resolveRules([options])
  const found = freshnessLifetime(status, fields, directivesOf(fields, rules), rules, NOW)
  return found === undefined ? undefined : found.ms / 1000
}

describe('the freshness lifetime', () => {
  test.each<[title: string, fields: FieldLines, seconds: number | undefined]>([
    ['is unknown where nothing says anything', [], undefined],
    ['is max-age', cc('max-age=60'), 60],
    ['is s-maxage before max-age', cc('max-age=60, s-maxage=30'), 30],
    ['is s-maxage though max-age is less', cc('max-age=30, s-maxage=60'), 60],
    ['is max-age before Expires', [...cc('max-age=60'), 'Expires', at(30)], 60],
    ['is Expires - Date', ['Date', at(0), 'Expires', at(30)], 30],
    ['is Expires - now without a Date', ['Expires', at(30)], 30],
    ['is Expires - now where Date is junk', ['Date', 'junk', 'Expires', at(30)], 30],
    ['is shorter where Date is fast', ['Date', at(20), 'Expires', at(30)], 10],
    ['counts from a Date that is slow', ['Date', at(-20), 'Expires', at(30)], 50],
    ['is 0 where Expires is past', ['Date', at(0), 'Expires', at(-30)], 0],
    ['is 0 where Expires is before Date', ['Date', at(60), 'Expires', at(30)], 0],
    ['is 0 where Expires is no date', ['Expires', '0'], 0],
    ['is 0 where Expires is empty', ['Expires', ''], 0],
    ['is 0 where Expires comes twice', ['Expires', at(30), 'Expires', at(60)], 0],
    ['is 0 where max-age is junk, whatever Expires says', [...cc('max-age=junk'), 'Expires', at(30)], 0],
    ['is 0 where s-maxage is junk, whatever max-age says', cc('s-maxage=-1, max-age=60'), 0],
    ['is 0 where it must be validated', cc('no-cache, max-age=60'), 0],
    ['is the least of several', ['Cache-Control', 'max-age=60', 'cache-control', 'max-age=30'], 30],
    ['is at most 2^31 s', cc('max-age=99999999999'), 2 ** 31],
    ['is not heuristic', ['Last-Modified', at(-86_400)], undefined],
  ])('%s', (_, fields, seconds) => {
    expect(lifetime(200, fields)).toBe(seconds)
  })

  test.each<[status: number, fields: FieldLines, seconds: number | undefined]>([
    [200, [], 10],
    [200, cc('public'), 10],
    [200, cc('max-age=0'), 0],
    [200, cc('max-age=60'), 60],
    [200, ['Expires', at(30)], 30],
    [200, ['Expires', 'junk'], 0],
    ...[201, 203, 204, 301, 302, 404, 410, 500].map((status): [number, FieldLines, undefined] => [
      status,
      [],
      undefined,
    ]),
    [404, cc('max-age=60'), 60],
  ])('of a %d with %j and a configured maxAge of 10', (status, fields, seconds) => {
    expect(lifetime(status, fields, { maxAge: 10 })).toBe(seconds)
  })
})

describe('the age', () => {
  test.each<[title: string, fields: FieldLines, renderMs: number, seconds: number]>([
    ['is 0 at first', [], 0, 0],
    ['is 0 at first, with a Date', ['Date', at(0)], 0, 0],
    ['counts the render', [], 2000, 2],
    ['starts at the Age that came', ['Age', '4'], 0, 4],
    ['adds the render to that', ['Age', '4'], 2000, 6],
    ['counts from a Date that is past', ['Date', at(-7)], 0, 7],
    ['is the greater of the two', ['Age', '4', 'Date', at(-7)], 1000, 7],
    ['is not lessened by a Date in the future', ['Age', '4', 'Date', at(60)], 0, 4],
    ['ignores a Date that is none', ['Date', 'junk'], 0, 0],
    ['ignores a clock that went back while it rendered', [], -5000, 0],
    ['takes the first Age of a list', ['Age', '4, 9'], 0, 4],
    ['takes the first Age of several', ['Age', '4', 'Age', '9'], 0, 4],
    ...['', 'abc', '-1', '7200.0', '1e3', '+4'].map((age): [string, FieldLines, number, number] => [
      `ignores an Age of ${JSON.stringify(age)}`,
      ['Age', age],
      0,
      0,
    ]),
    ['is at most 2^31 s', ['Age', '99999999999999999999'], 0, 2 ** 31],
  ])('%s', (_, fields, renderMs, seconds) => {
    const exchange = { requestedAt: NOW - renderMs, receivedAt: NOW }
    const rules = resolveRules([])
    const { directives } = directivesOf(fields, rules)
    const freshness = freshnessOf(200, fields, directives, rules, exchange, 10_000)
    expect(currentAge(freshness, NOW)).toBe(seconds)
    // It is taken off the lifetime.
    expect(freshness.freshUntil).toBe(NOW + (10 - seconds) * 1000)
  })

  test.each([
    [0, 0],
    [999, 0],
    [1000, 1],
    [61_999, 61],
    [-5000, 0],
  ])('after %d ms is %d', (ms, seconds) => {
    const freshness: Freshness = { bornAt: NOW, freshUntil: NOW, staleUntil: NOW, errorUntil: NOW }
    expect(currentAge(freshness, NOW + ms)).toBe(seconds)
  })
})

describe('an error', () => {
  // An error handler often sends the Cache-Control that was meant for the page.
  test.each<[status: number, lifetimeMs: number, freshMs: number, windowMs: number]>([
    [200, 60_000, 60_000, 5000],
    [301, 60_000, 60_000, 5000],
    [404, 60_000, 60_000, 5000],
    [410, 60_000, 60_000, 5000],
    [400, 60_000, 10_000, 0],
    [403, 5000, 5000, 0],
    [500, 60_000, 10_000, 0],
    [503, 5000, 5000, 0],
  ])('%d for %d ms is fresh for %d ms and usable for %d more', (status, lifetimeMs, freshMs, windowMs) => {
    const rules = resolveRules([{ staleWhileRevalidate: 5, staleIfError: 5 }])
    const exchange = { requestedAt: NOW, receivedAt: NOW }
    const freshness = freshnessOf(status, [], parseCacheControl(['max-age=60']), rules, exchange, lifetimeMs)
    const until = NOW + freshMs
    expect(freshness).toMatchObject({ freshUntil: until, staleUntil: until + windowMs, errorUntil: until + windowMs })
  })
})

describe('the stale windows', () => {
  const both: RouteOptions = { staleWhileRevalidate: 5, staleIfError: 7 }

  test.each<[value: string, options: RouteOptions, whileRevalidate: number, ifError: number]>([
    ['max-age=10', {}, 0, 0],
    ['max-age=10', both, 5, 7],
    ['', both, 5, 7],
    ['max-age=10, stale-while-revalidate=60', {}, 60, 0],
    ['max-age=10, stale-if-error=60', {}, 0, 60],
    ['max-age=10, stale-while-revalidate=60, stale-if-error=70', both, 60, 70],
    ['max-age=10, stale-while-revalidate=60', both, 60, 7],
    ['max-age=10, stale-while-revalidate=0, stale-if-error=0', both, 0, 0],
    ['max-age=10, stale-while-revalidate=junk', both, 0, 7],
    ['max-age=10, stale-while-revalidate=60, stale-while-revalidate=30', {}, 30, 0],
    // s-maxage implies proxy-revalidate: nothing configured, but what the response itself asks for.
    ['s-maxage=10', both, 0, 0],
    ['s-maxage=10, stale-while-revalidate=60', both, 60, 0],
    ['s-maxage=10, stale-if-error=60', both, 0, 60],
    // These win over everything.
    ...['must-revalidate', 'proxy-revalidate', 'no-cache', 'no-cache="x"', 'Must-Revalidate', 'must-revalidate=x'].map(
      (ban): [string, RouteOptions, number, number] => [
        `max-age=10, stale-while-revalidate=60, ${ban}, stale-if-error=60`,
        both,
        0,
        0,
      ],
    ),
  ])('of %j with %j: %d and %d s', (value, options, whileRevalidate, ifError) => {
    const exchange = { requestedAt: NOW, receivedAt: NOW }
    const freshness = freshnessOf(200, [], parseCacheControl([value]), resolveRules([options]), exchange, 10_000)
    expect(freshness).toEqual({
      bornAt: NOW,
      freshUntil: NOW + 10_000,
      staleUntil: NOW + 10_000 + whileRevalidate * 1000,
      errorUntil: NOW + 10_000 + ifError * 1000,
    })
  })
})
