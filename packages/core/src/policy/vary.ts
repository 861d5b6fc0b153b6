import type { Rules } from '../settings.ts'
import { type FieldLines, type RequestHead, type SelectingHead, requestValue, valueOf } from './fields.ts'

/** Selecting headers of a stored response (RFC 9111 §4.1): name, value, name, value; null where it was absent. */
export type Selecting = readonly (string | null)[]

const NONE: Selecting = []
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]{1,100}$/
const MAX_NAMES = 32
const MAX_VALUE_LENGTH = 1024

/** Whether this can be the name of a selecting header, as it is compared. */
export const isSelectingName = (name: string): boolean => TOKEN.test(name)

/** What has been read of Vary, by its value: most routes have one or two. */
const read = new WeakMap<Rules, Map<string, VaryReading>>()
const MAX_READ = 50
const MAX_READ_LENGTH = 200

type VaryReading = { readonly names: readonly string[] } | { readonly reason: string }

/** What a response's Vary asks for: names in lower-case, sorted; or why the response cannot be stored. */
export function readVary(fields: FieldLines, rules: Rules): VaryReading {
  const value = valueOf(fields, 'vary')
  if (value === undefined) return NOTHING
  let known = read.get(rules)
  if (known === undefined) read.set(rules, (known = new Map<string, VaryReading>()))
  const before = known.get(value)
  if (before !== undefined) return before
  const reading = readMembers(value, rules)
  if (value.length <= MAX_READ_LENGTH && known.size < MAX_READ) known.set(value, reading)
  return reading
}

const NOTHING: VaryReading = { names: [] }

function readMembers(value: string, rules: Rules): VaryReading {
  const names = new Set<string>()
  for (const member of value.split(',')) {
    const name = member.trim().toLowerCase()
    if (name !== '') names.add(name)
  }
  if (names.has('*')) return { reason: 'vary-any' }
  if (names.size > MAX_NAMES) return { reason: 'vary-invalid' }
  for (const name of names) {
    if (!isSelectingName(name)) return { reason: 'vary-invalid' }
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

/** What these headers of a request are. Responses that were selected by the same share one list. */
export function selectingOf(names: readonly string[], request: RequestHead): Selecting {
  if (names.length === 0) return NONE
  let text = ''
  for (const name of names) {
    const value = requestValue(request, name)
    // With lengths, so that no two lists have the same text, whatever a store or a middleware has put into them.
    text += `${name.length}:${name}${value === null ? '-' : `${value.length}:${value}`}`
  }
  const shared = lists.get(text)
  if (shared !== undefined) return shared
  const selecting = names.flatMap((name) => [name, selectingValue(name, requestValue(request, name))])
  if (text.length > MAX_LIST_LENGTH) return selecting
  if (lists.size === MAX_LISTS) lists.clear()
  lists.set(text, selecting)
  return selecting
}

const lists = new Map<string, Selecting>()
const MAX_LISTS = 500
const MAX_LIST_LENGTH = 500

/** The same headers as the visitor has sent them: what a render is to carry. */
export function carriedOf(names: readonly string[], request: RequestHead): Selecting {
  return names.flatMap((name) => [name, requestValue(request, name)])
}

/**
 * A selecting header as it is compared (RFC 9111 §4.1 allows what cannot change its meaning): white space around the
 * members of a list and empty members are nothing (RFC 9110 §5.6.1), and language ranges have no case (RFC 4647 §2).
 */
function selectingValue(name: string, value: string | null): string | null {
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
    const name = selecting[i]!
    // As it is compared, a value stays as it is: where it was sent like that, nothing has to be made of it.
    const value = requestValue(request, name)
    if (value !== selecting[i + 1] && selectingValue(name, value) !== selecting[i + 1]) return false
  }
  return true
}

/** The names of selecting headers. */
export function namesOf(selecting: Selecting): readonly string[] {
  if (selecting !== lastNamed.selecting) {
    lastNamed = { selecting, names: selecting.filter((_, index) => index % 2 === 0) as string[] }
  }
  return lastNamed.names
}

/** The same list of one response after the other: they share what it names. */
let lastNamed: { readonly selecting: Selecting; readonly names: readonly string[] } = { selecting: NONE, names: [] }
