import type { IncomingHttpHeaders } from 'node:http'

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CachebackError } from '../errors.ts'
import { resolveRules } from '../settings.ts'
import { parseCacheControl } from './cache-control.ts'
import { isNotModified, matchesEtag } from './conditions.ts'
import { readCookies } from './cookies.ts'
import { readDemands } from './demands.ts'
import { directivesOf } from './directives.ts'
import { type RequestHead, unstoredFields } from './fields.ts'
import { freshenedFields, isAboutAnother } from './freshen.ts'
import { parseHttpDate } from './http-date.ts'
import { invalidatedGroups, invalidatedPaths } from './invalidation.ts'
import { type SearchRule, canonicalQuery, parseSearchRule } from './no-vary-search.ts'
import { hostsOf, originFields } from './origin.ts'
import { keyedQuery } from './query.ts'
import { ifRangeHolds, readRanges } from './ranges.ts'
import { readSelector } from './selector.ts'
import { judge } from './storable.ts'
import { tagsOf } from './tags.ts'
import { readVary, selectingOf } from './vary.ts'

const NOW = Date.UTC(2031, 2, 5, 6, 7, 8)
const RULES = resolveRules([{ targetedCacheControl: ['CDN-Cache-Control'], heuristic: true }])

const request = (headers: IncomingHttpHeaders): RequestHead => ({
  method: 'GET',
  secure: false,
  target: '/',
  rewritten: undefined,
  headers: { host: 'a.test', ...headers },
  rawHeaders: Object.entries(headers).flat() as string[],
})

const judged = (name: string, value: string): unknown =>
  judge({ status: 200, reason: undefined, fields: ['Last-Modified', 'x', name, value] }, RULES, {
    requestedAt: NOW,
    receivedAt: NOW,
    authorized: false,
  })

/** Whatever is read of a request or a response, by a function of one string. */
const PARSERS: Readonly<Record<string, (text: string) => unknown>> = {
  'Cache-Control': (text) => parseCacheControl([text]),
  'an HTTP-date': (text) => parseHttpDate(text, NOW),
  'If-None-Match': (text) => matchesEtag(text, '"a"'),
  'an ETag': (text) => matchesEtag('"a", W/"b"', text),
  'If-Modified-Since': (text) => isNotModified(['Date', text], { 'if-modified-since': text }, NOW),
  Range: (text) => readRanges(text, 1000),
  'the set of a Range': (text) => readRanges(`bytes=${text}`, 1000),
  'If-Range': (text) => ifRangeHolds({ 'if-range': text }, ['ETag', text, 'Last-Modified', text], NOW),
  'No-Vary-Search': (text) => parseSearchRule(text),
  'the names of No-Vary-Search': (text) => parseSearchRule(`except=(${text})`),
  'a query under No-Vary-Search': (text) => canonicalQuery(WITHOUT_A, `?${text}`),
  Vary: (text) => readVary(['Vary', text], RULES),
  'a selecting header': (text) => selectingOf(['x', 'accept-language'], request({ x: text, 'accept-language': text })),
  'Cache-Tag': (text) => tagsOf(['Cache-Tag', text]),
  'Surrogate-Key': (text) => tagsOf(['Surrogate-Key', text]),
  'Cache-Groups': (text) => tagsOf(['Cache-Groups', text]),
  'Cache-Group-Invalidation': (text) => invalidatedGroups(['Cache-Group-Invalidation', text]),
  'Location and Content-Location': (text) =>
    invalidatedPaths(request({}), ['Location', text, 'Content-Location', `/${text}`]),
  'a request target and its Host': (text) => invalidatedPaths({ ...request({ host: text }), target: text }, []),
  'Cookie, keyed': (text) => readCookies({ key: ['a', 'b'] }, text),
  'Cookie, bypassing': (text) => readCookies({ bypass: ['a', 'b'] }, text),
  'a query, by names': (text) => keyedQuery(['a', 'b'], `?${text}`),
  'a query, but for names': (text) => keyedQuery({ ignore: ['a', 'b'] }, `?${text}`),
  Forwarded: (text) => hostsOf('a', originFields(request({ forwarded: text }))),
  'X-Forwarded-Host': (text) => hostsOf('a', originFields(request({ 'x-forwarded-host': text }))),
  'CDN-Cache-Control': (text) => directivesOf(['CDN-Cache-Control', text], RULES),
  'a client’s Cache-Control': (text) => readDemands({ 'cache-control': text }),
  Pragma: (text) => readDemands({ pragma: text }),
  Connection: (text) => unstoredFields(['Connection', text], [])('x'),
  'a 304': (text) => freshenedFields(['Warning', text, 'ETag', text], ['Warning', text, text, text], NOW),
  'the ETags of a 304': (text) => isAboutAnother(['ETag', text], ['ETag', `W/${text}`]),
  'the URL of a selector': (text) => tryToSelect({ url: text }),
  'the prefix of a selector': (text) => tryToSelect({ prefix: `http://${text}` }),
  ...Object.fromEntries(
    ['Age', 'Expires', 'Date', 'Last-Modified', 'Content-Type', 'Set-Cookie', 'Cache-Control', 'Vary'].map((name) => [
      `${name} of a response`,
      (text: string) => judged(name, text),
    ]),
  ),
}

