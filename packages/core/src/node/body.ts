import type { Budget } from '../engine/budget.ts'
import { MAX_TEXT_BYTES } from '../engine/representation.ts'

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

  /** Takes in a chunk; returns why not. `isOwn`: its bytes need not be copied. */
  add(chunk: unknown, encoding: unknown, isOwn = false): 'too-large' | 'capture-budget' | undefined {
    const bytes = bytesOf(chunk, encoding)
    if (bytes.length === 0) return undefined
    if (this.#bytes + bytes.length > this.#limit) return 'too-large'
    if (!this.#budget.take(bytes.length)) return 'capture-budget'
    this.#bytes += bytes.length
    // Those of a string are a copy already.
    this.#chunks.push(isOwn || typeof chunk === 'string' ? bytes : Buffer.from(bytes))
    return undefined
  }

  /** All bytes in one Buffer; in an exact one, where it is to be kept: others would each hold on to a slab of 8 KiB. */
  toBuffer(): Buffer {
    const [first] = this.#chunks
    const isOne = first !== undefined && this.#chunks.length === 1
    if (isOne && (first.length <= MAX_TEXT_BYTES || first.buffer.byteLength === first.length)) return first
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

/** What a chunk is on the wire. */
export function bytesOf(chunk: unknown, encoding: unknown): Buffer {
  if (typeof chunk !== 'string') return chunk instanceof Uint8Array ? asBuffer(chunk) : EMPTY
  // Buffer.byteLength only guesses for base64, so the bytes are made before they are counted.
  const isKnown = typeof encoding === 'string' && Buffer.isEncoding(encoding)
  return Buffer.from(chunk, isKnown ? encoding : 'utf8')
}

const asBuffer = ({ buffer, byteOffset, length }: Uint8Array): Buffer => Buffer.from(buffer, byteOffset, length)

const EMPTY = Buffer.alloc(0)
