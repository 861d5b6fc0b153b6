import { expect, test } from 'vitest'

import { PARTS } from '../../../../test/support/unit.ts'
import { StoredResponse } from '../engine/stored-response.ts'
import type { StoredParts } from '../engine/stored-parts.ts'
import { decodeFrame, encodeResponse } from './frame.ts'
import { KnownHeads } from './known-heads.ts'

const HEAD = { key: 'k', names: [['accept']] }

test('what it was read from is not kept alive', () => {
  const heads = new KnownHeads()
  const larger = Buffer.alloc(100_000, 'x')
  heads.note(1, larger.subarray(0, 10), HEAD)
  larger.fill('y')
  expect(heads.find(1, Buffer.alloc(10, 'x'))).toBe(HEAD)
  expect(heads.find(1, Buffer.alloc(10, 'y'))).toBeUndefined()
  heads.clear()
  expect(heads.find(1, Buffer.alloc(10, 'x'))).toBeUndefined()
})

const text = (n: number): Buffer => Buffer.alloc(1000, String(n))

test('of more heads than there is room for the oldest go', () => {
  const heads = new KnownHeads()
  for (let n = 0; n < 5000; n += 1) heads.note(n, text(n), HEAD)
  const kept = Array.from({ length: 5000 }, (_, n) => n).filter((n) => heads.find(n, text(n)) !== undefined)
  expect(kept.length).toBeGreaterThan(1000)
  expect(kept.length * 4400).toBeLessThanOrEqual(8 * 1024 * 1024)
  expect(kept.at(-1)).toBe(4999)
})

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  for (const member of Object.values(value)) freeze(member)
  return Object.freeze(value)
}

test('nothing that is made of a response writes into what others have of the same head', () => {
  const heads = new KnownHeads()
  const fields = ['Content-Type', 'text/html', 'ETag', '"1"', 'Cache-Status', 'up; hit', 'Last-Modified', 'x']
  const frame = encodeResponse({ ...PARTS, fields, selecting: ['accept', 'x'], body: Buffer.from('x'.repeat(2000)) })
  freeze(decodeFrame(frame, PARTS.key, heads))
  for (let time = 0; time < 2; time += 1) {
    const parts = decodeFrame(frame, PARTS.key, heads) as StoredParts
    expect(Object.isFrozen(parts.fields)).toBe(true)
    const response = new StoredResponse(parts, 1, true)
    response.identity.reusedFields[0] = 'X'
    response.identity.reusedStaleFields[0] = 'X'
    response.expire(5)
    response.represent('br', 'x')
    expect(response.validators).toEqual(['If-None-Match', '"1"', 'If-Modified-Since', 'x'])
    expect(encodeResponse(response.whole).length).toBeGreaterThan(0)
  }
})
