import { recordsOf } from './records.ts'

/** Deletions that are under way at once, when a store is back. */
const DELETIONS_AT_ONCE = 50

/**
 * The keys of which nobody knows what the store has under them: a write or a deletion was refused, has failed, or has
 * not come back in time and may land yet. What lies there may be older than what was served since, or was removed for
 * good reason, so nothing is read from under them before they have been deleted. Bounded: of ten thousand, the oldest
 * are left to their expiry.
 */
export class Doubts {
  readonly #keys = recordsOf<object>()
  #settling = false

  has(key: string): boolean {
    return this.#keys.size > 0 && this.#keys.has(key)
  }

  /** Returns this very doubt: a deletion that is under way now does not end it. */
  add(key: string): object {
    const doubt = {}
    this.#keys.set(key, doubt)
    return doubt
  }

  /** The key is known to be empty. Returns false where another doubt has come up since this one. */
  end(key: string, doubt: object): boolean {
    return this.#keys.peek(key) === doubt && this.#keys.delete(key)
  }

  /** Deletes what is in doubt. Stops at the first deletion that fails, until it is called again; never rejects. */
  async settle(remove: (key: string) => Promise<unknown>): Promise<boolean> {
    if (this.#settling || this.#keys.size === 0) return true
    this.#settling = true
    try {
      while (this.#keys.size > 0) {
        const some = [...this.#keys.entries()].slice(0, DELETIONS_AT_ONCE)
        await Promise.all(
          some.map(async ([key, doubt]) => {
            await remove(key)
            this.end(key, doubt)
          }),
        )
      }
      return true
    } catch {
      // A success of the store, a second later, tries again.
      return false
    } finally {
      this.#settling = false
    }
  }
}
