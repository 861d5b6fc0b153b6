import type { FieldLines } from '../policy/fields.ts'

/**
 * Up to this size a body is kept as a latin1 string: it leaves in one write together with its head, and has no Buffer
 * around it. Above, writing it would cost more than that saves.
 */
export const MAX_TEXT_BYTES: number = 8 * 1024

const CHANGING = ['Age', '', 'Cache-Status', '']
const CHANGING_STALE = ['Age', '', 'Warning', '', 'Cache-Status', '']

/** One form of a stored response as it goes out: as the app has made it, or in a content coding. */
export class Representation {
  readonly body: string | Buffer
  /**
   * Its fields with places for Age and Cache-Status at the end. `writeHead` reads an array before it returns, so one for
   * all answers will do.
   */
  readonly reusedFields: string[]
  #reusedStaleFields: string[] | undefined

  /** `fields`: with Content-Length, where there is content. */
  constructor(fields: FieldLines, body: string | Buffer) {
    this.body = body
    // Exactly as long as it must be, which no array literal with a spread is.
    this.reusedFields = fields.concat(CHANGING)
  }

  /** The same with a place for Warning in between; most responses are never served stale. */
  get reusedStaleFields(): string[] {
    this.#reusedStaleFields ??= this.fields.concat(CHANGING_STALE)
    return this.#reusedStaleFields
  }

  get fields(): FieldLines {
    return this.reusedFields.slice(0, -4)
  }
}

/** A body as memory keeps it. */
export function compact(body: Buffer): string | Buffer {
  return body.length > MAX_TEXT_BYTES ? body : body.toString('latin1')
}
