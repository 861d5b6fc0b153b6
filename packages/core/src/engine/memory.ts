import { LRUCache } from 'lru-cache'

import type { SelectingHead } from '../policy/fields.ts'
import type { StoredResponse } from './stored-response.ts'

/** Of one URL; the oldest variant goes first. */
const MAX_VARIANTS = 32

/** The stored responses of one key, the youngest first. */
type Variants = readonly StoredResponse[]

/** As they are kept: most keys have one, which needs no list. */
type Kept = StoredResponse | Variants

/** The in-process copies: least recently used go first, bounded in bytes. */
export class Memory {
  readonly #entries: LRUCache<string, Kept> | undefined
  readonly #maxBytes: number
  /** The keys of each path: an unsafe request invalidates a few of them, and must not look at all. Most paths have one. */
  readonly #paths = new Map<string, string | Set<string>>()
  #count = 0

  /** `maxBytes` 0: nothing is kept. `onEvict` hears of what had to go for want of room. */
  constructor(maxBytes: number, onEvict: (response: StoredResponse) => void) {
    this.#maxBytes = maxBytes
    if (maxBytes === 0) return
    this.#entries = new LRUCache<string, Kept>({
      maxSize: maxBytes,
      dispose: (kept, key, reason) => {
        const variants = listOf(kept)
        this.#count -= variants.length
        this.#forgetPath(key, variants)
        if (reason === 'evict') variants.forEach(onEvict)
      },
    })
  }

  get isOn(): boolean {
    return this.#entries !== undefined
  }

  get bytes(): number {
    return this.#entries?.calculatedSize ?? 0
  }

  get entries(): number {
    return this.#count
  }

  /** What is kept under a full key, the youngest first. */
  variants(key: string): Variants {
    return listOf(this.#entries?.get(key))
  }

  /** What a request selects of them. */
  find(key: string, request: SelectingHead): StoredResponse | undefined {
    const kept = this.#entries?.get(key)
    if (kept === undefined) return undefined
    if (isOne(kept)) return kept.isSelectedBy(request) ? kept : undefined
    return kept.find((response) => response.isSelectedBy(request))
  }

  /** Keeps a response. Returns false where a newer render of the same variant is there already. */
  put(response: StoredResponse): boolean {
    const { key, selecting } = response.parts
    const before = this.#entries?.get(key)
    // Most are the first of their key, and need no name to be told apart by.
    if (before === undefined) {
      if (response.size <= this.#maxBytes) this.#add(key, response, response.size)
      return true
    }
    const variants = listOf(before)
    const { variant } = response
    const clashes = (other: StoredResponse): boolean =>
      other.variant === variant || other.parts.selecting.length === 0 || selecting.length === 0
    if (variants.some((other) => clashes(other) && isYounger(other, response))) return false
    const kept = [response, ...variants.filter((other) => !clashes(other))].toSorted(youngestFirst)
    this.#set(key, kept.slice(0, MAX_VARIANTS))
    return true
  }

  /** Whether it is kept, and its URL's variants would be if it had so many bytes more. */
  hasRoomFor(response: StoredResponse, bytes: number): boolean {
    const variants = listOf(this.#entries?.peek(response.parts.key))
    return variants.includes(response) && sizeOf(variants) + bytes <= this.#maxBytes
  }

  /** It has grown. */
  resize(response: StoredResponse): void {
    const { key } = response.parts
    const variants = this.variants(key)
    if (variants.includes(response)) this.#set(key, variants)
  }

  remove(response: StoredResponse): void {
    const { key } = response.parts
    const variants = this.variants(key)
    if (variants.includes(response))
      this.#set(
        key,
        variants.filter((other) => other !== response),
      )
  }

  removeWhere(matches: (response: StoredResponse) => boolean): void {
    // A copy: putting back what is left would meet it again on the way.
    const keys = [...(this.#entries?.keys() ?? [])]
    for (const key of keys) this.#removeOf(key, matches)
  }

  /** What is kept of a path. */
  atPath(path: string): StoredResponse[] {
    const keys = this.#paths.get(path) ?? []
    return (typeof keys === 'string' ? [keys] : [...keys]).flatMap((key) => listOf(this.#entries?.peek(key)))
  }

  #removeOf(key: string, matches: (response: StoredResponse) => boolean): void {
    const variants = listOf(this.#entries?.peek(key))
    const kept = variants.filter((response) => !matches(response))
    if (kept.length < variants.length) this.#set(key, kept)
  }

  /** Everything kept, without touching its order of use. */
  *all(): Generator<StoredResponse> {
    for (const kept of this.#entries?.values() ?? []) yield* listOf(kept)
  }

  clear(): void {
    this.#entries?.clear()
  }

  holdsPath(path: string): boolean {
    return this.#paths.has(path)
  }

  #forgetPath(key: string, [first]: Variants): void {
    const path = first?.parts.place.path ?? ''
    const keys = this.#paths.get(path)
    if (typeof keys === 'object') keys.delete(key)
    if (keys === key || (typeof keys === 'object' && keys.size === 0)) this.#paths.delete(path)
  }

  #notePath(path: string, key: string): void {
    const keys = this.#paths.get(path)
    if (keys === undefined) this.#paths.set(path, key)
    else if (typeof keys === 'object') keys.add(key)
    else if (keys !== key) this.#paths.set(path, new Set([keys, key]))
  }

  #set(key: string, variants: Variants): void {
    let size = sizeOf(variants)
    const kept = [...variants]
    // One URL with many big variants must not push itself out of the cache as a whole.
    while (size > this.#maxBytes && kept.length > 1) size -= kept.pop()!.size
    this.#entries?.delete(key)
    const [first] = kept
    if (first !== undefined && size <= this.#maxBytes) this.#add(key, kept.length === 1 ? first : kept, size)
  }

  /** What has no place yet gets one. */
  #add(key: string, kept: Kept, size: number): void {
    const isSingle = isOne(kept)
    this.#count += isSingle ? 1 : kept.length
    this.#notePath((isSingle ? kept : kept[0]!).parts.place.path, key)
    this.#entries?.set(key, kept, { size })
  }
}

const NONE: Variants = []

const isOne = (kept: Kept): kept is StoredResponse => !Array.isArray(kept)

function listOf(kept: Kept | undefined): Variants {
  if (kept === undefined) return NONE
  return isOne(kept) ? [kept] : kept
}

/** In the order of all processes, where there is one; else in that of this process. */
function youngestFirst(a: StoredResponse, b: StoredResponse): number {
  return (a.rank > 0 && b.rank > 0 && b.rank - a.rank) || b.order - a.order
}

const isYounger = (a: StoredResponse, b: StoredResponse): boolean => youngestFirst(a, b) < 0

/** Whether what a store has is later than what memory holds. */
export function isLater(stored: StoredResponse, held: StoredResponse): boolean {
  if (stored.rank > 0 && held.rank > 0) return stored.rank > held.rank
  return stored.parts.receivedAt > held.parts.receivedAt
}

const sizeOf = (variants: Variants): number => variants.reduce((sum, response) => sum + response.size, 0)
