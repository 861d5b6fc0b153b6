import { recordsOf } from './records.ts'

/** Lists that are remembered of one URL: a page and its error page may vary by different headers. */
const MAX_LISTS = 4

/** The lists of selecting headers that the responses of a key have named, the newest first. */
export class VaryLists {
  readonly #known = recordsOf<Known>()

  of(key: string): readonly (readonly string[])[] {
    return this.#known.get(key)?.lists ?? NONE
  }

  /** The rank of the newest response of which a store has told these lists. */
  rankOf(key: string): number {
    return this.#known.get(key)?.rank ?? 0
  }

  /** Notes what a response has named. One that names nothing stands for all requests of its key. */
  note(key: string, names: readonly string[], rank = 0): void {
    if (names.length === 0) {
      this.#known.delete(key)
      return
    }
    const others = this.of(key).filter((list) => list.join() !== names.join())
    const lists = [names, ...others].slice(0, MAX_LISTS)
    this.#known.set(key, { lists, rank: Math.max(rank, this.rankOf(key)) })
  }
}

interface Known {
  readonly lists: readonly (readonly string[])[]
  readonly rank: number
}

const NONE: readonly (readonly string[])[] = []
