import { LRUCache } from 'lru-cache'

import type { StoredParts } from '../engine/stored-parts.ts'

/** What is stored under the key of a request whose responses vary: the lists of their selecting headers, newest first. */
export interface VaryIndex {
  readonly key: string
  readonly names: readonly (readonly string[])[]
}

/** All of a response but its body, of which it says how long it is. */
export interface ResponseHead {
  readonly key: string
  readonly parts: Omit<StoredParts, 'body'>
  readonly bodyBytes: number
}

/** What a head says, each part of it checked. */
export type ReadHead = ResponseHead | VaryIndex

interface Known {
  readonly text: Buffer
  readonly head: ReadHead
}

/** Of all heads together: as they came, and some three times as much as what they were read as. */
const MAX_BYTES = 8 * 1024 * 1024
const READ_FACTOR = 4
const OVERHEAD_BYTES = 400

/**
 * What heads of frames were read as. A cache without copies in memory reads the same ones from its store again and again;
 * to compare one byte for byte costs a twentieth of reading it (`pnpm bench --only redis`). Nothing is believed of a frame
 * for being known: what was read of these very bytes would be read of them again.
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
    // A copy: the frame it came in may be a client's read buffer.
    this.#known.set(checksum, { text: Buffer.from(text), head })
  }
}
