import { expect, test } from 'vitest'

import { Keys } from './keys.ts'

const DIGEST = 'abcdefghijklmnopqrstuvwxy_-'
const keys = new Keys('p:')

test.each([
  [`n:v:host/path~${DIGEST}`, `p:n:v:host/path~{${DIGEST}}`],
  [`n:v:host/path~${DIGEST}:variant`, `p:n:v:host/path~{${DIGEST}}:variant`],
  // What is asked to see whether anybody is there.
  ['n:v:probe', 'p:n:v:probe'],
])('%s lies under %s', (address, key) => {
  expect(keys.entry(address)).toBe(key)
})

test('what is published tells databases apart: it reaches all of a server', () => {
  expect(keys.bus('n:v:')).toBe('p:n:v:bus')
  const other = new Keys('p:', 3)
  expect([other.bus('n:v:'), other.ear('n:v:', 'me')]).toEqual(['p:3~n:v:bus', 'p:3~n:v:to:me'])
  expect(other.entry('n:v:probe')).toBe('p:n:v:probe')
})

test('an entry, its order and its lease have one hash tag', () => {
  const address = `n:v:host/path~${DIGEST}:variant`
  expect(keys.order(address)).toBe(`p:{${DIGEST}}order`)
  expect(keys.lease(address)).toBe(`p:{${DIGEST}}lease:variant`)
})
