import { type FieldLines, valuesOf } from './fields.ts'

/** The tags that a response's own fields give it: Cache-Tag (commas), Surrogate-Key (spaces), Cache-Groups (RFC 9875: a list of strings). */
export function tagsOf(fields: FieldLines): string[] {
  const tags = [
    ...valuesOf(fields, 'cache-tag').flatMap((value) => value.split(',')),
    ...valuesOf(fields, 'surrogate-key').flatMap((value) => value.split(/[ \t]/)),
    ...valuesOf(fields, 'cache-groups').flatMap((value) => [...value.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(unescape)),
  ]
  return tags.map((tag) => tag.trim()).filter((tag) => tag !== '')
}

const unescape = (match: RegExpExecArray): string => match[1]!.replaceAll(/\\(.)/g, '$1')
