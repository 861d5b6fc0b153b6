import type { Field, Section } from '../types.ts'
import { atOnce, notReused, reused, stored, test } from './test.ts'

/** The targeted field; a cache may keep it to itself, so it is not compared. */
const cdn = (value: string): Field => ['CDN-Cache-Control', value, false]
const cc = (value: string): Field => ['Cache-Control', value]
const now: Field = ['Date', 0]
const none = ['freshness-none']
const gate = ['cdn-max-age']

/** RFC 9213. */
export const cdnCacheControl: Section = {
  id: 'cdn-cache-control',
  name: 'CDN-Cache-Control',
  tests: [
    reused('cdn-max-age', 'optimal', none, 'A targeted max-age alone makes fresh', cdn('max-age=3600')),
    reused('cdn-max-age-max', 'optimal', none, 'A targeted max-age of 2^31', cdn('max-age=2147483648')),
    reused('cdn-max-age-max-plus', 'optimal', none, 'A targeted max-age beyond 2^31', cdn('max-age=99999999999')),
    notReused('cdn-max-age-age', 'required', gate, 'Age counts against a targeted max-age', now, cdn('max-age=3600'), [
      'Age',
      '7200',
    ]),
    notReused(
      'cdn-max-age-space-before-equals',
      'check',
      gate,
      'Is a space before the equals sign invalid?',
      cc('max-age=1'),
      cdn('max-age =100'),
    ),
    notReused(
      'cdn-max-age-space-after-equals',
      'check',
      gate,
      'Is a space after the equals sign invalid?',
      cc('max-age=1'),
      cdn('max-age= 100'),
    ),
    notReused('cdn-max-age-0', 'required', gate, 'A targeted max-age of 0', cdn('max-age=0')),
    reused('cdn-max-age-extension', 'optimal', gate, 'An unknown member is ignored', cdn('foobar, max-age=3600')),
    reused('cdn-max-age-case-insensitive', 'check', gate, 'Is the case of a key ignored?', cdn('MaX-aGe=3600')),
    reused(
      'cdn-max-age-expires',
      'optimal',
      gate,
      'A past Expires is ignored',
      cdn('max-age=3600'),
      ['Expires', -10_000],
      now,
    ),
    reused(
      'cdn-max-age-cc-max-age-invalid-expires',
      'optimal',
      gate,
      'An invalid Expires is ignored',
      cdn('max-age=3600'),
      ['Expires', '0', false],
      now,
    ),
    notReused(
      'cdn-max-age-0-expires',
      'required',
      gate,
      'A future Expires is ignored',
      cdn('max-age=0'),
      ['Expires', 10_000],
      now,
    ),
    reused(
      'cdn-max-age-short-cc-max-age',
      'optimal',
      gate,
      'A long targeted lifetime beats a short one',
      cc('max-age=1'),
      cdn('max-age=3600'),
    ),
    notReused(
      'cdn-max-age-long-cc-max-age',
      'required',
      gate,
      'A short targeted lifetime beats a long one',
      cc('max-age=3600'),
      cdn('max-age=1'),
    ),
    atOnce(
      notReused(
        'cdn-private',
        'required',
        [],
        'A targeted private beats max-age and Expires',
        ['CDN-Cache-Control', 'private'],
        cc('max-age=10000'),
        ['Expires', 10_000],
        now,
      ),
    ),
    atOnce(
      notReused(
        'cdn-no-cache',
        'required',
        [],
        'A targeted no-cache beats max-age and Expires',
        ['CDN-Cache-Control', 'no-cache'],
        cc('max-age=10000'),
        ['Expires', 10_000],
        now,
      ),
    ),
    notReused(
      'cdn-no-store-cc-fresh',
      'required',
      none,
      'A targeted no-store beats max-age and Expires',
      cc('max-age=10000'),
      cdn('no-store'),
      ['Expires', 10_000],
      now,
    ),
    reused(
      'cdn-fresh-cc-nostore',
      'required',
      none,
      'A targeted max-age beats no-store',
      cc('no-store'),
      cdn('max-age=10000'),
    ),
    notReused(
      'cdn-cc-invalid-sh-type-unknown',
      'required',
      gate,
      'No structured field: as if absent',
      cdn('max-age=10000, &&&&&'),
      cc('no-store'),
    ),
    notReused(
      'cdn-cc-invalid-sh-type-wrong',
      'required',
      gate,
      'A string where an integer belongs',
      cdn('max-age="10000"'),
      cc('no-store'),
    ),
    test('cdn-remove-header', 'check', [], 'Is the targeted field passed on?', [
      {
        response_headers: [cc('max-age=10000'), cdn('foo'), ['Expires', 10_000], now],
        expected_response_headers: [['CDN-Cache-Control', 'foo']],
      },
    ]),
    ...(
      [
        ['cdn-remove-age-exceed', 'Is Age sent when it exceeds the visible max-age?', [], 'Age'],
        ['cdn-date-update-exceed', 'Does Date stay when Age exceeds the visible max-age?', [], ['Date', 0]],
        ['cdn-expires-update-exceed', 'Does a past Expires stay?', [['Expires', 1]], ['Expires', 1]],
      ] as [string, string, Field[], string | [string, number]][]
    ).map(([id, name, fields, expected]) =>
      test(id, 'check', gate, name, [
        stored(cc('max-age=1'), ...fields, ['CDN-Cache-Control', 'max-age=10000'], now),
        { expected_response_headers: [expected] },
      ]),
    ),
  ],
}
