import { recordsOf } from './records.ts'
import { isSameList } from './same-list.ts'

/** Lists that are remembered of one URL: a page and its error page may vary by different headers. */
const MAX_LISTS = 4

const NONE: readonly (readonly string[])[] = []

/** The lists of selecting headers that the responses of a key have named, the newest first. */
export class VaryLists {
  readonly #known = recordsOf<readonly (readonly string[])[]>()
  #last: readonly (readonly string[])[] = NONE

  of(key: string): readonly (readonly string[])[] {
    return this.#known.get(key) ?? NONE
  }

  /** Notes what a response has named. One that names nothing stands for all requests of its key. */
  note(key: string, names: readonly string[]): void {
    if (names.length === 0) {
      if (this.#known.size > 0) this.#known.delete(key)
      return
    }
    const known = this.#known.get(key)
    if (known === undefined) {
      this.#known.set(key, this.#alone(names))
      return
    }
    if (isSameList(known[0], names)) return
    const others = known.filter((list) => !isSameList(list, names))
    this.#known.set(key, [names, ...others].slice(0, MAX_LISTS))
  }

  /** The URLs of a route share theirs. */
  #alone(names: readonly string[]): readonly (readonly string[])[] {
    if (!isSameList(this.#last[0], names)) this.#last = [names]
    return this.#last
  }
}
