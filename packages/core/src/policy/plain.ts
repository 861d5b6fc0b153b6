import type { Rules } from '../settings.ts'
import { ORIGIN_FIELDS } from './origin.ts'
import { OVERRIDES } from './eligible.ts'

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

/**
 * The names of fields that matter to a route which keys no headers (its option `vary` is empty). A request without any of
 * these is plain: its key is its scheme, Host, path and query, nothing keeps it from the cache, and it takes whatever is
 * fresh, unless it asks for an event stream. But for Host and Accept (road/shortcut.ts) it is judged by nothing else, so every
 * other field that `bypassReason`, the key or the foreground asks for has to be here.
 */
export function tellingNames(rules: Rules): ReadonlySet<string> {
  return new Set([
    ...ALWAYS,
    ...rules.credentials,
    ...(rules.cookies === 'ignore' ? [] : ['cookie']),
    ...(rules.requestCacheControl ? ['cache-control', 'pragma'] : []),
  ])
}
