import { LRUCache } from 'lru-cache'

import { ownBytes } from '../own-bytes.ts'
import type { ReadHead } from './frame.ts'

interface Known {
  readonly text: Buffer
  readonly head: ReadHead
}

/** Of all heads together: as they came, and some three times as much as what they were read as. */
const MAX_BYTES = 8 * 1024 * 1024
const READ_FACTOR = 4
const OVERHEAD_BYTES = 400

/**
 * What heads of frames were read as. A cache without copies in memory reads the same ones from its store again and again:
 * to read and check one takes 11 µs, to compare it byte for byte a fraction of one. Nothing is believed of a frame for being
 * known: what was read of these very bytes would be read of them again.
 */
export class KnownHeads {
  readonly #known = new LRUCache<number, Known>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ text }) => text.length * READ_FACTOR + OVERHEAD_BYTES,
  })

  /** `checksum`: of the frame; whatever else has the same is told from it by its bytes. */
  find(checksum: number, text: Buffer): ReadHead | undefined {
    const known = this.#known.get(checksum)
    return known !== undefined && known.text.equals(text) ? known.head : undefined
  }

  note(checksum: number, text: Buffer, head: ReadHead): void {
    this.#known.set(checksum, { text: ownBytes(text), head })
  }

  clear(): void {
    this.#known.clear()
  }
}
