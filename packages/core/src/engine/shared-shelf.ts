import type { RequestHead } from '../policy/fields.ts'
import { shifted } from '../policy/freshness.ts'
import { type RequestKey, storeKey, variantKey, variantStoreKey } from '../policy/key.ts'
import { selectingOf } from '../policy/vary.ts'
import { type Decode, type FOREIGN, encodeIndex, encodeResponse, isVaryIndex } from '../stores/frame.ts'
import type { Address, Membership } from '../stores/shared-store.ts'
import { DeadlineError } from './deadline.ts'
import type { GuardedStore, Decoded } from './guarded-store.ts'
import { recordsOf } from './records.ts'
import { isSameList } from './same-list.ts'
import type { Found, Shelf } from './shelf.ts'
import { type StoredParts, ttlMsOf } from './stored-parts.ts'
import type { StoredResponse } from './stored-response.ts'
import type { VaryLists } from './vary-lists.ts'

type Frame = Exclude<ReturnType<Decode>, typeof FOREIGN | undefined>
interface Ranked {
  readonly stored: Frame
  readonly rank: number
}

/**
 * A store that several processes share: one round trip for a URL and the variant that a request most likely wants, times
 * on the clock of the store, and every write in the order of the renders.
 */
export class SharedShelf implements Shelf {
  readonly #store: GuardedStore
  readonly #member: Membership
  readonly #namespace: string
  readonly #decode: Decode
  readonly #varyLists: VaryLists
  /** What is to be added to a time of this process to make it one of the store. */
  readonly #offsetMs: () => number | Promise<number>
  /** Reads under way, by address: those who ask at the same moment share one. */
  readonly #reads = new Map<string, Reading>()
  readonly #slots = recordsOf<Slot>()

  constructor(
    store: GuardedStore,
    member: Membership,
    namespace: string,
    decode: Decode,
    varyLists: VaryLists,
    offsetMs: () => number | Promise<number>,
  ) {
    this.#store = store
    this.#member = member
    this.#namespace = namespace
    this.#decode = decode
    this.#varyLists = varyLists
    this.#offsetMs = offsetMs
  }

  /** Where the render of a request will lie, as far as its selecting headers are known. */
  slotFor(key: RequestKey, request: RequestHead): Slot {
    return this.#slotBy(key, request, this.#varyLists.of(key.full)[0])
  }

  read(key: RequestKey, request: RequestHead): Promise<Found | undefined> {
    const [known] = this.#varyLists.of(key.full)
    const slot = this.#slotBy(key, request, known)
    const underWay = this.#reads.get(slot.entry)
    if (underWay?.found !== undefined) return underWay.found
    const reading: Reading = { found: undefined }
    this.#reads.set(slot.entry, reading)
    reading.found = this.#read(key, request, slot, known, reading)
    return reading.found
  }

