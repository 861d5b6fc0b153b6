import { expect, test } from 'vitest'
import { resolveRules } from '../settings.ts'
import { type CacheDirectives, directivesOf } from './directives.ts'
import type { FieldLines } from './fields.ts'

const RULES = resolveRules([{ targetedCacheControl: ['Cacheback-Cache-Control', 'CDN-Cache-Control'] }])

const read = ({ directives, isTargeted }: CacheDirectives): [Record<string, string>, boolean] => [
  Object.fromEntries(directives),
  isTargeted,
]
const cdn = (value: string): FieldLines => ['Cache-Control', 'no-store', 'CDN-Cache-Control', value]
const FALLBACK = { 'no-store': '' }

test.each<[fields: FieldLines, directives: Record<string, string>, isTargeted: boolean]>([
  [[], {}, false],
  [['Cache-Control', 'max-age=60'], { 'max-age': '60' }, false],
  [cdn('max-age=60'), { 'max-age': '60' }, true],
  [['cdn-cache-control', 'max-age=60', 'Expires', 'x'], { 'max-age': '60' }, true],
  [cdn('max-age=60, public, stale-if-error=5'), { 'max-age': '60', public: '', 'stale-if-error': '5' }, true],
  [cdn('max-age=60;x=1, no-store;y'), { 'max-age': '60', 'no-store': '' }, true],
  [cdn('no-cache=?1'), { 'no-cache': '' }, true],
  [cdn('unknown, max-age=60'), { unknown: '', 'max-age': '60' }, true],
  [cdn('max-age=-1'), { 'max-age': '-1' }, true],
  // Of several members with one key the last (RFC 9651 §4.2.2); lines are one list.
  [cdn('max-age=60, max-age=30'), { 'max-age': '30' }, true],
  [['CDN-Cache-Control', 'max-age=60', 'CDN-Cache-Control', 'public'], { 'max-age': '60', public: '' }, true],

  // The first that is valid and not empty counts, in the order of the option (RFC 9213 §2.2).
  [[...cdn('max-age=60'), 'Cacheback-Cache-Control', 'max-age=5'], { 'max-age': '5' }, true],
  [['Cacheback-Cache-Control', 'max-age=5', ...cdn('max-age=60')], { 'max-age': '5' }, true],
  [['Cacheback-Cache-Control', '', ...cdn('max-age=60')], { 'max-age': '60' }, true],
  [['Cacheback-Cache-Control', '&', ...cdn('max-age=60')], { 'max-age': '60' }, true],
  [['Surrogate-Control', 'max-age=60', 'Cache-Control', 'no-store'], FALLBACK, false],

  // A Dictionary, strictly: invalid anywhere is as if it were not there.
  [cdn(''), FALLBACK, false],
  [cdn('  '), FALLBACK, false],
  [cdn('max-age=60, &&&'), FALLBACK, false],
  [cdn('max-age=60,'), FALLBACK, false],
  [cdn('max-age=60 public'), FALLBACK, false],
  [cdn('max-age =60'), FALLBACK, false],
  [cdn('max-age= 60'), FALLBACK, false],
  [cdn('Max-Age=60'), FALLBACK, false],
  [cdn('max-age=60; no-store='), FALLBACK, false],
  [cdn('max-age=9999999999999999'), FALLBACK, false],
  // A lifetime of another type than its own is ignored.
  [cdn('max-age="60"'), FALLBACK, false],
  [cdn('max-age=60, s-maxage=1.5, stale-if-error=x'), { 'max-age': '60' }, true],
  [cdn('max-age=60, foo=bar'), { 'max-age': '60', foo: '' }, true],
  [cdn('max-age=60, no-store=?0'), { 'max-age': '60' }, true],
])('%j: %j, %s', (fields, directives, isTargeted) => {
  expect(read(directivesOf(fields, RULES))).toEqual([directives, isTargeted])
})

// A name for some fields is a ban for us: we treat the qualified forms as unqualified (RFC 9111 §5.2.2.4, §5.2.2.7).
test.each(['private="set-cookie"', 'no-cache="x-a"', 'private=("a" "b")', 'no-store="x"', 'must-revalidate=1'])(
  'fails closed: max-age=60, %s keeps the directive',
  (ban) => {
    const { directives } = directivesOf(cdn(`max-age=60, ${ban}`), RULES)
    expect([...directives.keys()]).toEqual(['max-age', ban.split('=', 1)[0]])
  },
)

test('without the option no targeted field is looked for', () => {
  expect(read(directivesOf(cdn('max-age=60'), resolveRules([{}])))).toEqual([FALLBACK, false])
})
