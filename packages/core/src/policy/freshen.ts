import { opaque } from './conditions.ts'
import { type FieldLines, valueOf } from './fields.ts'

/** What describes the stored bytes, and not the answer that they are still good (RFC 9111 §3.2). */
const OF_THE_BODY = new Set([
  'content-length',
  'content-encoding',
  'content-range',
  'content-md5',
  'content-digest',
  'transfer-encoding',
])

/**
 * The fields of a stored response after a 304: each field of the answer replaces the stored ones of its name
 * (RFC 9111 §3.2, §4.3.4). Warnings of the 1xx kind are about the exchange before and go (RFC 7234 §4.3.4).
 */
export function freshenedFields(stored: FieldLines, answer: FieldLines, receivedAt: number): string[] {
  const updates: string[] = []
  for (let i = 0; i < answer.length; i += 2) {
    const value = lastingValue(answer[i]!, answer[i + 1]!)
    if (value !== undefined && !OF_THE_BODY.has(answer[i]!.toLowerCase())) updates.push(answer[i]!, value)
  }
  // A validation begins a new age: without a Date of its own the answer was made now.
  if (valueOf(updates, 'date') === undefined) updates.push('Date', new Date(receivedAt).toUTCString())
  const updated = new Set(updates.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()))
  const kept: string[] = []
  for (let i = 0; i < stored.length; i += 2) {
    const value = lastingValue(stored[i]!, stored[i + 1]!)
    if (value !== undefined && !updated.has(stored[i]!.toLowerCase())) kept.push(stored[i]!, value)
  }
  return [...kept, ...updates]
}

/** Whether a 304 names another ETag than the stored one: it is not about what is stored (RFC 9111 §4.3.3). */
export function isAboutAnother(stored: FieldLines, answer: FieldLines): boolean {
  const [mine, theirs] = [valueOf(stored, 'etag'), valueOf(answer, 'etag')]
  return mine !== undefined && theirs !== undefined && opaque(mine) !== opaque(theirs)
}

/** What outlives a validation: of Warning all but the members with a code of 1xx; undefined where nothing is left. */
function lastingValue(name: string, value: string): string | undefined {
  if (name.toLowerCase() !== 'warning') return value
  const lasting = membersOf(value).filter((member) => !/^1\d\d\b/.test(member))
  return lasting.length === 0 ? undefined : lasting.join(', ')
}

/** The members of a list whose texts are quoted strings and may hold commas, in one pass. */
function membersOf(value: string): string[] {
  const members: string[] = []
  let start = 0
  let isQuoted = false
  for (let at = 0; at <= value.length; at += 1) {
    if (at === value.length || (value[at] === ',' && !isQuoted)) {
      members.push(value.slice(start, at).trim())
      start = at + 1
    } else if (value[at] === '"') {
      isQuoted = !isQuoted
    } else if (value[at] === '\\' && isQuoted) {
      at += 1
    }
  }
  if (start < value.length) members.push(value.slice(start).trim())
  return members.filter((member) => member !== '')
}
