import { type Place, type ReadSelector, selects } from '../policy/selector.ts'
import type { StoredResponse } from './stored-response.ts'

/** One purge: what was rendered before it, and is selected, is a miss (soft: stale). */
export interface Mark {
  readonly number: number
  readonly soft: boolean
  readonly selector: ReadSelector
}

const MAX_MARKS = 1000
/** They are read once a second: the record must stay small, however long the URLs are. */
const MAX_CHARACTERS = 512 * 1024

/**
 * The purges that a process knows, in order. A mark's number is at least the time of the purge and always above all
 * numbers before it; a render carries the newest number known at its start, its epoch. So a purge fences renders
 * under way, outlives restarts where the marks are stored, and needs no list of what is stored.
 */
export class PurgeMarks {
  #marks: readonly Mark[] = []
  /** Raised whenever marks come in, in whatever order: a mark of another process may be older than those known here. */
  #generation = 0

  /** The number of the newest purge. */
  latest = 0

  get all(): readonly Mark[] {
    return this.#marks
  }

  add(selector: ReadSelector, soft: boolean, now: number): Mark {
    const mark = { number: Math.max(this.latest + 1, Math.ceil(now)), soft, selector }
    this.merge([mark])
    return mark
  }

  /** Takes in marks of other processes, or of an earlier life of this one. */
  merge(marks: readonly Mark[]): void {
    this.#generation += 1
    const known = new Map<string, Mark>()
    for (const mark of [...this.#marks, ...marks].toSorted((a, b) => a.number - b.number)) {
      const selector = JSON.stringify([mark.selector, mark.soft])
      // The newest purge of the same says all that the earlier ones said.
      known.delete(selector)
      known.set(selector, mark)
    }
    this.#marks = [...known.values()]
    this.latest = Math.max(this.latest, this.#marks.at(-1)?.number ?? 0)
    const characters = [...known.keys()].reduce((sum, selector) => sum + selector.length, 0)
    if (this.#marks.length > MAX_MARKS || characters > MAX_CHARACTERS) {
      this.#marks = [{ number: this.latest, soft: false, selector: { kind: 'all' } }]
    }
  }

  /** What has become of something that was rendered at this epoch: removed, stale since then, or nothing. */
  verdict(place: Place, epoch: number): 'removed' | number | undefined {
    let expiredAt: number | undefined
    for (let i = this.#marks.length - 1; i >= 0; i -= 1) {
      const mark = this.#marks[i]!
      if (mark.number <= epoch) break
      if (!selects(mark.selector, place)) continue
      if (!mark.soft) return 'removed'
      expiredAt = mark.number
    }
    return expiredAt
  }

  /** Whether a stored response may still be used; makes it stale where a soft purge says so. */
  admits(response: StoredResponse, now: number): boolean {
    if (response.checkedAgainst === this.#generation) return true
    const verdict = this.verdict(response.parts.place, response.parts.epoch)
    if (verdict === 'removed') return false
    if (verdict !== undefined) response.expire(Math.min(verdict, now))
    response.checkedAgainst = this.#generation
    return true
  }
}
