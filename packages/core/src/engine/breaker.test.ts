import { expect, test } from 'vitest'
import { Breaker } from './breaker.ts'

function make() {
  const clock = { now: 5_000_000 }
  const changes: string[] = []
  const breaker = new Breaker(
    () => clock.now,
    (state) => changes.push(state),
  )
  const fail = (times: number): void => {
    for (let i = 0; i < times; i += 1) breaker.failed()
  }
  return { breaker, changes, clock, fail }
}

test('three failures in a row open it', () => {
  const { breaker, changes, fail } = make()
  fail(2)
  expect([breaker.state, breaker.beginsProbe()]).toEqual(['closed', false])
  breaker.succeeded()
  fail(2)
  expect(breaker.state).toBe('closed')
  fail(1)
  expect([breaker.state, breaker.beginsProbe()]).toEqual(['open', false])
  expect(changes).toEqual(['open'])
})

test('one probe a second, until one succeeds', () => {
  const { breaker, changes, clock, fail } = make()
  fail(3)
  clock.now += 999
  expect(breaker.beginsProbe()).toBe(false)
  clock.now += 1
  expect([breaker.beginsProbe(), breaker.beginsProbe(), breaker.state]).toEqual([true, false, 'half-open'])
  breaker.failed()
  expect([breaker.beginsProbe(), breaker.state]).toEqual([false, 'open'])
  clock.now += 1000
  expect(breaker.beginsProbe()).toBe(true)
  breaker.succeeded()
  expect([breaker.state, breaker.beginsProbe()]).toEqual(['closed', false])
  // Told once each, not for every failed probe.
  expect(changes).toEqual(['open', 'closed'])
})

test('after it has closed it takes three failures again', () => {
  const { breaker, clock, fail } = make()
  fail(3)
  clock.now += 1000
  breaker.beginsProbe()
  breaker.succeeded()
  fail(2)
  expect(breaker.state).toBe('closed')
})

test('calls that were under way when it opened tell it nothing new', () => {
  const { breaker, changes, fail } = make()
  fail(10)
  expect(changes).toEqual(['open'])
  breaker.succeeded()
  expect(breaker.state).toBe('closed')
})

test('hope makes a probe come before its time, and only where it is open', () => {
  let now = 0
  const breaker = new Breaker(
    () => now,
    () => undefined,
  )
  breaker.hurry()
  expect(breaker.state).toBe('closed')
  for (let i = 0; i < 3; i++) breaker.failed()
  now += 10
  expect(breaker.beginsProbe()).toBe(false)
  breaker.hurry()
  expect(breaker.beginsProbe()).toBe(true)
})

test('a call that was under way when it opened, and fails later, does not put the probe off', () => {
  const { breaker, clock, fail } = make()
  fail(3)
  clock.now += 900
  fail(1)
  clock.now += 100
  expect(breaker.beginsProbe()).toBe(true)
})
