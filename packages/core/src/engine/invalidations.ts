import type { RequestKey } from '../policy/key.ts'
import type { ReadSelector } from '../policy/selector.ts'
import type { Memory } from './memory.ts'
import type { Purges } from './purges.ts'
import type { Shelf } from './shelf.ts'
import type { StoredResponse } from './stored-response.ts'

/** What invalidations rule over, and what they need for it. */
export interface Holdings {
  readonly memory: Memory
  readonly shelf: Shelf | undefined
  readonly purges: Purges
  /** Whether other processes hear of what is purged. */
  readonly isShared: boolean
  /** Whether anything of a path has been stored where there are no copies in memory. */
  hasStored(path: string): boolean
  /** Takes it out of memory and store. */
  remove(response: StoredResponse): void
  /** Is waited for before the cache is idle. */
  track(work: Promise<unknown>): void
}

/** Purges of one URL or group at a time, as responses and applications ask for them all day long. */
export class Invalidations {
  readonly #holdings: Holdings
  /** Renders under way, by path. */
  readonly #rendering = new Map<string, number>()

  constructor(holdings: Holdings) {
    this.#holdings = holdings
  }

  /** A render of this path begins; the returned function says that it has ended. */
  beginRender(path: string): () => void {
    this.#rendering.set(path, (this.#rendering.get(path) ?? 0) + 1)
    return () => {
      const left = (this.#rendering.get(path) ?? 1) - 1
      if (left === 0) this.#rendering.delete(path)
      else this.#rendering.set(path, left)
    }
  }

  /**
   * Invalidates one URL of a host after an unsafe request (RFC 9111 §4.4), if anything is stored for it or being
   * rendered: a mark for each of an app's writes would soon be too many. `key`: that of a GET for the same URL.
   */
  invalidateUrl(host: string, target: string, key: RequestKey | undefined): void {
    const { memory, shelf } = this.#holdings
    const [path] = target.split('?', 1) as [string]
    const selector: ReadSelector = { kind: 'url', host: host.toLowerCase(), path: target }
    const isKnown = memory.holdsPath(path) || this.#holdings.hasStored(path) || this.#rendering.has(path)
    if (isKnown) this.#holdings.track(this.#invalidate(selector))
    else if (key !== undefined && shelf !== undefined) {
      this.#holdings.track(this.#invalidateIfStored(shelf, key, selector))
    }
  }

  /** Invalidates a group of an origin (RFC 9875). */
  invalidateGroup(host: string, name: string): void {
    this.#holdings.track(this.#invalidate({ kind: 'tag', name, host: host.toLowerCase() }))
  }

  /** Removes one entry for an application that asks, or makes it stale. Rejects where the store could not be told. */
  async invalidateEntry(path: string, soft: boolean): Promise<void> {
    await this.#invalidate({ kind: 'url', host: undefined, path }, soft)
  }

  /** What of a URL has been invalidated, here or elsewhere, leaves memory at once. */
  removeInvalidated(selector: ReadSelector): void {
    if (selector.kind !== 'url') return
    const { memory, purges, isShared } = this.#holdings
    for (const response of memory.atPath(selector.path.split('?', 1)[0]!)) {
      if (purges.admits(response)) continue
      // Where others hear of it, what lies in the store is purged as well; else it is removed here.
      if (isShared) memory.remove(response)
      else this.#holdings.remove(response)
    }
  }

  async #invalidateIfStored(shelf: Shelf, key: RequestKey, selector: ReadSelector): Promise<void> {
    // What cannot be looked up is invalidated all the same: the mark is told when the store is back.
    if (await shelf.has(key).catch(() => true)) await this.#invalidate(selector)
  }

  /** The mark fences what is being rendered and reaches other processes. */
  async #invalidate(selector: ReadSelector, soft = false): Promise<void> {
    const told = this.#holdings.purges.purge(selector, soft, true)
    this.removeInvalidated(selector)
    await told
  }
}
