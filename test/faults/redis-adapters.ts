import type { CachebackOptions } from '@cacheback/core'
import { redisStore } from '@cacheback/redis'
import KeyvRedis from '@keyv/redis'
import { createClient } from '@redis/client'
import { Keyv } from 'keyv'
import type { EventEmitter } from 'node:events'

/** A port of this machine, or a socket. */
export type Where = number | string

export interface MoreSettings {
  readonly username?: string
  readonly password?: string
}

/** What a site has behind it, and what a test wants to know of that. */
export interface SiteStore {
  readonly store: NonNullable<CachebackOptions['store']>
  /** Calls of the store: made so far, and not answered yet. */
  readonly calls: { made: number; pending: number }
  /** Its clients. */
  readonly clients: () => readonly EventEmitter[]
}

export type StoreMaker = (where: Where, more?: MoreSettings) => SiteStore

const reconnectStrategy = (tries: number): number => Math.min(50 * 2 ** tries, 500)

const socketOf = (where: Where) =>
  typeof where === 'string' ? { path: where, tls: false as const } : { host: '127.0.0.1', port: where }

/** A Keyv as docs/stores.md asks for it. */
export const careful: StoreMaker = (where, more = {}) => {
  const socket = { ...socketOf(where), connectTimeout: 1000, socketTimeout: 1500, reconnectStrategy }
  const options = { socket, pingInterval: 500, disableOfflineQueue: true, ...more }
  return keyvOf(new KeyvRedis<string>(options, { throwOnErrors: true }))
}

/** What somebody writes who has read nothing. */
export const naive: StoreMaker = (where) => keyvOf(new KeyvRedis<string>(`redis://127.0.0.1:${where}`))

function keyvOf(adapter: KeyvRedis<string>): SiteStore {
  const store = new Keyv({ store: adapter })
  const calls = countCalls(store, ['get', 'set', 'delete'])
  return { store, calls, clients: () => [adapter.client] }
}

/** @cacheback/redis, with settings that nobody has thought about. */
export const shared: StoreMaker = (where, more = {}) => {
  const clients: (ReturnType<typeof createClient> & EventEmitter)[] = []
  const client = createClient({ socket: socketOf(where), ...more })
  noteDuplicates(client as never, clients)
  const store = redisStore({ client })
  const calls = countCalls(store, ['get', 'set', 'delete'])
  const join = store.join.bind(store)
  store.join = (party) => {
    const member = join(party)
    countCalls(member, MEMBER_CALLS, calls)
    return member
  }
  // The one for commands, and the one that listens now.
  return { store, calls, clients: () => [clients[0]!, clients.at(-1)!] }
}

const MEMBER_CALLS = [
  'read',
  'claim',
  'renew',
  'release',
  'put',
  'remove',
  'time',
  'beat',
  'purgesSince',
  'purge',
  'restore',
]

/** A store makes connections of its own by what it is given. */
function noteDuplicates<Client extends { duplicate: (...args: never[]) => Client }>(
  client: Client,
  noted: Client[],
): void {
  const duplicate = client.duplicate.bind(client)
  client.duplicate = (...args) => {
    const made = duplicate(...args)
    noted.push(made)
    noteDuplicates(made, noted)
    return made
  }
}

/** The same faults play over both. */
export const STORES: readonly (readonly [name: string, make: StoreMaker])[] = [
  ['a Keyv', careful],
  ['the shared store', shared],
]

function countCalls(
  store: object,
  names: readonly string[],
  calls: SiteStore['calls'] = { made: 0, pending: 0 },
): SiteStore['calls'] {
  const methods = store as Record<string, (...args: unknown[]) => Promise<unknown>>
  for (const name of names) {
    const call = methods[name]!.bind(store)
    methods[name] = async (...args) => {
      calls.made += 1
      calls.pending += 1
      try {
        return await call(...args)
      } finally {
        calls.pending -= 1
      }
    }
  }
  return calls
}
