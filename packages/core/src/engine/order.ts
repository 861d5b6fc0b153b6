import { recordsOf } from './records.ts'
import type { StoredResponse } from './stored-response.ts'

/**
 * Where there are no copies in memory to compare with: which of two renders came later, and for which paths anything
 * has been stored at all.
 */
export class Order {
  readonly #keys = recordsOf<{ readonly plain: number; readonly varied: number }>()
  readonly #variants = recordsOf<{ readonly order: number }>()
  readonly #paths = recordsOf<object>()

  hasPath(path: string): boolean {
    return this.#paths.has(path)
  }

  /** Takes note of a response that is to be stored. Returns false where a later render has been stored already. */
  note(response: StoredResponse): boolean {
    const { variant, order } = response
    const { key, selecting, place } = response.parts
    const known = this.#keys.get(key) ?? { plain: 0, varied: 0 }
    const isPlain = selecting.length === 0
    // One without Vary stands for all requests of its key, and so competes with every variant.
    const rival = isPlain ? Math.max(known.plain, known.varied) : known.plain
    if (Math.max(rival, this.#variants.get(variant)?.order ?? 0) > order) return false
    this.#keys.set(key, isPlain ? { ...known, plain: order } : { ...known, varied: Math.max(known.varied, order) })
    this.#variants.set(variant, { order })
    this.#paths.set(place.path, {})
    return true
  }
}
