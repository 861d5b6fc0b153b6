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

test('an entry, its order and its lease have one hash tag', () => {
  const address = `n:v:host/path~${DIGEST}:variant`
  expect(keys.order(address)).toBe(`p:{${DIGEST}}order`)
  expect(keys.lease(address)).toBe(`p:{${DIGEST}}lease:variant`)
})
