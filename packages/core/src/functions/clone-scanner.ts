import { serialize } from 'node:v8'

/** What the tags of V8's format stand for (value-serializer.cc): what follows them, and whether they open or close something. */
const OPENERS = tags("oAa;'")
const ARRAY_CLOSERS = tags('$@')
/** With the number of counts that follow. */
const CLOSERS = new Map([...tags('{:,$@')].map((tag) => [tag, ARRAY_CLOSERS.has(tag) ? 2 : 1]))
const ALONE = tags('_0TFxy-')
const NUMBERS = tags('IU^')
const DOUBLES = tags('NDn')
const BIGINTS = tags('Zz')
const STRINGS = tags('"cS')
const BYTES = tags('"cSB')
const [DENSE, SPARSE, HOST, REGEXP, ERROR, TEXT] = tags('Aa\\Rrs')
const ERROR_KINDS = tags('ERFSTU')
const [ERROR_MESSAGE, ERROR_STACK, ERROR_CAUSE, ERROR_END] = tags('msc.')
const HEADER = 0xff
const OLDEST_VERSION = 13
/** What this Node writes; it can read nothing newer. */
const NEWEST_VERSION = serialize(0)[1]!

/** Of one value, beyond one for each of its bytes. */
const MAX_HOLES = 65_536
/** Errors that cause each other. */
const MAX_CAUSES = 100

/**
 * Whether bytes have the form of a value as V8 writes it, to the last byte, and ask for no more room than they are worth:
 * an array with holes names its length alone, and V8 makes room for all of it, so that seven bytes may take 200 MB.
 */
export function isSoundClone(bytes: Buffer): boolean {
  const scanner = new CloneScanner(bytes)
  try {
    scanner.scan()
    return true
  } catch (error) {
    if (error instanceof Unsound) return false
    throw error
  }
}

class Unsound extends Error {}

class CloneScanner {
  readonly #bytes: Buffer
  #at = 0
  #holes = 0
  #causes = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  scan(): void {
    const version = this.#bytes[1] ?? 0
    if (this.#bytes[0] !== HEADER || version < OLDEST_VERSION || version > NEWEST_VERSION) throw new Unsound()
    this.#at = 2
    this.#skipValue()
    if (this.#at !== this.#bytes.length) throw new Unsound()
  }

  /** One value with all that it holds: tags follow each other, so that nothing has to be nested here. */
  #skipValue(): void {
    let depth = 0
    do {
      const tag = this.#tag()
      if (OPENERS.has(tag)) {
        depth += 1
        if (tag === DENSE) this.#number()
        if (tag === SPARSE) this.#countHoles(this.#number())
        continue
      }
      const counts = CLOSERS.get(tag)
      if (counts === undefined) {
        this.#skipLeaf(tag)
        continue
      }
      depth -= 1
      for (let i = 0; i < counts; i += 1) this.#number()
    } while (depth > 0)
    if (depth < 0) throw new Unsound()
  }

  #skipLeaf(tag: number): void {
    if (ALONE.has(tag)) return
    if (NUMBERS.has(tag)) this.#number()
    else if (BYTES.has(tag)) this.#skip(this.#number())
    else if (DOUBLES.has(tag)) this.#skip(8)
    else if (BIGINTS.has(tag)) this.#skip(Math.floor(this.#number() / 2))
    else if (tag === HOST) this.#skipHostObject()
    else if (tag === TEXT) this.#skipString()
    else if (tag === REGEXP) this.#skipRegExp()
    else if (tag === ERROR) this.#skipError()
    else throw new Unsound()
  }

  /** Node's own: the kind of a typed array, and its bytes. */
  #skipHostObject(): void {
    this.#number()
    this.#skip(this.#number())
  }

  #skipRegExp(): void {
    this.#skipString()
    this.#number()
  }

  /** Its parts have tags of their own. */
  #skipError(): void {
    for (;;) {
      const part = this.#tag()
      if (part === ERROR_END) return
      if (part === ERROR_MESSAGE || part === ERROR_STACK) this.#skipString()
      else if (part === ERROR_CAUSE) this.#skipCause()
      else if (!ERROR_KINDS.has(part)) throw new Unsound()
    }
  }

  #skipCause(): void {
    this.#causes += 1
    if (this.#causes > MAX_CAUSES) throw new Unsound()
    this.#skipValue()
  }

  #skipString(): void {
    if (!STRINGS.has(this.#tag())) throw new Unsound()
    this.#skip(this.#number())
  }

  /** Zeros between tags align what follows. */
  #tag(): number {
    for (;;) {
      const tag = this.#bytes[this.#at]
      if (tag === undefined) throw new Unsound()
      this.#at += 1
      if (tag !== 0) return tag
    }
  }

  /** Seven bits a byte, the lowest first. */
  #number(): number {
    let value = 0
    for (let factor = 1; factor < 2 ** 35; factor *= 128) {
      const byte = this.#bytes[this.#at]
      if (byte === undefined) throw new Unsound()
      this.#at += 1
      value += (byte % 128) * factor
      if (byte < 128) return value
    }
    throw new Unsound()
  }

  #skip(count: number): void {
    this.#at += count
    if (this.#at > this.#bytes.length) throw new Unsound()
  }

  #countHoles(length: number): void {
    this.#holes += length
    if (this.#holes > this.#bytes.length + MAX_HOLES) throw new Unsound()
  }
}

function tags(text: string): Set<number> {
  return new Set(Buffer.from(text, 'latin1'))
}
