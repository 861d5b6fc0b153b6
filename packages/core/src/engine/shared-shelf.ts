import type { RequestHead } from '../policy/fields.ts'
import { shifted } from '../policy/freshness.ts'
import { type RequestKey, storeKey, variantKey, variantStoreKey } from '../policy/key.ts'
import { selectingOf } from '../policy/vary.ts'
import { type FOREIGN, type decodeFrame, encodeIndex, encodeResponse, isVaryIndex } from '../stores/frame.ts'
import type { Address, Membership } from '../stores/shared-store.ts'
import { DeadlineError } from './deadline.ts'
import type { GuardedStore, Decoded } from './guarded-store.ts'
import { recordsOf } from './records.ts'
import type { Found, Shelf } from './shelf.ts'
import { type StoredParts, ttlMsOf } from './stored-parts.ts'
import type { StoredResponse } from './stored-response.ts'
import type { VaryLists } from './vary-lists.ts'

type Frame = Exclude<ReturnType<typeof decodeFrame>, typeof FOREIGN | undefined>
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
  readonly #decode: typeof decodeFrame
  readonly #varyLists: VaryLists
  /** What is to be added to a time of this process to make it one of the store. */
  readonly #offsetMs: () => number | Promise<number>
  /** What has been seen under an address, good for anything or not: what is no newer than that need not be looked at again. */
  readonly #ranks = recordsOf<{ readonly rank: number }>()
  readonly #reads = new Map<string, Promise<Found | undefined>>()
  /** Digests cost more than looking them up. */
  readonly #addresses = recordsOf<Address>()

  constructor(
    store: GuardedStore,
    member: Membership,
    namespace: string,
    decode: typeof decodeFrame,
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
  addressOf(key: RequestKey, request: RequestHead): Address {
    return this.#addressBy(key, request, this.#varyLists.of(key.full)[0])
  }

  rankOf({ entry }: Address): number {
    return this.#ranks.get(entry)?.rank ?? 0
  }

  /** Those who ask for the same at the same moment share one read. */
  read(key: RequestKey, request: RequestHead): Promise<Found | undefined> {
    const [known] = this.#varyLists.of(key.full)
    const address = this.#addressBy(key, request, known)
    const { entry } = address
    const underWay = this.#reads.get(entry)
    if (underWay !== undefined) return underWay
    const read = this.#read(key, request, address, known)
    this.#reads.set(entry, read)
    const forget = (): void => {
      if (this.#reads.get(entry) === read) this.#reads.delete(entry)
    }
    read.then(forget, forget)
    return read
  }

  async has({ host, path, full }: RequestKey): Promise<boolean> {
    const { url } = this.#address(host, path, full, full)
    const [found] = await this.#store.readAll(
      [url],
      () => this.#member.read(url, []),
      () => true,
    )
    return found !== undefined
  }

  async holds(response: StoredResponse): Promise<boolean> {
    const { url, entry } = this.#addressOf(response)
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
    const address = this.#addressOf(response)
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
    const address = this.#addressOf(response)
    return this.#store.remove(address.entry, () => this.#member.remove(address, response.rank))
  }

  /** `known`: the list of selecting headers by which the address was made. */
  async #read(
    key: RequestKey,
    request: RequestHead,
    { url, entry }: Address,
    known: readonly string[] | undefined,
  ): Promise<Found | undefined> {
    const asked = entry === url ? [] : [entry]
    const [atUrl, ...others] = await this.#fetch(key, url, asked)
    if (atUrl === undefined) return undefined
    if (!isVaryIndex(atUrl.stored)) {
      this.#varyLists.note(key.full, [])
      return this.#found(atUrl.stored, atUrl.rank)
    }
    const lists = atUrl.stored.names
    for (const names of lists.toReversed()) this.#varyLists.note(key.full, names)
    // What has been asked for already, then the rest of the lists at once.
    const first = others[0]
    if (first !== undefined && !isVaryIndex(first.stored) && lists[0]?.join() === known?.join()) {
      return this.#found(first.stored, first.rank)
    }
    const rest = lists.map((names) => this.#addressBy(key, request, names).entry).filter((one) => one !== entry)
    const more = rest.length === 0 ? [] : (await this.#fetch(key, url, rest)).slice(1)
    for (const found of [...more, first]) {
      if (found !== undefined && !isVaryIndex(found.stored)) return this.#found(found.stored, found.rank)
    }
    return undefined
  }

  async #fetch(key: RequestKey, url: string, entries: readonly string[]): Promise<readonly (Ranked | undefined)[]> {
    const addresses = [url, ...entries]
    const all = await this.#store.readAll(
      addresses,
      () => this.#member.read(url, entries),
      ({ frame, rank }): Decoded<Ranked> => {
        const stored = this.#decode(frame, key.full)
        if (stored === undefined || typeof stored === 'symbol') return stored
        return { stored, rank }
      },
    )
    for (const [i, found] of all.entries()) {
      const address = addresses[i]!
      const isNews = found !== undefined && this.#ranks.get(address)?.rank !== found.rank
      if (isNews) this.#ranks.set(address, { rank: found.rank })
    }
    return all
  }

  #found(stored: StoredParts, rank: number): Found | Promise<Found> {
    const offset = this.#offsetMs()
    const at = (offsetMs: number): Found => ({ parts: onClock(stored, -offsetMs), rank })
    return typeof offset === 'number' ? at(offset) : offset.then(at)
  }

  #addressBy(key: RequestKey, request: RequestHead, names: readonly string[] | undefined): Address {
    const variant = names === undefined ? key.full : variantKey(key.full, selectingOf(names, request))
    return this.#address(key.host, key.path, key.full, variant)
  }

  #addressOf(response: StoredResponse): Address {
    const { key, place } = response.parts
    return this.#address(place.host, place.path, key, response.variant)
  }

  #address(host: string, path: string, full: string, variant: string): Address {
    const known = this.#addresses.get(variant)
    if (known !== undefined) return known
    const url =
      variant === full ? storeKey(this.#namespace, host, path, full) : this.#address(host, path, full, full).url
    const address = { url, entry: variant === full ? url : variantStoreKey(url, variant) }
    this.#addresses.set(variant, address)
    return address
  }
}

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
