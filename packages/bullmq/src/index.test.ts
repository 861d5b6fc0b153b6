import { expect, test } from 'vitest'

import { bullmqQueue } from './index.ts'

const codeOf = (options: unknown): unknown => {
  try {
    bullmqQueue(options as never)
    return undefined
  } catch (error) {
    return (error as { code: string }).code
  }
}

const connection = 'redis://localhost:6379'

test.each([
  { connection },
  { connection: 'rediss://user:secret@redis.test:6380/2' },
  { connection: { socket: { path: '/run/redis.sock', tls: false } } },
  { connection: { url: connection, password: 'x', database: 2 } },
  { connection, prefix: '{jobs}', attempts: 1, backOffMs: 1, maxWaiting: 1 },
])('%j is right', (options) => {
  expect(codeOf(options)).toBeUndefined()
})

test.each([
  undefined,
  {},
  { connection: 'localhost' },
  { connection: 6379 },
  { connection: null },
  // Somebody's own client.
  { connection: { sendCommand: () => undefined } },
  { connection, attempts: 0 },
  { connection, backOffMs: 1.5 },
  { connection, maxWaiting: -1 },
  { connection, prefix: 'a:b' },
])('%j is wrong', (options) => {
  expect(codeOf(options)).toBe('CACHEBACK_INVALID_OPTION')
})

test('an unknown option is named, the password of a connection is not', () => {
  expect(codeOf({ connection, queue: 'x' })).toBe('CACHEBACK_UNKNOWN_OPTION')
  expect(() => bullmqQueue({ connection: 'http://user:secret@redis.test' })).toThrow(/^(?!.*secret).*connection/)
})
