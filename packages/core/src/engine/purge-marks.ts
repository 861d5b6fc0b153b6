import { type Place, type ReadSelector, selects } from '../policy/selector.ts'
import type { StoredResponse } from './stored-response.ts'

/** One purge: what was rendered before it, and is selected, is a miss (soft: stale). */
export interface Mark {
  readonly number: number
  readonly soft: boolean
  readonly selector: ReadSelector
}

const MAX_MARKS = 1000

/**
 * The purges that a process knows, in order. A mark's number is at least the time of the purge and always above all
 * numbers before it; a render carries the newest number known at its start, its epoch. So a purge fences renders
 * under way, outlives restarts where the marks are stored, and needs no list of what is stored.
 */
export class PurgeMarks {
  #marks: readonly Mark[] = []

  /** The number of the newest purge. */
  latest = 0

  get all(): readonly Mark[] {
    return this.#marks
  }

  add(selector: ReadSelector, soft: boolean, now: number): Mark {
    const mark = { number: Math.max(this.latest + 1, now), soft, selector }
    this.merge([mark])
    return mark
  }

  /** Takes in marks of other processes, or of an earlier life of this one. */
  merge(marks: readonly Mark[]): void {
    const known = new Map<string, Mark>()
    for (const mark of [...this.#marks, ...marks].toSorted((a, b) => a.number - b.number)) {
      const selector = JSON.stringify([mark.selector, mark.soft])
      // The newest purge of the same says all that the earlier ones said.
      known.delete(selector)
      known.set(selector, mark)
    }
    this.#marks = [...known.values()]
    this.latest = Math.max(this.latest, this.#marks.at(-1)?.number ?? 0)
    if (this.#marks.length > MAX_MARKS) {
      this.#marks = [{ number: this.latest, soft: false, selector: { kind: 'all' } }]
    }
  }

  /** Whether something that was rendered at this epoch has been purged since. */
  verdict(place: Place, epoch: number): 'removed' | 'stale' | undefined {
    let verdict: 'stale' | undefined
    for (let i = this.#marks.length - 1; i >= 0; i -= 1) {
      const mark = this.#marks[i]!
      if (mark.number <= epoch) break
      if (!selects(mark.selector, place)) continue
      if (!mark.soft) return 'removed'
      verdict = 'stale'
    }
    return verdict
  }

  /** Whether a stored response may still be used; marks it stale where a soft purge says so. */
  admits(response: StoredResponse): boolean {
    if (response.checkedEpoch === this.latest) return true
    const verdict = this.verdict(response.parts.place, response.checkedEpoch)
    if (verdict === 'removed') return false
    if (verdict === 'stale') response.expiredByPurge = true
    response.checkedEpoch = this.latest
    return true
  }
}
