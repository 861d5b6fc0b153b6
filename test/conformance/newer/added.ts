import type { SuiteTest } from '../types.ts'
import { atOnce, notReused, reused, stored, test } from './test.ts'

const MONTH = 30 * 24 * 60 * 60

const hugeAge = (id: string, age: string): SuiteTest =>
  notReused(
    id,
    'required',
    ['freshness-max-age-age'],
    `An Age of ${age} is stale`,
    ['Date', 0],
    ['Cache-Control', 'max-age=3600'],
    ['Age', age, false],
  )

/** A newer response that may not be stored: is the older one still used? */
const olderAfter = (id: string, cacheControl: string): SuiteTest =>
  test(id, 'required', ['cc-resp-no-store'], `The older response stays in use after ${cacheControl}`, [
    stored(['Cache-Control', 'max-age=10000'], ['Expires', 10_000], ['Date', 0], ['A', '1']),
    stored(['Cache-Control', cacheControl], ['Date', 0], ['A', '2']),
    { expected_type: 'cached', expected_response_headers: [['a', '1']] },
  ])

/** Tests that sections of the package have gained, by section. */
export const added: Record<string, SuiteTest[]> = {
  'cc-freshness': [
    notReused('freshness-max-age-stale', 'required', ['freshness-max-age'], 'Not reused once stale', [
      'Cache-Control',
      'max-age=2',
    ]),
  ],
  'age-parse': [
    hugeAge('age-parse-large-minus-one', '2147483647'),
    hugeAge('age-parse-large', '2147483648'),
    hugeAge('age-parse-larger', '2147483649'),
  ],
  'cc-response': [
    olderAfter('cc-resp-no-store-old-new', 'no-store'),
    olderAfter('cc-resp-no-store-old-max-age', 'no-store, max-age=0'),
  ],
  stale: [
    reused(
      'stale-while-revalidate',
      'optimal',
      ['freshness-max-age-stale'],
      'Stale in its window',
      ['Cache-Control', 'max-age=1, stale-while-revalidate=3600'],
      ['ETag', '"abc"'],
    ),
    test('stale-while-revalidate-window', 'required', ['stale-while-revalidate'], 'Not stale beyond its window', [
      stored(['Cache-Control', 'max-age=1, stale-while-revalidate=4'], ['ETag', '"abc"']),
      { ...stored(['Cache-Control', 'no-cache', false], ['ETag', '"def"', false]), expected_type: 'cached' },
      { expected_response_headers: [['client-request-count', '3']] },
    ]),
  ],
  status: [
    atOnce(
      reused(
        'status-200-must-understand',
        'optimal',
        ['status-200-fresh', 'cc-resp-no-store-fresh'],
        'must-understand beats no-store where the status is understood',
        ['Cache-Control', 'max-age=3600, no-store, must-understand'],
      ),
    ),
  ],
  other: [
    test('other-age-delay', 'check', [], 'Is the time of a slow answer an Age?', [
      {
        response_headers: [
          ['Cache-Control', 'max-age=3600'],
          ['Date', 0],
        ],
        response_pause: 5,
        expected_response_headers: [['age', '>', 0]],
      },
    ]),
    test('other-date-update-expires', 'required', ['freshness-expires-future'], 'Date stays, with Expires', [
      stored(['Expires', MONTH], ['Date', 0]),
      { expected_type: 'cached', expected_response_headers: [['Date', 0]] },
    ]),
    test('other-date-update-expires-update', 'check', ['freshness-expires-future'], 'Does Expires stay?', [
      stored(['Expires', MONTH], ['Date', 0]),
      { expected_type: 'cached', expected_response_headers: [['Expires', MONTH]] },
    ]),
  ],
}

/** Tests of the package that are gone. */
export const gone: ReadonlySet<string> = new Set([
  'freshness-max-age-ignore-quoted-all',
  'freshness-max-age-ignore-quoted-all-rev',
  'freshness-max-age-multiple-line',
  'freshness-max-age-multiple-directive',
])
