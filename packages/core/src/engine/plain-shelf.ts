import type { RequestHead } from '../policy/fields.ts'
import { type RequestKey, storeKey, variantKey } from '../policy/key.ts'
import { selectingOf } from '../policy/vary.ts'
import { type Decode, type FOREIGN, encodeIndex, encodeResponse, isVaryIndex } from '../stores/frame.ts'
import type { GuardedStore } from './guarded-store.ts'
import type { Found, Shelf } from './shelf.ts'
import { ttlMsOf } from './stored-parts.ts'
import type { StoredResponse } from './stored-response.ts'
import type { VaryLists } from './vary-lists.ts'

type Frame = Exclude<ReturnType<Decode>, typeof FOREIGN>

/** Any store that has get, set and delete: an entry or the index of its variants under the URL's key, the variants beside it. */
export class PlainShelf implements Shelf {
  readonly #store: GuardedStore
  readonly #namespace: string
  readonly #decode: Decode
  readonly #varyLists: VaryLists
  /** Reads under way, by key: those who ask at the same moment share one. */
  readonly #reads = new Map<string, Promise<Frame>>()

  constructor(store: GuardedStore, namespace: string, decode: Decode, varyLists: VaryLists) {
    this.#store = store
    this.#namespace = namespace
    this.#decode = decode
    this.#varyLists = varyLists
  }

  async read(key: RequestKey, request: RequestHead): Promise<Found | undefined> {
    const stored = await this.#fetch(key.full, key)
    if (stored === undefined) return undefined
    if (!isVaryIndex(stored)) return { parts: stored, rank: 0 }
    for (const names of stored.names.toReversed()) this.#varyLists.note(key.full, names)
    for (const names of stored.names) {
      const found = await this.#fetch(variantKey(key.full, selectingOf(names, request)), key)
      if (found !== undefined && !isVaryIndex(found)) return { parts: found, rank: 0 }
    }
    return undefined
  }

  async has({ host, path, full }: RequestKey): Promise<boolean> {
    return (await this.#store.get(storeKey(this.#namespace, host, path, full), () => true)) === true
  }

  async holds(response: StoredResponse): Promise<boolean> {
    return (await this.#store.get(response.storeKey(this.#namespace), () => true)) === true
  }

  async write(response: StoredResponse): Promise<boolean> {
    const { selecting, key, place } = response.parts
    const ttlMs = ttlMsOf(response.parts)
    try {
      await this.#store.set(response.storeKey(this.#namespace), encodeResponse(response.whole), ttlMs)
      if (selecting.length > 0) {
        const indexKey = storeKey(this.#namespace, place.host, place.path, key)
        await this.#store.set(indexKey, encodeIndex({ key, names: this.#varyLists.of(key) }), ttlMs)
      }
      return true
    } finally {
      // Who asks from then on must not share the read of one who has asked before.
      for (const full of [key, response.variant]) this.#reads.delete(full)
    }
  }

  remove(response: StoredResponse): Promise<void> {
    return this.#store.delete(response.storeKey(this.#namespace))
  }

  #fetch(full: string, key: RequestKey): Promise<Frame> {
    const underWay = this.#reads.get(full)
    if (underWay !== undefined) return underWay
    const read: Promise<Frame> = this.#store
      .get(storeKey(this.#namespace, key.host, key.path, full), (frame) => this.#decode(frame, key.full))
      .finally(() => {
        if (this.#reads.get(full) === read) this.#reads.delete(full)
      })
    this.#reads.set(full, read)
    return read
  }
}
