import { describe, expect, test } from 'vitest'
import { type Records, recordsOf } from './records.ts'

/** Notes as many keys of this length. */
function fill(count: number, length: number): Records<{ readonly at: number }> {
  const records = recordsOf<{ readonly at: number }>()
  for (let i = 0; i < count; i += 1) records.set(keyOf(i, length), { at: i })
  return records
}

const keyOf = (i: number, length: number): string => String(i).padEnd(length, '.')

describe('what is remembered by key', () => {
  test.each([
    ['10,000 short ones', 20, 10_000],
    // Each costs 200 bytes more than its key.
    ['4 MiB of longer ones', 300, 8400],
    ['4 MiB of the longest', 8192, 500],
  ])('is bounded: %s', (_, length, held) => {
    const records = fill(10_500, length)
    expect(records.size).toBe(held)
    // The newest.
    expect(records.get(keyOf(10_499, length))).toEqual({ at: 10_499 })
    expect(records.has(keyOf(10_500 - held, length))).toBe(true)
    expect(records.has(keyOf(10_499 - held, length))).toBe(false)
  })

  test('is what was used last', () => {
    const records = fill(10_000, 20)
    records.get(keyOf(0, 20))
    records.set('one more', { at: -1 })
    expect([0, 1, 2].map((i) => records.has(keyOf(i, 20)))).toEqual([true, false, true])
  })

  test('does not give way to a key that is longer than all of them', () => {
    const records = fill(10, 20)
    records.set('x'.repeat(5 * 1024 * 1024), { at: -1 })
    expect(records.size).toBe(10)
  })
})
