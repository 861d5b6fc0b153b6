import type { Budget } from '../engine/budget.ts'

/** The bytes of a response as they pass by: bounded, and copied, for a handler may use its buffer again. */
export class Body {
  readonly #limit: number
  readonly #budget: Budget
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(limit: number, budget: Budget) {
    this.#limit = limit
    this.#budget = budget
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Takes in a chunk; returns why not. */
  add(chunk: unknown, encoding: unknown): 'too-large' | 'capture-budget' | undefined {
    const length = lengthOf(chunk, encoding)
    if (length === 0) return undefined
    if (this.#bytes + length > this.#limit) return 'too-large'
    if (!this.#budget.take(length)) return 'capture-budget'
    this.#bytes += length
    // An exact Buffer: small ones of Buffer.from would each hold on to a slab of 8 KiB.
    const copy = Buffer.allocUnsafeSlow(length)
    if (typeof chunk === 'string') copy.write(chunk, encodingOf(encoding))
    else copy.set(chunk as Uint8Array)
    this.#chunks.push(copy)
    return undefined
  }

  /** All bytes in one exact Buffer. */
  toBuffer(): Buffer {
    if (this.#chunks.length === 1) return this.#chunks[0]!
    const whole = Buffer.allocUnsafeSlow(this.#bytes)
    let at = 0
    for (const chunk of this.#chunks) at += chunk.copy(whole, at)
    return whole
  }

  /** Gives the bytes back to the budget. */
  release(): void {
    this.#budget.giveBack(this.#bytes)
    this.#bytes = 0
    this.#chunks = []
  }
}

function lengthOf(chunk: unknown, encoding: unknown): number {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk, encodingOf(encoding))
  return chunk instanceof Uint8Array ? chunk.byteLength : 0
}

function encodingOf(encoding: unknown): BufferEncoding {
  return typeof encoding === 'string' && Buffer.isEncoding(encoding) ? encoding : 'utf8'
}