const WITHOUT_A: SearchRule = { ignoresOrder: true, names: ['a'], isExcept: false }

/** A selector may be refused, with a code. */
function tryToSelect(selector: { url: string } | { prefix: string }): unknown {
  try {
    return readSelector(selector)
  } catch (error) {
    if (error instanceof CachebackError) return error.code
    throw error
  }
}

/** Strings that are mostly made of what parsers look for. */
// prettier-ignore
const PIECES = [
  '"', '\\', '\\"', ',', ';', '=', ' ', '\t', '&', '?', '#', '%', '+', '*', '-', '(', ')', ':', '@', '/', '.', 'a', 'b',
  'x', '0', '9', '60', '-1', 'W/', '"a"', 'a=', 'bytes=', '0-', '-5', 'host=', 'for=', 'params=', '?1', 'private',
  'no-store', 'max-age=', 'key-order', 'Sun, 06 Nov 1994 08:49:37 GMT', 'é', '\u0000', '\n', '\uD800',
]
const hostile = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }).map((pieces) => pieces.join('')),
)

describe.each(Object.entries(PARSERS))('%s', (_, parse) => {
  test('never throws', () => {
    fc.assert(fc.property(hostile, (text) => void parse(text)))
  })

  test('is read in linear time', () => {
    for (const repeated of REPEATED) for (const [before, after] of FRAMES) expectLinear(parse, repeated, before, after)
  }, 60_000)
})

// prettier-ignore
const REPEATED = [
  ' ', '\t', '"', ',', ';', '=', '-', '0', 'a', '*', '&', '/', '(', '%', ':', '\\', '\\"', '"a" ', ', ', ' ,', 'a=',
  'a=b&', 'a=b; ', '"a",', 'W/"', '0-0,', 'host=', 'host="', 'for=a;', 'a=" ', 'é', '%41', '("', '\\" ', '1 ',
]
const FRAMES = [
  ['', ''],
  ['a="', 'z, no-store'],
  ['?x', ' )'],
] as const

/**
 * Four times the input takes some four times as long; sixteen times as long would be a square, which for 100,000 takes
 * seconds. Times are noisy: what is over in less than half a second is good, and a bad one has four more tries.
 */
function expectLinear(parse: (text: string) => unknown, repeated: string, before: string, after: string): void {
  const timeFor = (length: number): number => timeOf(parse, before + repeated.repeat(length / repeated.length) + after)
  let large = timeFor(100_000)
  if (large < 400) return
  const small = Math.min(timeFor(25_000), timeFor(25_000), timeFor(25_000))
  const limit = Math.min(1000, Math.max(400, small * 10))
  for (let tries = 0; tries < 4 && large > limit && large < 3000; tries += 1) large = Math.min(large, timeFor(100_000))
  expect(large, `100,000 of ${JSON.stringify([before, repeated, after])}`).toBeLessThan(limit)
}

function timeOf(parse: (text: string) => unknown, text: string): number {
  const startedAt = performance.now()
  parse(text)
  return performance.now() - startedAt
}
