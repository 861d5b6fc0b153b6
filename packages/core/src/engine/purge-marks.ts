import { type Place, type ReadSelector, selects } from '../policy/selector.ts'
import type { StoredResponse } from './stored-response.ts'

/** One purge: what was rendered before it, and is selected, is a miss (soft: stale). */
export interface Mark {
  readonly number: number
  readonly soft: boolean
  readonly selector: ReadSelector
  /** It comes from an unsafe request, and not from the application: anybody can make many of them. */
  readonly unsafe?: boolean | undefined
  /** When it was made, where its number does not say so. */
  readonly at?: number | undefined
}

/** How many purges are kept, and how many bytes of them. */
export interface MarkLimits {
  readonly marks: number
  readonly bytes: number
}

/** Of a record that is read once a second: it must stay small, however long the URLs are. */
const RECORD_LIMITS: MarkLimits = { marks: 1000, bytes: 512 * 1024 }
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
  /** By what they select, in the order of their numbers: the application's, and those of unsafe requests. */
  readonly #purges = new Map<string, Mark>()
  readonly #unsafe = new Map<string, Mark>()
  readonly #bytes = { purges: 0, unsafe: 0 }
  /** Those of a URL by its path, of a tag, of a route: a verdict looks at no others of them. The newest last. */
  readonly #byName = new Map<string, Mark[]>()
  /** All the others, the newest last. */
  #others: Mark[] = []
  readonly #limits: MarkLimits
  /** Raised whenever marks come in, in whatever order: a mark of another process may be older than those known here. */
  #generation = 0

  /** The number of the newest purge. */
  latest = 0

  constructor(limits: MarkLimits = RECORD_LIMITS) {
    this.#limits = limits
  }

  get all(): readonly Mark[] {
    return [...this.#purges.values(), ...this.#unsafe.values()].toSorted((a, b) => a.number - b.number)
  }

  add(selector: ReadSelector, soft: boolean, now: number, unsafe = false): Mark {
    const number = Math.max(this.latest + 1, Math.ceil(now))
    const mark: Mark = unsafe ? { number, soft, selector, unsafe } : { number, soft, selector }
    this.merge([mark])
    return mark
  }

  /** Takes in marks of other processes, or of an earlier life of this one. Returns those that were not known. */
  merge(marks: readonly Mark[]): readonly Mark[] {
    const unknown = marks.filter((mark) => (this.#alike(mark).get(idOf(mark))?.number ?? -1) < mark.number)
    if (unknown.length === 0) return unknown
    this.#generation += 1
    // What comes in is the newest as a rule, and goes behind what is there; else all are put in order anew.
    const isNewest = unknown.length === 1 && unknown[0]!.number > this.latest
    const all = isNewest ? unknown : [...this.all, ...unknown].toSorted((a, b) => a.number - b.number)
    if (!isNewest) this.#clear()
    for (const mark of all) this.#insert(mark)
    this.latest = Math.max(this.latest, ...unknown.map(({ number }) => number))
    this.#keepBounds()
    return unknown
  }

  /** Forgets a mark, unless a newer one says the same. */
  forget(mark: Mark): void {
    if (this.#alike(mark).get(idOf(mark)) === mark) this.#drop(mark)
  }

  /** What has become of something that was rendered at this epoch: removed, stale since then, or nothing. */
  verdict(place: Place, epoch: number): 'removed' | number | undefined {
    let expiredAt: number | undefined
    for (const marks of this.#about(place)) {
      for (let i = marks.length - 1; i >= 0; i -= 1) {
        const mark = marks[i]!
        if (mark.number <= epoch) break
        if (!selects(mark.selector, place)) continue
        if (!mark.soft) return 'removed'
        expiredAt = Math.min(expiredAt ?? Infinity, mark.at ?? mark.number)
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

  #keepBounds(): void {
    for (const mark of this.#unsafe.values()) {
      if (this.#unsafe.size <= MAX_UNSAFE_MARKS && this.#bytes.unsafe <= MAX_UNSAFE_BYTES) break
      this.#drop(mark)
    }
    if (this.#purges.size <= this.#limits.marks && this.#bytes.purges <= this.#limits.bytes) return
    this.#clear()
    this.#insert({ number: this.latest, soft: false, selector: { kind: 'all' } })
  }

  /** The newest purge of the same says all that the earlier ones said. */
  #insert(mark: Mark): void {
    const alike = this.#alike(mark)
    const earlier = alike.get(idOf(mark))
    if (earlier !== undefined) this.#drop(earlier)
    alike.set(idOf(mark), mark)
    this.#bytes[kindOf(mark)] += Buffer.byteLength(idOf(mark))
    const name = nameOf(mark.selector)
    if (name === undefined) this.#others.push(mark)
    else if (!this.#byName.get(name)?.push(mark)) this.#byName.set(name, [mark])
  }

  #drop(mark: Mark): void {
    this.#alike(mark).delete(idOf(mark))
    this.#bytes[kindOf(mark)] -= Buffer.byteLength(idOf(mark))
    const name = nameOf(mark.selector)
    const those = name === undefined ? this.#others : (this.#byName.get(name) ?? [])
    those.splice(those.indexOf(mark), 1)
    if (name !== undefined && those.length === 0) this.#byName.delete(name)
  }

  #clear(): void {
    this.#purges.clear()
    this.#unsafe.clear()
    this.#byName.clear()
    this.#others = []
    this.#bytes.purges = 0
    this.#bytes.unsafe = 0
  }

  #alike(mark: Mark): Map<string, Mark> {
    return kindOf(mark) === 'unsafe' ? this.#unsafe : this.#purges
  }

  /** The purges that may select a place. */
  *#about({ path, route, tags }: Place): Generator<readonly Mark[]> {
    yield this.#others
    if (this.#byName.size === 0) return
    yield this.#byName.get(`url ${path}`) ?? []
    if (route !== undefined) yield this.#byName.get(`route ${route}`) ?? []
    for (const tag of tags) yield this.#byName.get(`tag ${tag}`) ?? []
  }
}

const kindOf = (mark: Mark): 'unsafe' | 'purges' => (mark.unsafe === true ? 'unsafe' : 'purges')

/** What a place must have for this selector to select it; undefined where that is no name. */
function nameOf(selector: ReadSelector): string | undefined {
  switch (selector.kind) {
    case 'url':
      return `url ${selector.path.split('?', 1)[0]!}`
    case 'route':
    case 'tag':
      return `${selector.kind} ${selector.name}`
    default:
      return undefined
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
