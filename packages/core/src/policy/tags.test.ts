import { expect, test } from 'vitest'
import type { FieldLines } from './fields.ts'
import { tagsOf } from './tags.ts'

test.each<[fields: FieldLines, tags: string[]]>([
  [[], []],
  [['Cache-Tag', 'a'], ['a']],
  [
    ['Cache-Tag', 'a, b c ,,d'],
    ['a', 'b c', 'd'],
  ],
  [
    ['cache-tag', 'a', 'Cache-Tag', 'b'],
    ['a', 'b'],
  ],
  [
    ['Surrogate-Key', ' a  b\tc '],
    ['a', 'b', 'c'],
  ],
  [['Surrogate-Key', 'a,b'], ['a,b']],
  [
    ['Cache-Groups', '"a", "b c"'],
    ['a', 'b c'],
  ],
  [['Cache-Groups', '"a, b";x=1'], ['a, b']],
  [
    ['Cache-Groups', String.raw`"a\"b", "c\\d"`],
    ['a"b', String.raw`c\d`],
  ],
  // Tokens are no strings, and what does not end is none.
  [['Cache-Groups', 'a, "b'], []],
  [['Cache-Groups', '""'], []],
  [
    ['Cache-Tag', 'a', 'Surrogate-Key', 'b', 'Cache-Groups', '"c"'],
    ['a', 'b', 'c'],
  ],
])('%j: %j', (fields, tags) => {
  expect(tagsOf(fields)).toEqual(tags)
})

test('is linear in 100,000 quotes', () => {
  const startedAt = performance.now()
  tagsOf(['Cache-Groups', '"'.repeat(100_000)])
  tagsOf(['Cache-Groups', `"${String.raw`\"`.repeat(50_000)}`])
  expect(performance.now() - startedAt).toBeLessThan(500)
})
