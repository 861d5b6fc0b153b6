import { EventEmitter } from 'node:events'

import { expect, test, vi } from 'vitest'
import { type RedisClient, RedisConnection, isRedisClient, missingSettings } from './redis-client.ts'

class FakeClient extends EventEmitter implements RedisClient {
  isOpen = false
  isReady = false
  options: unknown
  connect = vi.fn<() => Promise<unknown>>(async () => {
    this.isOpen = true
  })
  destroy = vi.fn<() => void>(() => {
    this.isOpen = false
    this.isReady = false
  })
  sendCommand = vi.fn<(words: string[]) => Promise<unknown>>(async () => 'PONG')

  becomeReady(): void {
    this.isOpen = true
    this.isReady = true
    this.emit('ready')
  }
}

/** What node-redis makes of a reply that says no. */
class ErrorReply extends Error {}

const good = {
  disableOfflineQueue: true,
  pingInterval: 500,
  socket: { connectTimeout: 1000, socketTimeout: 1500, reconnectStrategy: () => 100 },
}

test('a client is told by its shape', () => {
  expect(isRedisClient(new FakeClient())).toBe(true)
  for (const other of [
    undefined,
    null,
    5,
    {},
    new EventEmitter(),
    Object.assign(new FakeClient(), { isReady: undefined }),
  ]) {
    expect(isRedisClient(other)).toBe(false)
  }
})

test.each<[title: string, options: unknown, missing: string[]]>([
  ['all there', good, []],
  [
    'none',
    undefined,
    [
      'disableOfflineQueue: true',
      'pingInterval',
      'socket.connectTimeout',
      'socket.socketTimeout',
      'socket.reconnectStrategy',
    ],
  ],
  ['an offline queue', { ...good, disableOfflineQueue: false }, ['disableOfflineQueue: true']],
  ['no ping', { ...good, pingInterval: 0 }, ['pingInterval']],
  ['pings too seldom', { ...good, pingInterval: 1500 }, ['socket.socketTimeout above pingInterval']],
  [
    'no reconnecting',
    { ...good, socket: { ...good.socket, reconnectStrategy: undefined } },
    ['socket.reconnectStrategy'],
  ],
  ['a strategy of "never" is a choice', { ...good, socket: { ...good.socket, reconnectStrategy: false } }, []],
])('settings that are missing: %s', (_, options, missing) => {
  const client = new FakeClient()
  client.options = options
  expect(missingSettings(client)).toEqual(missing)
})

test('the first connection is made once and waited for; a lost one is not waited for', async () => {
  const client = new FakeClient()
  const connection = new RedisConnection(client)
  const waiting = [connection.ready(), connection.ready()]
  expect(client.connect).toHaveBeenCalledOnce()
  client.becomeReady()
  for (const one of waiting) await one
  expect(connection.ready()).toBeUndefined()
  client.isReady = false
  expect(() => connection.ready()).toThrow('not connected')
  // It connects again by itself, unless it was told not to.
  expect(client.connect).toHaveBeenCalledOnce()
  client.isOpen = false
  expect(() => connection.ready()).toThrow('not connected')
  expect(client.connect).toHaveBeenCalledTimes(2)
})

test('a connection that cannot be made is no unhandled rejection', async () => {
  const client = new FakeClient()
  client.connect.mockRejectedValue(new Error('refused'))
  void new RedisConnection(client).ready()
  await vi.waitFor(() => expect(client.connect).toHaveBeenCalledOnce())
})

test.each<[title: string, error: unknown, isReady: boolean, resets: number]>([
  ['an error that leaves the connection ready', new Error('Unknown RESP type'), true, 1],
  ['an error of the decoder', new TypeError('x'), true, 1],
  ['a reply that says no', new ErrorReply('NOPERM'), true, 0],
  ['a connection that has ended', new Error('ECONNRESET'), false, 0],
  ['no error at all', 'x', true, 0],
])('the connection is dropped after what cannot be read: %s', (_, error, isReady, resets) => {
  const client = new FakeClient()
  const connection = new RedisConnection(client)
  client.becomeReady()
  client.isReady = isReady
  client.emit('error', error)
  expect([client.destroy.mock.calls.length, client.connect.mock.calls.length]).toEqual([resets, resets])
  // One that is being made is left alone.
  client.isReady = false
  connection.reset()
  expect(client.destroy).toHaveBeenCalledTimes(resets)
})

test('whether a goodbye would come to its end', async () => {
  vi.useFakeTimers()
  const client = new FakeClient()
  const connection = new RedisConnection(client)
  expect(await connection.answers()).toBe(false)
  connection.destroy()
  expect(client.destroy).not.toHaveBeenCalled()
  client.becomeReady()
  expect(await connection.answers()).toBe(true)
  client.sendCommand.mockRejectedValueOnce(new Error('no'))
  expect(await connection.answers()).toBe(false)
  client.sendCommand.mockReturnValue(new Promise(() => undefined))
  const answers = connection.answers()
  await vi.advanceTimersByTimeAsync(300)
  expect(await answers).toBe(false)
  connection.destroy()
  expect(client.destroy).toHaveBeenCalledOnce()
  vi.useRealTimers()
})
