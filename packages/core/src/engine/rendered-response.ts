import type { Rules } from '../settings.ts'
import { type FieldLines, type RequestHead, unstoredFields, valueOf } from '../policy/fields.ts'
import { type Freshness, shortened } from '../policy/freshness.ts'
import { type RequestKey, withQuery } from '../policy/key.ts'
import { canonicalQuery, readSearchRule } from '../policy/no-vary-search.ts'
import { hostsOf } from '../policy/origin.ts'
import { type Head, type Storable, hasValidator } from '../policy/storable.ts'
import { tagsOf } from '../policy/tags.ts'
import type { Selecting } from '../policy/vary.ts'
import type { Claim } from './claim.ts'
import { StoredResponse } from './stored-response.ts'

/** What a render knows before its response is there. */
export interface RenderContext {
  readonly key: RequestKey
  readonly rules: Rules
  /** The request as the handler saw it. */
  readonly request: RequestHead
  readonly requestedAt: number
  readonly epoch: number
  /** The stored response whose validators the request carries, if it does. */
  readonly validated?: StoredResponse | undefined
  /** Something good is stored already: a failure does not replace it, whatever it says of its freshness. */
  readonly isRefresh?: boolean | undefined
  /** The selecting headers that a render of our own has carried, whether its response names them or not. */
  readonly carried?: readonly string[] | undefined
  /** The how-manieth render of this process: an older one never replaces a newer. */
  readonly order: number
  /** The place of the render in the order of all processes, where they share a store. */
  readonly claim?: Claim | undefined
}

/** Makes a stored response of what has been captured. `standing` are the fields of this one visitor. */
export function storedResponse(
  context: RenderContext,
  head: Head,
  storable: Storable,
  body: Buffer,
  details: {
    readonly standing: FieldLines
    readonly receivedAt: number
    readonly route: string | undefined
    readonly isWhole: boolean
    readonly isInner: boolean
    readonly selecting: Selecting
    readonly tags: readonly string[]
  },
): StoredResponse {
  const { key, rules } = context
  const fields = storedFields(head, rules, details.standing, details.receivedAt)
  const rule = rules.noVarySearch ? readSearchRule(head.fields) : undefined
  const hasOwnEtag = rules.etag && head.status === 200 && !hasValidator(fields)
  const response = new StoredResponse(
    {
      // A response that says which parameters do not matter is stored once for all that differ in them alone.
      key: rule === undefined ? key.full : withQuery(key, canonicalQuery(rule, key.query)).full,
      selecting: details.selecting,
      status: head.status,
      reason: head.reason,
      // An array that has grown has room for as many again.
      fields: fields.slice(),
      body,
      place: {
        host: key.host,
        hosts: hostsOf(key.host, key.origin),
        path: key.path,
        query: key.query,
        queryRule: rules.query,
        search: rule === undefined ? undefined : valueOf(head.fields, 'no-vary-search'),
        route: details.route,
        tags: tagsFrom(head.fields, details.tags),
      },
      freshness: shortened(storable.freshness, jitterMs(storable.freshness, details.receivedAt, rules.jitter)),
      receivedAt: details.receivedAt,
      authorized: storable.authorized,
      keepUntil: storable.keepUntil,
      isHeuristic: storable.isHeuristic,
      hasOwnEtag,
      isWhole: details.isWhole,
      isInner: details.isInner,
      epoch: context.epoch,
    },
    context.order,
    rules.precompress,
  )
  response.claim = context.claim
  if (context.claim !== undefined) response.rank = context.claim.rank
  return response
}

function tagsFrom(fields: FieldLines, more: readonly string[]): readonly string[] {
  const own = tagsOf(fields)
  return own.length + more.length === 0 ? own : [...new Set([...own, ...more])]
}

/** With `sealed` a response is for those alone who send what its render has seen. */
export function selectingNames({ vary }: Storable, { rules, carried = [] }: RenderContext): readonly string[] {
  if (!rules.sealed) return vary
  const unnamed = carried.filter((name) => !vary.includes(name) && !rules.vary.includes(name) && name !== 'host')
  return unnamed.length === 0 ? vary : [...vary, ...unnamed].toSorted()
}

/** What of a head is kept: neither what belongs to one exchange, nor what stood there before for one visitor. */
export function storedFields(head: Head, rules: Rules, standing: FieldLines, receivedAt: number): string[] {
  const isUnstored = unstoredFields(head.fields, rules.omit)
  const own: string[] = []
  for (let i = 0; i < head.fields.length; i += 2) {
    const name = head.fields[i]!.toLowerCase()
    if (!isUnstored(name) && !isUnchanged(name, head.fields, standing)) own.push(head.fields[i]!, head.fields[i + 1]!)
  }
  // Node would write a new Date on every hit (RFC 9110 §6.6.1: the date of origination).
  if (valueOf(own, 'date') === undefined) own.push('Date', httpDate(receivedAt))
  return own
}

/** Those that are made in the same second share one string. */
function httpDate(at: number): string {
  const second = Math.floor(at / 1000)
  if (second !== lastSecond) {
    lastSecond = second
    lastDate = new Date(at).toUTCString()
  }
  return lastDate
}

let lastSecond = Number.NaN
let lastDate = ''

/** A random part of a share of what is left of the lifetime: what was stored together does not expire together. */
function jitterMs({ freshUntil }: Freshness, receivedAt: number, share: number): number {
  return share === 0 ? 0 : Math.max(0, freshUntil - receivedAt) * share * Math.random()
}

/** Whether a field stood there before the cache was entered, and stands there still: it is this visitor's. */
function isUnchanged(name: string, fields: FieldLines, standing: FieldLines): boolean {
  const before = standing.length === 0 ? undefined : valueOf(standing, name)
  return before !== undefined && before === valueOf(fields, name)
}
