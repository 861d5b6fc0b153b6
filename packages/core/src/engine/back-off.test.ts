import { expect, test } from 'vitest'
import { BackOff } from './back-off.ts'

test('the pause doubles from 1 s to 30 s', () => {
  let now = 5_000_000
  const backOff = new BackOff(() => now)
  for (const seconds of [1, 2, 4, 8, 16, 30, 30, 30]) {
    backOff.failed('a')
    now += seconds * 1000 - 1
    expect(backOff.forbids('a'), `${seconds} s`).toBe(true)
    now += 1
    expect(backOff.forbids('a'), `${seconds} s`).toBe(false)
    expect(backOff.hasFailed('a')).toBe(true)
  }
})

test('success ends it, and the next failure begins anew', () => {
  let now = 0
  const backOff = new BackOff(() => now)
  backOff.failed('a')
  backOff.failed('a')
  backOff.succeeded('a')
  expect([backOff.forbids('a'), backOff.hasFailed('a')]).toEqual([false, false])
  backOff.failed('a')
  now += 1000
  expect(backOff.forbids('a')).toBe(false)
})

test('keys know nothing of each other', () => {
  const backOff = new BackOff(() => 0)
  backOff.failed('a')
  backOff.succeeded('b')
  expect([backOff.forbids('b'), backOff.hasFailed('b')]).toEqual([false, false])
  expect(backOff.forbids('a')).toBe(true)
})

test('a thousand failures do not overflow', () => {
  let now = 0
  const backOff = new BackOff(() => now)
  for (let i = 0; i < 2000; i += 1) backOff.failed('a')
  expect(backOff.forbids('a')).toBe(true)
  now += 30_000
  expect(backOff.forbids('a')).toBe(false)
})
