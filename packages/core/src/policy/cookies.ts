import type { CookieRule } from '../options.ts'

/** What a Cookie header means under a rule. */
export interface CookieReading {
  readonly bypass: boolean
  /** The header that a shared render may carry: the keyed pairs in the order of their names, or ''. */
  readonly keyed: string
  /** Whether the visitor's own header says more than that (or says it otherwise). */
  readonly hides: boolean
}

const NO_COOKIE: CookieReading = { bypass: false, keyed: '', hides: false }

/** Reads a request's Cookie header under a route's rule (RFC 6265 §4.2.1). Names are compared byte for byte. */
export function readCookies(rule: CookieRule, header: string | undefined): CookieReading {
  if (header === undefined) return NO_COOKIE
  if (rule === 'bypass') return { bypass: true, keyed: '', hides: true }
  if (rule === 'ignore') return { bypass: false, keyed: '', hides: true }
  const pairs = header.split(';').map((pair) => pair.trim())
  if ('bypass' in rule) {
    return { bypass: pairs.some((pair) => rule.bypass.includes(nameOf(pair))), keyed: '', hides: true }
  }
  const keyed = [...new Set(rule.key)]
    .toSorted()
    .flatMap((name) => pairs.filter((pair) => nameOf(pair) === name))
    .join('; ')
  return { bypass: false, keyed, hides: keyed === '' || keyed !== header }
}

function nameOf(pair: string): string {
  const equals = pair.indexOf('=')
  return (equals === -1 ? pair : pair.slice(0, equals)).trim()
}
