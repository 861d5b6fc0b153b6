import { parseList } from 'structured-headers'

import { type FieldLines, valueOf, valuesOf } from './fields.ts'

/** The tags that a response's own fields give it: Cache-Tag (commas), Surrogate-Key (spaces), Cache-Groups (RFC 9875: a list of strings). */
export function tagsOf(fields: FieldLines): readonly string[] {
  if (!NAMES.some((name) => valueOf(fields, name) !== undefined)) return NONE
  const tags = [
    ...valuesOf(fields, 'cache-tag').flatMap((value) => value.split(',')),
    ...valuesOf(fields, 'surrogate-key').flatMap((value) => value.split(/[ \t]/)),
    ...stringsOf(fields, 'cache-groups'),
  ]
  return tags.map((tag) => tag.trim()).filter((tag) => tag !== '')
}

const NAMES = ['cache-tag', 'surrogate-key', 'cache-groups']
const NONE: readonly string[] = []

/** The strings of a List (RFC 9651 §3.1); a field that is no list has none. */
export function stringsOf(fields: FieldLines, name: string): string[] {
  const value = valueOf(fields, name)
  if (value === undefined) return []
  try {
    return parseList(value).flatMap(([member]) => (typeof member === 'string' ? [member] : []))
  } catch {
    return []
  }
}
