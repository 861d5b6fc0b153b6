import { invalidSelector } from '../errors.ts'
import type { QueryRule } from '../options.ts'
import type { Selector } from '../types.ts'
import { canonicalQuery, parseSearchRule } from './no-vary-search.ts'
import { keyedQuery } from './query.ts'

/** What a stored response is known by when something is purged. */
export interface Place {
  /** Host as sent. */
  readonly host: string
  /** Host as sent and as forwarded, in lower-case. */
  readonly hosts: readonly string[]
  readonly path: string
  /** The keyed query, and the rule that made it so: a purge's raw query goes through the same rule. */
  readonly query: string
  readonly queryRule: QueryRule
  /** Its No-Vary-Search, where that is honoured. */
  readonly search: string | undefined
  readonly route: string | undefined
  readonly tags: readonly string[]
}

/** A selector that has been read: ready to be matched, and fit to be stored as JSON. */
export type ReadSelector =
  | { readonly kind: 'url' | 'prefix'; readonly host: string | undefined; readonly path: string }
  | { readonly kind: 'route' | 'tag'; readonly name: string; readonly host?: string | undefined }
  | { readonly kind: 'all' }

/** Reads a selector; throws CACHEBACK_INVALID_SELECTOR. */
export function readSelector(selector: Selector): ReadSelector {
  const entries = typeof selector === 'object' && selector !== null ? Object.entries(selector) : []
  const [entry] = entries
  if (entry === undefined || entries.length !== 1) throw invalidSelector(selector)
  const [kind, value] = entry
  if (kind === 'all' && value === true) return { kind }
  if (typeof value !== 'string' || value === '') throw invalidSelector(selector)
  if (kind === 'route' || kind === 'tag') return { kind, name: value }
  if (kind === 'url' || kind === 'prefix') {
    const absolute = /^https?:\/\/([^/?#]+)(.*)$/i.exec(value)
    const path = absolute === null ? value : absolute[2]!
    if (absolute === null && !value.startsWith('/')) throw invalidSelector(selector)
    return { kind, host: absolute?.[1]!.toLowerCase(), path: path.startsWith('/') ? path : `/${path}` }
  }
  throw invalidSelector(selector)
}

export function selects(selector: ReadSelector, place: Place): boolean {
  switch (selector.kind) {
    case 'all':
      return true
    case 'route':
      return place.route === selector.name
    case 'tag':
      return isHost(selector.host, place) && place.tags.includes(selector.name)
    case 'prefix':
      return isHost(selector.host, place) && (place.path + place.query).startsWith(selector.path)
    case 'url': {
      const mark = selector.path.indexOf('?')
      const path = mark === -1 ? selector.path : selector.path.slice(0, mark)
      const query = mark === -1 ? '' : selector.path.slice(mark)
      return isHost(selector.host, place) && place.path === path && isSameQuery(place, query)
    }
  }
}

/** Whether a stored response answers this query: the same, or the same by its own No-Vary-Search. */
export function isSameQuery({ queryRule, query, search }: Place, rawQuery: string): boolean {
  const keyed = keyedQuery(queryRule, rawQuery)
  const rule = search === undefined ? undefined : parseSearchRule(search)
  return rule === undefined ? keyed === query : canonicalQuery(rule, keyed) === canonicalQuery(rule, query)
}

const isHost = (host: string | undefined, place: Place): boolean => host === undefined || place.hosts.includes(host)
