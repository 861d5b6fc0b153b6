import { AsyncLocalStorage } from 'node:async_hooks'

import { storeSettingsMessage, warnOnce } from '../errors.ts'
import type { KeyvLike } from '../options.ts'
import { type RedisClient, RedisConnection, isRedisClient, missingSettings } from './redis-client.ts'
import type { Store } from './store.ts'

/** A Keyv is told from a store of the port by what only it has: it emits events. */
export function isKeyv(store: Store | KeyvLike): store is KeyvLike {
  return typeof (store as { on?: unknown }).on === 'function'
}

/** The calls under way. One for all stores: before Node 24 each of these costs every promise of the process a little. */
const calls = new AsyncLocalStorage<{ readonly keyv: KeyvLike; hasFailed: boolean; isOver: boolean }>()

/**
 * Any Keyv as a store. Keyv answers a miss and an outage alike, so an `error` event while a call is under way means
 * that the call has failed; the listeners are attached before first use (without one, Keyv 6 ends the process).
 */
export function keyvStore(keyv: KeyvLike): Store {
  let errors = 0
  let isClosed = false
  // An adapter reports in the context of the call that failed. What comes from elsewhere may concern them all: a socket
  // speaks in the context of whichever call has made it, long after that is over.
  const noteError = (): void => {
    const call = calls.getStore()
    if (call === undefined || call.isOver || call.keyv !== keyv) errors += 1
    else call.hasFailed = true
  }
  const parts = partsOf(keyv)
  for (const emitter of parts.filter(isEmitter)) emitter.on('error', noteError)
  const client = parts.find(isRedisClient)
  const connection = client === undefined ? undefined : new RedisConnection(client)
  if (client !== undefined) warnOfSettings(client)

  /** Rejects where an error event came while the call was under way. */
  async function watched<T>(call: () => Promise<T>): Promise<T> {
    // A client that is asked for something after its end would connect again.
    if (isClosed) throw new Error('the store has been closed')
    const connecting = connection?.ready()
    if (connecting !== undefined) await connecting
    const before = errors
    const state = { keyv, hasFailed: false, isOver: false }
    const result = await calls.run(state, call).finally(() => {
      state.isOver = true
    })
    if (state.hasFailed || errors > before) throw new Error('the store has reported an error')
    return result
  }

  return {
    async get(key) {
      const value = await watched(() => keyv.get(key))
      if (value === undefined || value === null) return undefined
      // What is no bytes is not ours: as good as nothing.
      return value instanceof Uint8Array ? value : new Uint8Array(0)
    },
    async set(key, frame, ttlMs) {
      // A Buffer survives the serialiser of Keyv 5 and 6 (as base64); other byte arrays do not.
      const stored = await watched(() =>
        keyv.set(key, Buffer.from(frame.buffer, frame.byteOffset, frame.length), ttlMs),
      )
      if (stored === false) throw new Error('the store has refused a write')
    },
    async delete(key) {
      await watched(() => keyv.delete(key))
    },
    reset() {
      connection?.reset()
    },
    async close() {
      isClosed = true
      // A client that says goodbye to a hung server waits for ever, and cannot be ended any more.
      if (connection === undefined || (await connection.answers())) await keyv.disconnect?.()
      else connection.destroy()
    },
  }
}

function warnOfSettings(client: RedisClient): void {
  const missing = missingSettings(client)
  if (missing.length > 0) warnOnce('CACHEBACK_STORE_SETTINGS', storeSettingsMessage(missing))
}

interface Emitter {
  on(event: string, listener: (...args: unknown[]) => void): unknown
}

/** Keyv, its adapter, the adapter's client: each emits errors of its own, and one of them unheard may end the process. */
function partsOf(keyv: KeyvLike): unknown[] {
  const adapter = (keyv as { store?: unknown }).store
  const client = typeof adapter === 'object' && adapter !== null ? (adapter as { client?: unknown }).client : undefined
  return [keyv, adapter, client]
}

function isEmitter(value: unknown): value is Emitter {
  return typeof value === 'object' && value !== null && typeof (value as { on?: unknown }).on === 'function'
}
