import { parseDictionary } from 'structured-headers'

import type { Rules } from '../settings.ts'
import { type Directives, parseCacheControl } from './cache-control.ts'
import { type FieldLines, valueOf, valuesOf } from './fields.ts'

/** What a response tells caches like this one. */
export interface CacheDirectives {
  readonly directives: Directives
  /** They come from a targeted field: Expires counts as little as Cache-Control does. */
  readonly isTargeted: boolean
}

/**
 * The directives of a response: of the first targeted field that is valid and not empty (RFC 9213 §2.2), else of
 * Cache-Control.
 */
export function directivesOf(fields: FieldLines, rules: Rules): CacheDirectives {
  for (const name of rules.targetedCacheControl) {
    const value = valueOf(fields, name)
    const directives = value === undefined ? undefined : parseTargeted(value)
    if (directives !== undefined) return { directives, isTargeted: true }
  }
  return { directives: parseCacheControl(valuesOf(fields, 'cache-control')), isTargeted: false }
}

const PERMISSIONS = new Set([
  'max-age',
  's-maxage',
  'stale-while-revalidate',
  'stale-if-error',
  'must-understand',
  'public',
])

/** A Dictionary of structured fields, strictly: what is invalid as a whole is as if it were not there (RFC 9213 §2.1). */
function parseTargeted(value: string): Directives | undefined {
  try {
    const directives = new Map<string, string>()
    for (const [name, [member]] of parseDictionary(value)) {
      const isInteger = typeof member === 'number' && Number.isInteger(member)
      if (isInteger) directives.set(name, String(member))
      // What allows something counts only in its own type; a ban with an argument is a ban, as in Cache-Control.
      else if (member === true || (member !== false && !PERMISSIONS.has(name))) directives.set(name, '')
    }
    return directives.size === 0 ? undefined : directives
  } catch {
    return undefined
  }
}
