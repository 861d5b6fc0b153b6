import type { Rules } from '../settings.ts'
import { ORIGIN_FIELDS } from './origin.ts'
import { OVERRIDES } from './eligible.ts'

/** What a field says of a request: nothing that matters, what is accepted, or something that does. */
export type Telling = 'nothing' | 'accept' | 'much'

/** Fields that decide over a GET whatever the rules are: conditions, ranges, bodies, upgrades, credentials. */
const ALWAYS = [
  'authorization',
  'content-length',
  'forwarded',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
  'transfer-encoding',
  'upgrade',
  ...ORIGIN_FIELDS,
  ...OVERRIDES,
]

/** Names seen on requests are remembered as they are spelled; those that attackers make up must not fill memory. */
const MAX_NAMES = 500

/**
 * Which fields of a request matter to a route that keys no headers (its option `vary` is empty). A request without any of
 * these is plain: its key is its scheme, Host, path and query, and it takes whatever is fresh.
 */
export class PlainFields {
  readonly #telling: ReadonlySet<string>
  readonly #known = new Map<string, Telling>()

  constructor(rules: Rules) {
    this.#telling = new Set([
      ...ALWAYS,
      ...rules.credentials,
      ...(rules.cookies === 'ignore' ? [] : ['cookie']),
      ...(rules.requestCacheControl ? ['cache-control', 'pragma'] : []),
    ])
  }

  /** What a field of this name says, in whatever case it is written. */
  telling(name: string): Telling {
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const telling = this.#read(name.toLowerCase())
    if (this.#known.size < MAX_NAMES) this.#known.set(name, telling)
    return telling
  }

  #read(name: string): Telling {
    if (this.#telling.has(name)) return 'much'
    return name === 'accept' ? 'accept' : 'nothing'
  }
}
