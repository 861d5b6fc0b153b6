import { storeUnreachableMessage, warnOnce } from '../errors.ts'
import type { Settings } from '../settings.ts'
import type { RequestHead } from '../policy/fields.ts'
import { type RequestKey, WIRE_VERSION, storeKey, variantKey, withQuery } from '../policy/key.ts'
import { type SearchRule, canonicalQuery } from '../policy/no-vary-search.ts'
import type { PurgeReport } from '../types.ts'
import { type ReadSelector, selects } from '../policy/selector.ts'
import { namesOf, selectingOf } from '../policy/vary.ts'
import { type Decode, decodeFrame, isVaryIndex } from '../stores/frame.ts'
import { KnownHeads } from '../stores/known-heads.ts'
import { isKeyv, keyvStore } from '../stores/keyv-store.ts'
import { isSharedStore } from '../stores/shared-store.ts'
import type { Claim } from './claim.ts'
import { Encoder } from './encoder.ts'
import type { Written } from './flights.ts'
import { GuardedStore } from './guarded-store.ts'
import { Invalidations } from './invalidations.ts'
import type { Journal } from './journal.ts'
import { Memory, isLater } from './memory.ts'
import { Order } from './order.ts'
import { PlainShelf } from './plain-shelf.ts'
import { PurgeLedger } from './purge-ledger.ts'
import type { Purges } from './purges.ts'
import { recordsOf } from './records.ts'
import { Sharing } from './sharing.ts'
import type { Found, Shelf } from './shelf.ts'
import { StoredResponse } from './stored-response.ts'
import { VaryLists } from './vary-lists.ts'

/** The index of a key's variants, then one of them for each list of selecting headers; and one more for luck. */
const MAX_READS_PER_LOOK = 6

/** All stored responses: the copies in memory, the store behind them, and the purges that rule over both. */
export class Library {
  readonly memory: Memory
  readonly namespace: string
  readonly invalidations: Invalidations
  readonly #journal: Journal
  readonly #store: GuardedStore | undefined
  readonly #shelf: Shelf | undefined
  readonly #ledger: Purges
  /** What this process has to do with the others behind the same store, where that can be shared. */
  readonly sharing: Sharing | undefined
  readonly #varyLists = new VaryLists()
  /** Without copies in memory, what has come later. */
  readonly #order = new Order()
  readonly #searchRules = recordsOf<SearchRule>()
  /** When it was rendered what visitors have got here and the shared store has not: nothing older is taken from there. */
  readonly #ownAlone = recordsOf<{ readonly receivedAt: number }>()
  readonly #writes = new Set<Promise<unknown>>()
  readonly #encoder = new Encoder()
  /** Where nothing is kept in memory. */
  readonly #knownHeads: KnownHeads | undefined
  readonly #readTimeoutMs: number
  readonly #maxEntryBytes: number
  #moment = 0

