import type { RequestHead } from '../policy/fields.ts'
import type { RequestKey } from '../policy/key.ts'
import type { Claim } from './claim.ts'
import type { Library } from './library.ts'
import { Patience } from './patience.ts'
import type { Sharing } from './sharing.ts'
import type { StoredResponse } from './stored-response.ts'

/** What is to be rendered, by one process of all. */
export interface Wanted {
  readonly key: RequestKey
  readonly request: RequestHead
  /** What is known of it and will not do. */
  readonly held: StoredResponse | undefined
  readonly precompress?: boolean | undefined
  /** Whether what another process has rendered will do. */
  readonly isGood: (found: StoredResponse) => boolean
}

/** The place among all processes of a render that somebody waits for. */
export type PlaceOfMiss =
  | { readonly kind: 'claim'; readonly claim: Claim | undefined }
  /** What another process has rendered meanwhile. */
  | { readonly kind: 'stored'; readonly response: StoredResponse }
  /** Nobody waits for it any more. */
  | { readonly kind: 'gone' }

/** That of a render for which nobody waits. */
export type PlaceOfRefresh =
  | { readonly kind: 'claim'; readonly claim: Claim | undefined }
  /** There is something better already. */
  | { readonly kind: 'needless' }
  /** Another process is at it; `over` settles when what it has stored has been read. */
  | { readonly kind: 'busy'; readonly over: Promise<unknown> }

const GONE = { kind: 'gone' } as const
const NEEDLESS = { kind: 'needless' } as const

/**
 * One process of all renders; the others wait for what it stores, `waitMs` at most: then they render whatever it does.
 * Never rejects.
 */
export async function placeOfMiss(
  library: Library,
  sharing: Sharing,
  wanted: Wanted,
  waitMs: number,
  isThere: () => boolean,
): Promise<PlaceOfMiss> {
  const { key, request, held, precompress, isGood } = wanted
  const patience = new Patience(waitMs)
  for (let known = held?.rank ?? 0; ;) {
    const lease = await sharing.lease(key, request, known)
    if (lease.kind === 'granted') return claimed(lease.claim, isThere)
    // A rank that is given after the app has begun says nothing of what the app has read, so it is waited for.
    if (isThere() && patience.isOver) return claimed(await library.order(key, request, held), isThere)
    if (!isThere()) return GONE
    if (lease.kind === 'busy') await patience.until(lease.over)
    const response = await library.read(key, request, precompress)
    if (response !== undefined && response.rank > known && isGood(response)) return { kind: 'stored', response }
    if (lease.kind === 'newer') known = lease.rank
  }
}

function claimed(claim: Claim | undefined, isThere: () => boolean): PlaceOfMiss {
  if (isThere()) return { kind: 'claim', claim }
  claim?.end()
  return GONE
}

/** Another process may have refreshed it already, or be at it. Else its place in the order of all. Never rejects. */
export async function placeOfRefresh(library: Library, wanted: Wanted): Promise<PlaceOfRefresh> {
  const { key, request, held, precompress, isGood } = wanted
  const { sharing } = library
  const read = (): Promise<StoredResponse | undefined> => library.read(key, request, precompress)
  const isMade = async (): Promise<boolean> => {
    const found = await read()
    return found !== undefined && isGood(found)
  }
  if (sharing === undefined) {
    return library.hasStore && (await isMade()) ? NEEDLESS : { kind: 'claim', claim: undefined }
  }
  let lease = await sharing.lease(key, request, held?.rank ?? 0)
  if (lease.kind === 'newer') {
    if (await isMade()) return NEEDLESS
    // What is there is no better: rendered before what this process has made on its own, perhaps.
    lease = await sharing.lease(key, request, lease.rank)
  }
  if (lease.kind === 'granted') return { kind: 'claim', claim: lease.claim }
  return lease.kind === 'busy' ? { kind: 'busy', over: lease.over.then(read) } : NEEDLESS
}

/** What other processes are at: this one waits for what they store. */
export class Elsewhere {
  readonly #waiting = new Map<string, Promise<void>>()

  has(key: string): boolean {
    return this.#waiting.has(key)
  }

  /** `over` never rejects. */
  await(key: string, over: Promise<unknown>): void {
    const waiting = over.then(() => void this.#waiting.delete(key))
    this.#waiting.set(key, waiting)
  }

  get isIdle(): boolean {
    return this.#waiting.size === 0
  }

  async idle(): Promise<void> {
    await Promise.all(this.#waiting.values())
  }
}
