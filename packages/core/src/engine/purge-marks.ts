import { type Place, type ReadSelector, selects } from '../policy/selector.ts'
import type { StoredResponse } from './stored-response.ts'

/** One purge: what was rendered before it, and is selected, is a miss (soft: stale). */
export interface Mark {
  readonly number: number
  readonly soft: boolean
  readonly selector: ReadSelector
  /** It comes from an unsafe request, and not from the application: anybody can make many of them. */
  readonly unsafe?: boolean | undefined
}

const MAX_MARKS = 1000
/** They are read once a second: the record must stay small, however long the URLs are. */
const MAX_BYTES = 512 * 1024
const MAX_UNSAFE_MARKS = 500
const MAX_UNSAFE_BYTES = 128 * 1024

/**
 * The purges that a process knows, in order. A mark's number is at least the time of the purge and always above all
 * numbers before it; a render carries the newest number known at its start, its epoch. So a purge fences renders
 * under way, outlives restarts where the marks are stored, and needs no list of what is stored.
 *
 * Too many purges become one of everything. Too many invalidations by unsafe requests lose the oldest: what they were
 * about has been removed at once, and a flood of POSTs must not empty the cache.
 */
export class PurgeMarks {
  /** By what they select, in the order of their numbers. */
  #marks: ReadonlyMap<string, Mark> = new Map()
  /** Those of a single URL, by its path: a verdict looks at no others. */
  #byPath: ReadonlyMap<string, readonly Mark[]> = new Map()
  /** All the others, the newest last. */
  #others: readonly Mark[] = []
  /** Raised whenever marks come in, in whatever order: a mark of another process may be older than those known here. */
  #generation = 0

  /** The number of the newest purge. */
  latest = 0

  get all(): readonly Mark[] {
    return [...this.#marks.values()]
  }

  add(selector: ReadSelector, soft: boolean, now: number, unsafe = false): Mark {
    const number = Math.max(this.latest + 1, Math.ceil(now))
    const mark: Mark = unsafe ? { number, soft, selector, unsafe } : { number, soft, selector }
    this.merge([mark])
    return mark
  }

  /** Takes in marks of other processes, or of an earlier life of this one. Returns those that were not known. */
  merge(marks: readonly Mark[]): readonly Mark[] {
    const unknown = marks.filter((mark) => (this.#marks.get(idOf(mark))?.number ?? -1) < mark.number)
    if (unknown.length === 0) return unknown
    this.#generation += 1
    // What comes in is the newest as a rule: then it goes behind what is there, and nothing has to be sorted.
    const isNewest = unknown.length === 1 && unknown[0]!.number > this.latest
    const known = new Map<string, Mark>(isNewest ? this.#marks : [])
    const incoming = isNewest ? unknown : [...this.#marks.values(), ...unknown].toSorted((a, b) => a.number - b.number)
    for (const mark of incoming) {
      // The newest purge of the same says all that the earlier ones said.
      known.delete(idOf(mark))
      known.set(idOf(mark), mark)
    }
    this.latest = Math.max(this.latest, ...unknown.map(({ number }) => number))
    this.#marks = this.#bounded(known)
    this.#index()
    return unknown
  }

  /** What has become of something that was rendered at this epoch: removed, stale since then, or nothing. */
  verdict(place: Place, epoch: number): 'removed' | number | undefined {
    let expiredAt: number | undefined
    for (const marks of [this.#byPath.get(place.path) ?? [], this.#others]) {
      for (let i = marks.length - 1; i >= 0; i -= 1) {
        const mark = marks[i]!
        if (mark.number <= epoch) break
        if (!selects(mark.selector, place)) continue
        if (!mark.soft) return 'removed'
        expiredAt = Math.min(expiredAt ?? Infinity, mark.number)
      }
    }
    return expiredAt
  }

  /** Whether it was admitted, and nothing has been purged since. */
  hasChecked(response: StoredResponse): boolean {
    return response.checkedAgainst === this.#generation
  }

  /** Whether a stored response may still be used; makes it stale where a soft purge says so. */
  admits(response: StoredResponse, now: number): boolean {
    if (this.hasChecked(response)) return true
    const verdict = this.verdict(response.parts.place, response.parts.epoch)
    if (verdict === 'removed') return false
    if (verdict !== undefined) response.expire(Math.min(verdict, now))
    response.checkedAgainst = this.#generation
    return true
  }

  #bounded(known: Map<string, Mark>): Map<string, Mark> {
    const unsafe = [...known].filter(([, mark]) => mark.unsafe === true)
    while (unsafe.length > MAX_UNSAFE_MARKS || bytesOf(unsafe) > MAX_UNSAFE_BYTES) {
      known.delete(unsafe.shift()![0])
    }
    const purges = [...known].filter(([, mark]) => mark.unsafe !== true)
    if (purges.length <= MAX_MARKS && bytesOf(purges) <= MAX_BYTES) return known
    const everything: Mark = { number: this.latest, soft: false, selector: { kind: 'all' } }
    return new Map([[idOf(everything), everything]])
  }

  #index(): void {
    const byPath = new Map<string, Mark[]>()
    const others: Mark[] = []
    for (const mark of this.#marks.values()) {
      if (mark.selector.kind !== 'url') {
        others.push(mark)
        continue
      }
      const path = mark.selector.path.split('?', 1)[0]!
      const those = byPath.get(path)
      if (those === undefined) byPath.set(path, [mark])
      else those.push(mark)
    }
    this.#byPath = byPath
    this.#others = others
  }
}

/** A purge of the application's and an unsafe request's are two, for only one of them may be forgotten. */
function idOf(mark: Mark): string {
  const known = ids.get(mark)
  if (known !== undefined) return known
  const { selector, soft, unsafe } = mark
  const id = JSON.stringify([selector, soft, unsafe === true])
  ids.set(mark, id)
  return id
}

/** A purge looks at all marks, and each of them is looked at by very many. */
const ids = new WeakMap<Mark, string>()

const bytesOf = (marks: readonly (readonly [string, Mark])[]): number =>
  marks.reduce((sum, [id]) => sum + Buffer.byteLength(id), 0)