  constructor(settings: Settings, journal: Journal) {
    this.#journal = journal
    this.namespace = `${settings.name}:${settings.version}:`
    this.memory = new Memory(settings.memoryMaxBytes, (response) => {
      journal.note('evict', () => this.describe(response))
    })
    this.#knownHeads = this.memory.isOn ? undefined : new KnownHeads()
    this.#readTimeoutMs = settings.storeTimeoutMs.get
    this.#maxEntryBytes = settings.maxEntryBytes
    const { store } = settings
    this.#store = this.#guard(settings)
    const decode: Decode = (frame, full) => this.#decode(frame, full)
    if (this.#store !== undefined && store !== undefined && isSharedStore(store)) {
      this.sharing = new Sharing(this.#store, store, {
        settings,
        namespace: this.namespace,
        decode,
        varyLists: this.#varyLists,
        nextOrder: () => this.nextOrder(),
        onLearnt: (selector) => this.invalidations.removeInvalidated(selector),
        onLost: () => this.memory.clear(),
      })
      this.#shelf = this.sharing.shelf
      this.#ledger = this.sharing.purges
    } else {
      this.#shelf = this.#store && new PlainShelf(this.#store, this.namespace, decode, this.#varyLists)
      const record = `${this.namespace}purges${WIRE_VERSION === 1 ? '' : WIRE_VERSION}`
      this.#ledger = new PurgeLedger(this.#store, record, settings, (selector) =>
        this.invalidations.removeInvalidated(selector),
      )
    }
    this.invalidations = new Invalidations({
      memory: this.memory,
      shelf: this.#shelf,
      purges: this.#ledger,
      isShared: this.sharing !== undefined,
      hasStored: (path) => this.#order.hasPath(path),
      remove: (response) => this.remove(response),
      track: (work) => void this.#track(work),
    })
  }

  /** Numbers the renders of this process, so that an older one never replaces a newer. */
  nextOrder(): number {
    this.#moment += 1
    return this.#moment
  }

  get hasStore(): boolean {
    return this.#store !== undefined
  }

  /** The newest purge known: what begins to be rendered now is younger than that. */
  get epoch(): number {
    return this.#ledger.latest
  }

  get breakerState(): 'none' | 'closed' | 'open' | 'half-open' {
    return this.#store?.breakerState ?? 'none'
  }

  /** Set while purges of other processes may be unknown here: what memory holds must wait for this. */
  get catchingUp(): Promise<void> | undefined {
    return this.#ledger.catchUp()
  }

  /** Whether all that memory holds may be served as it is. */
  get isCurrent(): boolean {
    return this.#ledger.catchUp() === undefined && this.#ledger.isCurrent
  }

  /** Whether purges of other processes that may be unknown here are too recent to matter for this response. */
  vouchesFor(response: StoredResponse): boolean {
    return this.#ledger.vouchesFor(response)
  }

  /** What memory holds for a request, if no purge has taken it. Synchronous: this is the road of a hit. */
  inMemory(key: string, request: RequestHead): StoredResponse | undefined {
    const response = this.memory.find(key, request)
    if (response === undefined || this.#ledger.admits(response)) return response
    this.memory.remove(response)
    return undefined
  }

  /** The key under which a response is stored whose URL is known to have parameters that do not matter. */
  equivalent(key: RequestKey): RequestKey {
    const rule = this.#searchRules.size === 0 ? undefined : this.#searchRules.get(withQuery(key, '').full)
    return rule === undefined ? key : withQuery(key, canonicalQuery(rule, key.query))
  }

  /** Remembers what a response has said of the parameters of its URL. */
  noteSearchRule(key: RequestKey, rule: SearchRule): void {
    this.#searchRules.set(withQuery(key, '').full, rule)
  }

  /** Resolves when a purge that another process knows is known here as well, if the store has it. */
  async catchUpTo(epoch: number): Promise<void> {
    if (epoch > this.#ledger.latest) this.#ledger.catchUpAnew()
    await this.catchingUp
  }

  /** Whether the store has not lost, or been rid of, what has been in it. Rejects where it cannot be asked. */
  async isStored(response: StoredResponse): Promise<boolean> {
    if (this.#shelf === undefined || !response.isInStore) return true
    return this.#shelf.holds(response)
  }

  /** What a look into memory had found and could not use, if it is still there after another one. */
  still(held: StoredResponse | undefined): StoredResponse | undefined {
    return held !== undefined && this.admits(held) ? held : undefined
  }

  /** Whether no purge has taken this response. */
  admits(response: StoredResponse): boolean {
    return !response.isRemoved && this.#ledger.admits(response)
  }

  /** What memory holds of a selection. */
  selected(selector: ReadSelector): StoredResponse[] {
    return [...this.memory.all()].filter(
      (response) => selects(selector, response.parts.place) && this.#ledger.admits(response),
    )
  }

  /** Whether anything is kept of a key: a request that it does not fit is a miss of the variant. */
  hasVariants(key: string): boolean {
    return this.memory.variants(key).length > 0
  }

  /** The selecting headers that the responses of a key have named last. */
  newestVary(key: string): readonly string[] {
    return this.#varyLists.of(key)[0] ?? []
  }

  /** The key under which the renders of a request collapse: with the selecting headers of its URL, where they are known. */
  flightKey(key: string, request: RequestHead, newest: readonly string[] = this.newestVary(key)): string {
    return newest.length === 0 ? key : variantKey(key, selectingOf(newest, request))
  }

  /** Reads the store. Resolves with undefined for all that is not there, broken, purged or out of reach. */
  async read(key: RequestKey, request: RequestHead, precompress = false): Promise<StoredResponse | undefined> {
    const order = this.nextOrder()
    let found: Found | undefined
    try {
      found = await this.#shelf?.read(key, request)
    } catch {
      // Counted where it fails; for a visitor a store that is out of reach is an empty one.
    }
    if (found === undefined) return undefined
    const response = new StoredResponse(found.parts, order, precompress)
    response.rank = found.rank
    return this.#adopt(response, request)
  }

  /**
   * Keeps a response in memory and writes it to the store. Returns why not, where a purge or a newer render came
   * before; the write goes on by itself and is in `written`.
   */
  keep(response: StoredResponse): { readonly refused: string } | { readonly written: Promise<void> } {
    if (this.sharing !== undefined) {
      const { key, receivedAt } = response.parts
      this.#ownAlone.set(key, { receivedAt })
      this.sharing.vouch(response)
    }
    if (!this.#ledger.admits(response)) return { refused: 'purged' }
    const isNewest = this.memory.isOn ? this.memory.put(response) : this.#order.note(response)
    if (!isNewest) return { refused: 'superseded' }
    this.#varyLists.note(response.parts.key, namesOf(response.parts.selecting))
    this.#journal.note('store', () => this.describe(response))
    if (this.#shelf !== undefined) response.written = this.#track(this.#write(this.#shelf, response))
    this.#encode(response)
    return { written: response.written }
  }

  /** The place of a render for which nobody waits, in the order of all processes, if they share a store. */
  async order(key: RequestKey, request: RequestHead, held?: StoredResponse): Promise<Claim | undefined> {
    const claim = this.sharing?.order(key, request, held?.rank ?? 0)
    await claim?.ready
    return claim
  }

  /** What a flight must wait for: nothing with copies in memory, where everybody finds a response at once. */
  visible(done: Promise<void>): Written | undefined {
    return this.memory.isOn ? undefined : { done, lookMs: this.#readTimeoutMs * MAX_READS_PER_LOOK }
  }

  remove(response: StoredResponse): void {
    response.isRemoved = true
    this.memory.remove(response)
    const shelf = this.#shelf
    // A store may take longer to write than to delete.
    if (shelf !== undefined) void this.#track(response.written.then(() => shelf.remove(response)))
  }

  /** Purges here at once, then in the store. Rejects where the store could not be told. */
  async purge(selector: ReadSelector, soft: boolean): Promise<PurgeReport> {
    const told = this.#ledger.purge(selector, soft)
    this.memory.removeWhere((response) => selects(selector, response.parts.place) && !this.#ledger.admits(response))
    return told
  }

  describe(response: StoredResponse): { key: string; route: string | undefined } {
    return { key: response.storeKey(this.namespace), route: response.parts.place.route }
  }

  describeKey(key: RequestKey): string {
    return storeKey(this.namespace, key.host, key.path, key.full)
  }

  /** Resolves when no write is under way. */
  async idle(): Promise<void> {
    while (!this.isIdle) await Promise.all([...this.#writes, this.#encoder.idle()])
  }

  get isIdle(): boolean {
    return this.#writes.size === 0 && this.#encoder.isIdle
  }

  async close(): Promise<void> {
    this.#encoder.close()
    this.memory.clear()
    this.#knownHeads?.clear()
    await this.sharing?.close()
    await this.#store?.close()
  }

  /** What is larger than anything that is stored here is a forgery, or another cache's with other bounds. */
  #decode(frame: Uint8Array, full: string): ReturnType<Decode> {
    const decoded = decodeFrame(frame, full, this.#knownHeads)
    const isResponse = typeof decoded === 'object' && !isVaryIndex(decoded)
    return isResponse && decoded.body.length > this.#maxEntryBytes ? undefined : decoded
  }

  /** Takes a response of the store into memory, unless what memory holds has come later. */
  #adopt(response: StoredResponse, request: RequestHead): StoredResponse | undefined {
    if (!response.isSelectedBy(request) || !this.#ledger.admits(response)) return undefined
    const own = this.#ownAlone.size === 0 ? undefined : this.#ownAlone.get(response.parts.key)
    if (own !== undefined && own.receivedAt > response.parts.receivedAt)
      return this.inMemory(response.parts.key, request)
    const held = this.inMemory(response.parts.key, request)
    if (held !== undefined && !isLater(response, held)) return held
    response.isInStore = true
    this.memory.put(response)
    this.#encode(response)
    return response
  }

  /** Makes the content codings that a route wants of what memory holds. */
  #encode(response: StoredResponse): void {
    if (!response.isEncodable || !this.memory.isOn) return
    const fits = (bytes: number): boolean => this.memory.hasRoomFor(response, bytes) && this.admits(response)
    this.#encoder.add(response, fits, () => this.memory.resize(response))
  }

  async #write(shelf: Shelf, response: StoredResponse): Promise<void> {
    const { key } = response.parts
    const own = this.#ownAlone.peek(key)
    const isStored = await shelf.write(response).finally(() => {
      // Where it never got as far as the store, the lease is still ours.
      response.claim?.end()
      response.claim = undefined
    })
    response.isInStore = isStored
    // Where the rank is unknown, nobody knows which of the two is later.
    if (!isStored && response.rank === 0) return
    if (this.#ownAlone.peek(key) === own) this.#ownAlone.delete(key)
    // Another process has rendered it, later than we have begun to.
    if (!isStored) this.memory.remove(response)
  }

  #track(write: Promise<unknown>): Promise<void> {
    const settled = write.then(
      () => undefined,
      () => undefined,
    )
    this.#writes.add(settled)
    void settled.then(() => this.#writes.delete(settled))
    return settled
  }

  #guard({ store, storeTimeoutMs, monotonicNow, name }: Settings): GuardedStore | undefined {
    if (store === undefined) return undefined
    return new GuardedStore(isKeyv(store) ? keyvStore(store) : store, {
      timeoutMs: storeTimeoutMs,
      monotonicNow,
      probeKey: `${this.namespace}probe`,
      onError: (reason, durationMs) => {
        this.#journal.note('store-error', () => ({ key: '', route: undefined, reason, durationMs }))
      },
      onBreaker: (state) => {
        this.#journal.note('breaker', () => ({ key: '', route: undefined, reason: state }))
        if (state === 'open') {
          warnOnce('CACHEBACK_STORE_UNREACHABLE', storeUnreachableMessage(name, 'three calls failed'))
        } else {
          this.#ledger.catchUpAnew()
        }
      },
    })
  }
}
