import { parseDictionary } from 'structured-headers'

import { type FieldLines, valueOf } from './fields.ts'

/** Which differences of the query do not matter, as a response says of its URL (draft-ietf-httpbis-no-vary-search-05). */
export interface SearchRule {
  readonly ignoresOrder: boolean
  /** The parameters that do not matter; with `isExcept`, all but these do not. */
  readonly names: readonly string[]
  readonly isExcept: boolean
}

/** Reads No-Vary-Search. What is not valid to the last byte says nothing: every difference matters. */
export function readSearchRule(fields: FieldLines): SearchRule | undefined {
  const value = valueOf(fields, 'no-vary-search')
  return value === undefined ? undefined : parseSearchRule(value)
}

export function parseSearchRule(value: string): SearchRule | undefined {
  try {
    const dictionary = parseDictionary(value)
    const order = dictionary.get('key-order')?.[0]
    const params = dictionary.get('params')?.[0]
    const except = dictionary.get('except')?.[0]
    if (params !== undefined && except !== undefined) return undefined
    if (order !== undefined && typeof order !== 'boolean') return undefined
    const names = namesOf(params ?? except)
    if (names === undefined) return undefined
    if (names.length === 0 && except === undefined && order !== true) return undefined
    return { ignoresOrder: order === true, names, isExcept: except !== undefined }
  } catch {
    return undefined
  }
}

/** One spelling for all queries that the rule calls the same; with its `?`, or ''. */
export function canonicalQuery(rule: SearchRule, query: string): string {
  const parameters = [...parametersOf(query.slice(1))].filter(([name]) => rule.names.includes(name) === rule.isExcept)
  const sorted = rule.ignoresOrder ? parameters.toSorted(([a], [b]) => (a < b ? -1 : Number(a > b))) : parameters
  return sorted.length === 0 ? '' : `?${new URLSearchParams(sorted).toString()}`
}

/** The strings of an inner list; undefined where it is anything else. */
function namesOf(member: unknown): readonly string[] | undefined {
  if (member === undefined) return []
  if (!Array.isArray(member)) return undefined
  const names = member.map((item: unknown) => (Array.isArray(item) ? (item[0] as unknown) : item))
  return names.every((name) => typeof name === 'string') ? names.map(decodeName) : undefined
}

/** Names are written as in a query, and mean what they mean there. */
function decodeName(name: string): string {
  const written = name.replaceAll('&', '%26').replaceAll('=', '%3D')
  const [decoded] = parametersOf(`${written}=`).keys()
  return decoded ?? name
}

/** URLSearchParams drops a `?` at the beginning, where here it is the first character of a name. */
const parametersOf = (text: string): URLSearchParams => new URLSearchParams(`&${text}`)