  async has({ host, path, full }: RequestKey): Promise<boolean> {
    const { url } = this.#slot(host, path, full, full)
    const [found] = await this.#store.readAll(
      [url],
      () => this.#member.read(url, []),
      () => true,
    )
    return found !== undefined
  }

  async holds(response: StoredResponse): Promise<boolean> {
    const { url, entry } = this.#slotOfStored(response)
    const entries = entry === url ? [] : [entry]
    const found = await this.#store.readAll(
      [url, ...entries],
      () => this.#member.read(url, entries),
      () => true,
    )
    return found.at(-1) !== undefined
  }

  async write(response: StoredResponse): Promise<boolean> {
    const { claim, parts } = response
    await claim?.ready
    const offsetMs = await this.#offsetMs()
    const address = this.#slotOfStored(response)
    const index = parts.selecting.length === 0 ? undefined : { key: parts.key, names: this.#varyLists.of(parts.key) }
    const rank = claim?.rank ?? 0
    response.rank = rank
    // Where parameters turned out not to matter, it lies under another URL than was claimed.
    const isElsewhere = claim !== undefined && claim.address.url !== address.url
    if (isElsewhere) claim.end()
    const entry = {
      rank,
      frame: encodeResponse(onClock(response.whole, offsetMs)),
      index: index === undefined ? undefined : encodeIndex(index),
      ttlMs: Math.ceil(ttlMsOf(parts)),
    }
    // Not before it can be written: until then the claim ends by itself.
    const token = claim?.handOver() ?? ''
    const put = { ...entry, token: isElsewhere ? '' : token }
    try {
      return await this.#store.ask('put', 'set', () =>
        this.#member.put(address, isElsewhere || claim === undefined ? address : claim.address, put),
      )
    } catch (error) {
      // The lease would have ended with the write: nobody should have to wait until it runs out. One that may land yet ends it.
      if (claim !== undefined && token !== '' && !(error instanceof DeadlineError)) this.#release(claim.address, token)
      throw error
    } finally {
      this.#reads.delete(address.entry)
      this.#reads.delete(address.url)
    }
  }

  #release(address: Address, token: string): void {
    this.#store.ask('release', 'set', () => this.#member.release(address, token)).catch(() => undefined)
  }

  remove(response: StoredResponse): Promise<void> {
    const address = this.#slotOfStored(response)
    return this.#store.remove(address.entry, () => this.#member.remove(address, response.rank))
  }

  /** `known`: the list of selecting headers by which the address was made. */
  async #read(
    key: RequestKey,
    request: RequestHead,
    slot: Slot,
    known: readonly string[] | undefined,
    reading: Reading,
  ): Promise<Found | undefined> {
    try {
      const clock = this.#askClock()
      const slotAtUrl = this.#slot(key.host, key.path, key.full, key.full)
      const [atUrl, first] = await this.#fetch(key, slotAtUrl, slot.entry === slotAtUrl.entry ? [] : [slot])
      if (atUrl === undefined) return undefined
      const offsetMs = typeof clock === 'number' ? clock : await clock
      if (!isVaryIndex(atUrl.stored)) {
        this.#varyLists.note(key.full, [])
        return foundBy(offsetMs, atUrl.stored, atUrl.rank)
      }
      const lists = atUrl.stored.names
      for (const names of lists.toReversed()) this.#varyLists.note(key.full, names)
      // What has been asked for already, then the rest of the lists at once.
      if (first !== undefined && !isVaryIndex(first.stored) && isSameList(lists[0], known)) {
        return foundBy(offsetMs, first.stored, first.rank)
      }
      const rest = lists.map((names) => this.#slotBy(key, request, names)).filter(({ entry }) => entry !== slot.entry)
      const more = rest.length === 0 ? [] : (await this.#fetch(key, slotAtUrl, rest)).slice(1)
      for (const found of [...more, first]) {
        if (found !== undefined && !isVaryIndex(found.stored)) return foundBy(offsetMs, found.stored, found.rank)
      }
      return undefined
    } finally {
      // Since a write it may be another one that is shared.
      if (this.#reads.get(slot.entry) === reading) this.#reads.delete(slot.entry)
    }
  }

  #fetch(key: RequestKey, slotAtUrl: Slot, others: readonly Slot[]): Promise<readonly (Ranked | undefined)[]> {
    const entries = others.map(({ entry }) => entry)
    return this.#store.readAll(
      [slotAtUrl.entry, ...entries],
      () => this.#member.read(slotAtUrl.entry, entries),
      ({ frame, rank }, index): Decoded<Ranked> => {
        const stored = this.#decode(frame, key.full)
        if (stored === undefined || typeof stored === 'symbol') return stored
        const slot = index === 0 ? slotAtUrl : others[index - 1]!
        slot.rank = rank
        return { stored, rank }
      },
    )
  }

  /** Mostly known. Where it is not, it is asked while the rows are fetched; nobody may be there any more who hears it fail. */
  #askClock(): number | Promise<number> {
    const offset = this.#offsetMs()
    if (typeof offset !== 'number') offset.catch(() => undefined)
    return offset
  }

  #slotBy(key: RequestKey, request: RequestHead, names: readonly string[] | undefined): Slot {
    const variant = names === undefined ? key.full : variantKey(key.full, selectingOf(names, request))
    return this.#slot(key.host, key.path, key.full, variant)
  }

  #slotOfStored(response: StoredResponse): Slot {
    const { key, place } = response.parts
    return this.#slot(place.host, place.path, key, response.variant)
  }

  #slot(host: string, path: string, full: string, variant: string): Slot {
    const known = this.#slots.get(variant)
    if (known !== undefined) return known
    const url = variant === full ? storeKey(this.#namespace, host, path, full) : this.#slot(host, path, full, full).url
    const slot: Slot = { url, entry: variant === full ? url : variantStoreKey(url, variant), rank: 0 }
    this.#slots.set(variant, slot)
    return slot
  }
}

/** An address, made once: its digests cost more than looking it up. */
interface Slot extends Address {
  /** Of what has been seen here last, good for anything or not: what is no newer need not be looked at again. */
  rank: number
}

interface Reading {
  found: Promise<Found | undefined> | undefined
}

const foundBy = (offsetMs: number, stored: StoredParts, rank: number): Found => ({
  parts: onClock(stored, -offsetMs),
  rank,
})

/** The clocks of processes differ by what they like: what is stored has its times by the clock of the store. */
function onClock(parts: StoredParts, byMs: number): StoredParts {
  const { freshness, receivedAt, keepUntil } = parts
  return {
    ...parts,
    freshness: shifted(freshness, byMs),
    receivedAt: receivedAt + byMs,
    keepUntil: keepUntil + byMs,
  }
}
