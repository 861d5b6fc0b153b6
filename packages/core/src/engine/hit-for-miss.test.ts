import { expect, test } from 'vitest'
import { HitForMiss } from './hit-for-miss.ts'

test('is remembered as long as it is said to be, for each key alone', () => {
  let now = 5_000_000
  const hitForMiss = new HitForMiss(() => now)
  expect(hitForMiss.has('a')).toBe(false)
  hitForMiss.note('a', 1000)
  now += 500
  hitForMiss.note('b', 1000)
  now += 499
  expect(['a', 'b', 'c'].map((key) => hitForMiss.has(key))).toEqual([true, true, false])
  now += 1
  expect(['a', 'b', 'c'].map((key) => hitForMiss.has(key))).toEqual([false, true, false])
})

test('is remembered anew, or forgotten', () => {
  let now = 0
  const hitForMiss = new HitForMiss(() => now)
  hitForMiss.note('a', 1000)
  now = 900
  hitForMiss.note('a', 1000)
  now = 1899
  expect(hitForMiss.has('a')).toBe(true)
  hitForMiss.forget('a')
  expect(hitForMiss.has('a')).toBe(false)
})

test('is not remembered for no time, which leaves alone what is', () => {
  const hitForMiss = new HitForMiss(() => 0)
  hitForMiss.note('a', 1000)
  hitForMiss.note('a', 0)
  expect(hitForMiss.has('a')).toBe(true)
})
