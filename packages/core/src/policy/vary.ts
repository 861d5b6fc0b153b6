import type { Rules } from '../settings.ts'
import { type FieldLines, type RequestHead, type SelectingHead, requestValue, valuesOf } from './fields.ts'

/** Selecting headers of a stored response (RFC 9111 §4.1): name, value, name, value; null where it was absent. */
export type Selecting = readonly (string | null)[]

const NONE: Selecting = []
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]{1,100}$/
const MAX_NAMES = 32
const MAX_VALUE_LENGTH = 1024

/** What a response's Vary asks for: names in lower-case, sorted; or why the response cannot be stored. */
export function readVary(fields: FieldLines, rules: Rules): { names: readonly string[] } | { reason: string } {
  const names = new Set<string>()
  for (const value of valuesOf(fields, 'vary')) {
    for (const member of value.split(',')) {
      const name = member.trim().toLowerCase()
      if (name !== '') names.add(name)
    }
  }
  if (names.has('*')) return { reason: 'vary-any' }
  if (names.size > MAX_NAMES) return { reason: 'vary-invalid' }
  for (const name of names) {
    if (!TOKEN.test(name)) return { reason: 'vary-invalid' }
    if (name === 'authorization' || rules.credentials.includes(name)) return { reason: 'vary-credential' }
  }
  if (names.has('cookie') && !coversCookies(rules)) return { reason: 'vary-cookie' }
  // In the key already: the cookies by their own rule, Host, and what the option `vary` names.
  names.delete('cookie')
  names.delete('host')
  for (const name of rules.vary) names.delete(name)
  return { names: [...names].toSorted() }
}

/** Whether requests that the handler could tell apart by their cookies have different keys or none. */
function coversCookies({ cookies }: Rules): boolean {
  return cookies === 'bypass' || (typeof cookies === 'object' && 'key' in cookies)
}

export function selectingOf(names: readonly string[], request: RequestHead): Selecting {
  return names.length === 0 ? NONE : names.flatMap((name) => [name, selectingValue(request, name)])
}

/** The same headers as the visitor has sent them: what a render is to carry. */
export function carriedOf(names: readonly string[], request: RequestHead): Selecting {
  return names.flatMap((name) => [name, requestValue(request, name)])
}

/**
 * A selecting header as it is compared (RFC 9111 §4.1 allows what cannot change its meaning): white space around the
 * members of a list and empty members are nothing (RFC 9110 §5.6.1), and language ranges have no case (RFC 4647 §2).
 */
function selectingValue(request: SelectingHead, name: string): string | null {
  const value = requestValue(request, name)
  // A quoted string may hold commas and spaces that count.
  if (value === null || value.includes('"')) return value
  const members = value.split(',').map((member) => member.trim())
  const list = members.length === 1 ? members[0]! : members.filter((member) => member !== '').join(',')
  return name === 'accept-language' ? list.toLowerCase() : list
}

/** Whether a response was selected by a header so long that keeping it would cost more than rendering it again. */
export function isSelectingTooLong(selecting: Selecting): boolean {
  return selecting.some((value) => value !== null && value.length > MAX_VALUE_LENGTH)
}

export function isSelectedBy(selecting: Selecting, request: SelectingHead): boolean {
  for (let i = 0; i < selecting.length; i += 2) {
    if (selectingValue(request, selecting[i]!) !== selecting[i + 1]) return false
  }
  return true
}

/** The names of selecting headers. */
export function namesOf(selecting: Selecting): string[] {
  return selecting.filter((_, index) => index % 2 === 0) as string[]
}
