import { EventEmitter } from 'node:events'

import { Keyv } from 'keyv'
import { describe, expect, test, vi } from 'vitest'
import type { KeyvLike } from '../options.ts'
import { isKeyv, keyvStore } from './keyv-store.ts'

const FRAME = new Uint8Array([0, 1, 127, 128, 255, 58, 34])

test('a Keyv is told from a store of the port', () => {
  const port = { get: async () => undefined, set: async () => {}, delete: async () => {} }
  expect([isKeyv(new Keyv()), isKeyv(port)]).toEqual([true, false])
})

describe('a real Keyv', () => {
  test('gives back the very bytes, and nothing where there is nothing', async () => {
    const store = keyvStore(new Keyv())
    expect(await store.get('a')).toBeUndefined()
    await store.set('a', FRAME, 60_000)
    expect(Uint8Array.from((await store.get('a'))!)).toEqual(FRAME)
    // From the middle of a larger buffer.
    await store.set('b', FRAME.subarray(2, 4), 60_000)
    expect([...(await store.get('b'))!]).toEqual([127, 128])
    await store.delete('a')
    await store.delete('a')
    expect(await store.get('a')).toBeUndefined()
    await store.close?.()
  })

  test('hears the lifetime in milliseconds', async () => {
    const keyv = new Keyv()
    const set = vi.spyOn(keyv, 'set')
    await keyvStore(keyv).set('a', FRAME, 1234)
    expect(set).toHaveBeenCalledWith('a', expect.any(Buffer), 1234)
  })

  test.each(['text', 5, { a: 1 }, [1, 2], true])('with %j in it: what is no bytes is an empty frame', async (value) => {
    const keyv = new Keyv()
    await keyv.set('a', value)
    expect(await keyvStore(keyv).get('a')).toEqual(new Uint8Array(0))
  })

  // Of an adapter that rejects in silence Keyv 5 tells nothing on a get, unless it is to throw.
  test.each<['get' | 'set' | 'delete', 'emits' | 'throws']>([
    ['get', 'emits'],
    ['set', 'emits'],
    ['delete', 'emits'],
    ['get', 'throws'],
    ['set', 'throws'],
    ['delete', 'throws'],
  ])('tells an outage from a miss: a %s that %s', async (name, how) => {
    const broken = Object.assign(new EventEmitter(), { opts: {} })
    const fail = (): Promise<never> => {
      if (how === 'emits') broken.emit('error', new Error('down'))
      return Promise.reject(new Error('down'))
    }
    Object.assign(broken, { get: fail, set: fail, delete: fail, clear: fail })
    const store = keyvStore(new Keyv({ store: broken, throwOnErrors: how === 'throws' }))
    const calls = { get: () => store.get('a'), set: () => store.set('a', FRAME, 1000), delete: () => store.delete('a') }
    await expect(calls[name]()).rejects.toThrow(how === 'emits' ? 'reported' : 'down')
  })
})

/** A Keyv that swallows errors and emits them, as Keyv 5 does. */
class FakeKeyv extends EventEmitter implements KeyvLike {
  fails = false
  answer: unknown
  store?: unknown

  async get(): Promise<unknown> {
    return this.#answer()
  }

  async set(): Promise<unknown> {
    return this.#answer()
  }

  async delete(): Promise<unknown> {
    return this.#answer()
  }

  async #answer(): Promise<unknown> {
    await Promise.resolve()
    if (this.fails) this.emit('error', new Error('down'))
    return this.answer
  }
}

describe('a Keyv that emits its errors', () => {
  test('fails every call that is under way, and none after it', async () => {
    const keyv = new FakeKeyv()
    const store = keyvStore(keyv)
    keyv.fails = true
    await expect(store.get('a')).rejects.toThrow('reported')
    await expect(store.set('a', FRAME, 1)).rejects.toThrow('reported')
    await expect(store.delete('a')).rejects.toThrow('reported')
    keyv.fails = false
    await expect(store.get('a')).resolves.toBeUndefined()
  })

  test('between calls harms nobody', async () => {
    const keyv = new FakeKeyv()
    const store = keyvStore(keyv)
    expect(() => keyv.emit('error', new Error('down'))).not.toThrow()
    await expect(store.get('a')).resolves.toBeUndefined()
  })

  test('is listened to from the start: itself, its adapter, and the adapter’s client', () => {
    const keyv = new FakeKeyv()
    const adapter = Object.assign(new EventEmitter(), { client: new EventEmitter() })
    keyv.store = adapter
    keyvStore(keyv)
    expect([keyv, adapter, adapter.client].map((emitter) => emitter.listenerCount('error'))).toEqual([1, 1, 1])
  })

  test.each([undefined, null, 5, 'x', {}, { client: null }, { client: 5 }])('may have an adapter of %j', (adapter) => {
    const keyv = new FakeKeyv()
    keyv.store = adapter
    expect(() => keyvStore(keyv)).not.toThrow()
  })

  test('that refuses a write has not written', async () => {
    const keyv = new FakeKeyv()
    keyv.answer = false
    await expect(keyvStore(keyv).set('a', FRAME, 1)).rejects.toThrow('refused')
    keyv.answer = true
    await expect(keyvStore(keyv).set('a', FRAME, 1)).resolves.toBeUndefined()
  })

  test.each([undefined, null])('that answers %j has nothing', async (answer) => {
    const keyv = new FakeKeyv()
    keyv.answer = answer
    expect(await keyvStore(keyv).get('a')).toBeUndefined()
  })

  test('is disconnected, where it can be', async () => {
    const keyv = new FakeKeyv()
    await expect(keyvStore(keyv).close?.()).resolves.toBeUndefined()
    const disconnect = vi.fn<() => Promise<void>>(async () => undefined)
    await keyvStore(Object.assign(keyv, { disconnect })).close?.()
    expect(disconnect).toHaveBeenCalledOnce()
  })
})
