import type { Party, SharedStore } from '@cacheback/core'
import { invalidOption } from '@cacheback/core/store'

import { Keys } from './keys.ts'
import { type Link, linkLike, linkTo } from './link.ts'
import { Member } from './member.ts'

/** Where the Redis is. One of `url` and `client`. */
export interface RedisStoreOptions {
  /** `redis[s]://[[user][:password]@]host[:port][/database]`, or of a Valkey. */
  readonly url?: string | undefined
  /**
   * A client, cluster or sentinel of node-redis (5 or 6), or an adapter of @keyv/redis. Its settings are used for
   * connections of our own, made safe against outages; a sentinel is used as it is.
   */
  readonly client?: object | undefined
  /** Begins every key and channel. Default: 'cb:'. */
  readonly prefix?: string | undefined
}

export interface RedisStore extends SharedStore {
  /** Settles with the first connection. A cache need not wait for it: until then it goes without the store. */
  ready(): Promise<void>
}

/**
 * A store in Redis (6.2 or later) or Valkey that makes many processes behave as one cache: `createCacheback({ store:
 * redisStore({ url }) })`. See docs/scaling.md. Throws CACHEBACK_INVALID_OPTION.
 */
export function redisStore(options: RedisStoreOptions): RedisStore {
  const { prefix = 'cb:' } = options
  if (typeof prefix !== 'string' || /[{}~\s]/.test(prefix))
    throw invalidOption('prefix', 'a string without braces, tildes and spaces', prefix)
  const link = linkOf(options)
  return new Store(link, new Keys(prefix, link.database))
}

function linkOf({ url, client }: RedisStoreOptions): Link {
  if (url !== undefined && client !== undefined) throw invalidOption('client', 'unset where url is set', client)
  if (url !== undefined) {
    if (typeof url !== 'string' || !/^rediss?:\/\//.test(url))
      throw invalidOption('url', 'a redis: or rediss: URL', url)
    return linkTo(url)
  }
  const link = linkLike(client)
  if (link === undefined) throw invalidOption('client', 'a client, cluster or sentinel of node-redis', client)
  return link
}

class Store implements RedisStore {
  readonly #link: Link
  readonly #keys: Keys
  #caches = 0

  constructor(link: Link, keys: Keys) {
    this.#link = link
    this.#keys = keys
  }

  join(party: Party): Member {
    this.#caches += 1
    return new Member(this.#link, this.#keys, party)
  }

  ready(): Promise<void> {
    return this.#link.ready()
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const place = this.#keys.entry(key)
    const found = await this.#link.run(place, ['GET', place])
    return Buffer.isBuffer(found) ? found : undefined
  }

  async set(key: string, frame: Uint8Array, ttlMs: number): Promise<void> {
    const place = this.#keys.entry(key)
    const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
    await this.#link.run(place, ['SET', place, bytes, 'PX', String(ttlMs)])
  }

  async delete(key: string): Promise<void> {
    const place = this.#keys.entry(key)
    await this.#link.run(place, ['DEL', place])
  }

  reset(): void {
    this.#link.reset()
  }

  /** Called by each cache; the last one closes the connections. */
  async close(): Promise<void> {
    this.#caches -= 1
    if (this.#caches <= 0) await this.#link.close()
  }
}
