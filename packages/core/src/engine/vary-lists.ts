import { recordsOf } from './records.ts'

/** Lists that are remembered of one URL: a page and its error page may vary by different headers. */
const MAX_LISTS = 4

/** The lists of selecting headers that the responses of a key have named, the newest first. */
export class VaryLists {
  readonly #known = recordsOf<readonly (readonly string[])[]>()

  of(key: string): readonly (readonly string[])[] {
    return this.#known.get(key) ?? NONE
  }

  /** Notes what a response has named. One that names nothing stands for all requests of its key. */
  note(key: string, names: readonly string[]): void {
    if (names.length === 0) {
      this.#known.delete(key)
      return
    }
    const others = this.of(key).filter((list) => list.join() !== names.join())
    this.#known.set(key, [names, ...others].slice(0, MAX_LISTS))
  }
}

const NONE: readonly (readonly string[])[] = []
