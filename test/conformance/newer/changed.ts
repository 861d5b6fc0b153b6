import type { Field, SuiteRequest } from '../types.ts'
import { stored } from './test.ts'

const age = (maxAge: number, ...values: string[]): SuiteRequest =>
  stored(['Date', 0], ['Cache-Control', `max-age=${maxAge}`], ...values.map((value): Field => ['Age', value, false]))

/** RFC 9111 section 5.1 as it is now: the first member counts, what is no number is ignored. */
const freshDespite = (maxAge: number, ...values: string[]): SuiteRequest[] => [
  age(maxAge, ...values),
  { expected_type: 'cached' },
]

/** In the package, dates beyond 2038 lack their comma, so that only a lenient parser passes. */
const freshUntil = (date: string): SuiteRequest[] => [
  stored(['Expires', date, false], ['Date', 0]),
  { expected_type: 'cached' },
]

/** RFC 9111 section 5.3: a date that is none is in the past. The package asks whether it is taken for a date. */
const staleDespite = (...dates: string[]): SuiteRequest[] => [
  stored(...dates.map((date): Field => ['Expires', date, false]), ['Date', 0]),
  { expected_type: 'not_cached' },
]

/**
 * Not from the cache while the origin hangs up. The package wants an answer with the origin's count in it, which no
 * cache can have then.
 */
const notStale = (directive: string): SuiteRequest[] => [
  stored(['Cache-Control', `max-age=2, ${directive}`]),
  {
    disconnect: true,
    expected_status: null,
    check_body: false,
    expected_response_headers_missing: ['server-request-count'],
  },
]

/** The package invalidates with POST whatever the test is called. */
const locationInvalidatedBy = (method: string): SuiteRequest[] => {
  const target: SuiteRequest = {
    filename: 'location_target',
    response_headers: [
      ['Cache-Control', 'max-age=100000'],
      ['Last-Modified', 0],
      ['Date', 0],
    ],
  }
  return [
    { ...target, setup: true },
    {
      request_method: method,
      request_body: 'abc',
      response_headers: [
        ['Location', 'location_target'],
        ['Content-Location', 'content_location_target'],
      ],
      magic_locations: true,
      setup: true,
    },
    { ...target, expected_type: 'not_cached' },
  ]
}

/** Tests of the package that ask for something else now. */
export const changed: Record<string, SuiteRequest[]> = {
  'age-parse-nonnumeric': freshDespite(3600, 'abc'),
  'age-parse-negative': freshDespite(3600, '-7200'),
  'age-parse-float': freshDespite(3600, '7200.0'),
  'age-parse-prefix-twoline': freshDespite(3600, '0', '7200'),
  'age-parse-dup-0': freshDespite(3600, '0, 0'),
  'age-parse-dup-0-twoline': freshDespite(3600, '0', '0'),
  'age-parse-dup-old': freshDespite(10_000, '3600', '3600'),
  'freshness-expires-32bit': freshUntil('Tue, 19 Jan 2038 14:14:08 GMT'),
  'freshness-expires-far-future': freshUntil('Sun, 21 Nov 2286 04:46:39 GMT'),
  'freshness-expires-invalid-utc': staleDespite('Thu, 18 Aug 2050 02:01:18 UTC'),
  'freshness-expires-invalid-aest': staleDespite('Thu, 18 Aug 2050 02:01:18 AEST'),
  'freshness-expires-invalid-2-digit-year': staleDespite('Thu, 18 Aug 50 02:01:18 GMT'),
  'freshness-expires-invalid-no-comma': staleDespite('Thu 18 Aug 2050 02:01:18 GMT'),
  'freshness-expires-invalid-multiple-spaces': staleDespite('Thu, 18  Aug  2050 02:01:18 GMT'),
  'freshness-expires-invalid-date-dashes': staleDespite('Thu, 18-Aug-2050 02:01:18 GMT'),
  'freshness-expires-invalid-time-periods': staleDespite('Thu, 18 Aug 2050 02.01.18 GMT'),
  'freshness-expires-invalid-1-digit-hour': staleDespite('Thu, 18 Aug 2050 2:01:18 GMT'),
  'freshness-expires-invalid-multiple-lines': staleDespite(
    'Thu, 18 Aug 2050 2:01:18 GMT',
    'Thu, 18 Aug 2050 2:01:19 GMT',
  ),
  'stale-sie-503': [
    stored(['Cache-Control', 'max-age=2, stale-if-error=60']),
    { response_status: [503, 'Service Unavailable'], expected_status: 200, expected_type: 'cached' },
  ],
  'stale-close-must-revalidate': notStale('must-revalidate'),
  'stale-close-proxy-revalidate': notStale('proxy-revalidate'),
  'stale-close-no-cache': notStale('no-cache'),
  'stale-close-s-maxage=2': notStale('s-maxage=2'),
  // The date alone would make it 200.
  'conditional-etag-precedence': [
    stored(['Cache-Control', 'max-age=100000'], ['Date', 0], ['Last-Modified', -5000], ['ETag', '"abcdef"']),
    {
      request_headers: [
        ['If-None-Match', '"abcdef"'],
        ['If-Modified-Since', -6000],
      ],
      magic_ims: true,
      expected_type: 'cached',
      expected_status: 304,
    },
  ],
  'conditional-etag-vary-headers-mismatch': [
    {
      ...stored(['Expires', 10_000], ['ETag', '"abcdef"'], ['Date', 0], ['Vary', 'Abc']),
      request_headers: [['Abc', '123']],
    },
    { request_headers: [['Abc', '456']], expected_request_headers: [['If-None-Match', '"abcdef"']] },
  ],
  'invalidate-PUT-location': locationInvalidatedBy('PUT'),
  'invalidate-DELETE-location': locationInvalidatedBy('DELETE'),
  'invalidate-M-SEARCH-location': locationInvalidatedBy('M-SEARCH'),
}
