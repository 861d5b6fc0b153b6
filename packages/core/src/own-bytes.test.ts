import { expect, test } from 'vitest'
import { ownBytes } from './own-bytes.ts'

test('a copy lies in no larger block of memory, and not where the original does', () => {
  const bytes = Buffer.from('some bytes')
  const copy = ownBytes(bytes)
  expect(copy).toEqual(bytes)
  expect(copy.buffer.byteLength).toBe(bytes.length)
  bytes.fill(0)
  expect(copy.toString()).toBe('some bytes')
})
