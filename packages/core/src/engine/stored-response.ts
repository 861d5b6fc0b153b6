import { hash } from 'node:crypto'

import type { Rules } from '../settings.ts'
import {
  type Coding,
  acceptedCodings,
  encodedFields,
  isEncodable,
  varyingByEncoding,
  variesByCoding,
} from '../policy/content-coding.ts'
import { type Decision, decide } from '../policy/decide.ts'
import {
  type FieldLines,
  type RequestHead,
  type SelectingHead,
  unstoredFields,
  valueOf,
  withoutField,
} from '../policy/fields.ts'
import { type Freshness, shortened } from '../policy/freshness.ts'
import { type RequestKey, storeKey, variantKey, withQuery } from '../policy/key.ts'
import { canonicalQuery, readSearchRule } from '../policy/no-vary-search.ts'
import { hostsOf } from '../policy/origin.ts'
import type { Place } from '../policy/selector.ts'
import { type Head, type Storable, hasValidator } from '../policy/storable.ts'
import { tagsOf } from '../policy/tags.ts'
import { type Selecting, isSelectedBy, selectingOf } from '../policy/vary.ts'
import type { Claim } from './claim.ts'
import { KeptHead } from './kept-head.ts'
import { Representation, compact } from './representation.ts'

/** What is written to a store and read from it: all that another process needs. */
export interface StoredParts {
  /** The full key of the request. */
  readonly key: string
  readonly selecting: Selecting
  readonly status: number
  readonly reason: string | undefined
  readonly fields: FieldLines
  readonly body: Buffer
  readonly place: Place
  readonly freshness: Freshness
  readonly receivedAt: number
  readonly authorized: boolean
  /** Until when it is worth keeping, if only to be validated. */
  readonly keepUntil: number
  /** Whether its lifetime is a guess. */
  readonly isHeuristic: boolean
  /** Whether it was captured in front of the whole app: nothing of it was left to layers outside the cache. */
  readonly isWhole: boolean
  /** Whether it was captured by the rules of an inner layer of the cache, which are not known where it is found first. */
  readonly isInner: boolean
  /** Whether its ETag is ours: the app does not know it and cannot be asked about it. */
  readonly hasOwnEtag: boolean
  /** The number of the newest purge that was known when its render began. */
  readonly epoch: number
}

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

/** All of it but the fields and the body, of which memory has a form of its own. */
export type StoredHead = Omit<StoredParts, 'body' | 'fields'>

const WRITTEN = Promise.resolve()

/** Ways to accept that are remembered for a response. */
const MAX_CHOICES = 20

/** Expiry in a store is garbage collection, not freshness: clocks differ. */
const EXPIRY_MARGIN_MS = 10_000
const MAX_TTL_MS = 365 * 86_400_000

/** For how many milliseconds a store is to keep a response. */
export function ttlMsOf({ keepUntil, receivedAt }: StoredHead): number {
  return Math.min(keepUntil - receivedAt + EXPIRY_MARGIN_MS, MAX_TTL_MS)
}

/** Bytes that an entry costs beside its body, head and key. */
const ENTRY_OVERHEAD_BYTES = 900
/** Of the digest in an ETag of our own. */
const ETAG_LENGTH = 27
/** What such an ETag adds to a head. */
const OWN_ETAG_BYTES = lengthOf(['ETag', `"${'-'.repeat(ETAG_LENGTH)}"`])

/** A stored response, and what this process has learned about it since. */
export class StoredResponse {
  readonly parts: KeptHead
  readonly order: number
  /** Whether it is to be had in content codings. */
  readonly isEncodable: boolean
  readonly #isVarying: boolean
  readonly #body: string | Buffer
  /** Its fields, until the form that goes out is made; then only where they are others: most need not have them twice. */
  #fields: FieldLines | undefined
  #identity: Representation | undefined
  size: number
  hits = 0
  /** Settles when it is in the store; never rejects. */
  written: Promise<void> = WRITTEN
  /** Its place in the order of all processes; 0 where there is none. */
  rank = 0
  /** The claim under which it was rendered, where several processes share a store. */
  claim: Claim | undefined
  /** Until when memory may vouch for it, whatever it hears of other processes: it was rendered here a moment ago. */
  vouchedUntil = 0
  /** Whether it has been in the store: then it is gone when it is not there. */
  isInStore = false
  /** Taken out of storage; who still holds it must not serve it. */
  isRemoved = false
  #freshness: Freshness
  /** The generation of purges against which it has been checked. */
  checkedAgainst = -1
  #storeKey: string | undefined
  #variant: string | undefined
  #encoded: Map<Coding, Representation> | undefined
  /** What clients have been given by what they accept: browsers say so in a handful of ways. */
  #chosen: Map<string, Representation> | undefined

  /** `precompress`: whether its route wants it in content codings. */
  constructor(parts: StoredParts, order: number, precompress = false) {
    const { key, selecting, place, status, fields, body } = parts
    this.parts = new KeptHead(parts)
    this.order = order
    this.#freshness = this.parts.freshness
    this.isEncodable = precompress && isEncodable(status, fields, body.length)
    this.#isVarying = precompress && variesByCoding(status, fields)
    this.#fields = fields
    this.#body = compact(body)
    const text = lengthOf(fields) + lengthOf(selecting) + lengthOf(place.tags) + lengthOf(place.hosts)
    const etag = this.#lacksEtag(fields) ? OWN_ETAG_BYTES : 0
    this.size = ENTRY_OVERHEAD_BYTES + body.length + text + etag + key.length + place.path.length + place.query.length
  }

  /** As the app has made it. What is rendered and never asked for again needs no form to go out in. */
  get identity(): Representation {
    return (this.#identity ??= this.#prepare())
  }

  #prepare(): Representation {
    const given = this.#fields!
    const fields = this.#lacksEtag(given) ? [...given, 'ETag', strongEtag(this.bytes)] : given
    const sent = withoutField(this.#isVarying ? varyingByEncoding(fields) : fields, 'cache-status')
    const isSentAsGiven = !this.#isVarying && sent.length === fields.length
    if (!hasNoContent(this.parts.status)) sent.push('Content-Length', String(this.#body.length))
    const identity = new Representation(sent, this.#body)
    this.#fields = isSentAsGiven ? undefined : fields
    return identity
  }

  /** Whether it is to have an ETag of our own and has none yet; what comes from a store has it. */
  #lacksEtag(fields: FieldLines): boolean {
    return this.parts.hasOwnEtag && valueOf(fields, 'etag') === undefined
  }

  decide(request: { readonly authorized: boolean }, now: number): Decision {
    const { receivedAt, authorized } = this.parts
    return decide({ freshness: this.#freshness, receivedAt, authorized }, request, now)
  }

  /** As it is written to a store. */
  get whole(): StoredParts {
    return { ...this.parts.whole, fields: this.fields, body: this.bytes }
  }

  get bytes(): Buffer {
    const body = this.#body
    return typeof body === 'string' ? Buffer.from(body, 'latin1') : body
  }

  hasCoding(coding: Coding): boolean {
    return this.#encoded?.has(coding) === true
  }

  /** Adds a form of it. */
  represent(coding: Coding, body: string | Buffer): void {
    const representation = new Representation(encodedFields(this.identity.fields, coding, body.length), body)
    this.#encoded ??= new Map()
    this.#encoded.set(coding, representation)
    this.#chosen = new Map()
    this.size += representation.body.length + lengthOf(representation.fields)
  }

  /** Takes the forms of another response over, whose bytes are the same. */
  takeForms(other: StoredResponse): void {
    if (!this.isEncodable) return
    for (const [coding, { body }] of other.#encoded ?? []) this.represent(coding, body)
  }

  /** The form that suits a client best. */
  representationFor(acceptEncoding: string | undefined): Representation {
    if (this.#encoded === undefined || this.#chosen === undefined || acceptEncoding === undefined) return this.identity
    const known = this.#chosen.get(acceptEncoding)
    if (known !== undefined) return known
    const [best] = acceptedCodings(acceptEncoding, [...this.#encoded.keys()])
    const chosen = (best === undefined ? undefined : this.#encoded.get(best)) ?? this.identity
    if (this.#chosen.size < MAX_CHOICES) this.#chosen.set(acceptEncoding, chosen)
    return chosen
  }

  get fields(): FieldLines {
    // First, for it makes what may be missing: the ETag.
    const { fields } = this.identity
    if (this.#fields !== undefined) return this.#fields
    return hasNoContent(this.parts.status) ? fields : fields.slice(0, -2)
  }

  get freshness(): Freshness {
    return this.#freshness
  }

  /** Whether a soft purge has ended its lifetime. */
  get isExpired(): boolean {
    return this.#freshness !== this.parts.freshness
  }

  /** A soft purge ends its lifetime now; the windows behind that keep their length, and lengthen nothing. */
  expire(at: number): void {
    this.#freshness = shortened(this.#freshness, Math.max(0, this.#freshness.freshUntil - at))
  }

  /** The conditions by which the app can be asked whether it is still the same (RFC 9111 §4.3.1); empty where it gave no validator. */
  get validators(): readonly string[] {
    const { fields } = this
    const etag = this.parts.hasOwnEtag ? undefined : valueOf(fields, 'etag')
    const lastModified = valueOf(fields, 'last-modified')
    return [
      ...(etag === undefined ? [] : ['If-None-Match', etag]),
      ...(lastModified === undefined ? [] : ['If-Modified-Since', lastModified]),
    ]
  }

  isSelectedBy(request: SelectingHead): boolean {
    return isSelectedBy(this.parts.selecting, request)
  }

  /** The full key of this variant. */
  get variant(): string {
    this.#variant ??= variantKey(this.parts.key, this.parts.selecting)
    return this.#variant
  }

  /** What caches before the app have said of this response; ours is appended to it. */
  get upstreamStatus(): string | undefined {
    return this.#fields && valueOf(this.#fields, 'cache-status')
  }

  storeKey(namespace: string): string {
    const { place, key } = this.parts
    this.#storeKey ??= storeKey(namespace, place.host, place.path, variantKey(key, this.parts.selecting))
    return this.#storeKey
  }
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
      selecting: selectingOf(selectingNames(storable, context), context.request),
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
  const tags = new Set([...tagsOf(fields), ...more])
  return tags.size === 0 ? NONE : [...tags]
}

const NONE: readonly string[] = []

/** With `sealed` a response is for those alone who send what its render has seen. */
export function selectingNames({ vary }: Storable, { rules, carried = [] }: RenderContext): readonly string[] {
  if (!rules.sealed) return vary
  const unnamed = carried.filter((name) => !vary.includes(name) && !rules.vary.includes(name) && name !== 'host')
  return unnamed.length === 0 ? vary : [...vary, ...unnamed].toSorted()
}

export function hasNoContent(status: number): boolean {
  return status === 204 || status === 304
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

/** RFC 9110 §8.8.3: the same bytes have the same tag, other bytes another. */
function strongEtag(body: Buffer): string {
  return `"${hash('sha256', body, 'base64url').slice(0, ETAG_LENGTH)}"`
}

function lengthOf(strings: readonly (string | null)[]): number {
  let length = 0
  for (const string of strings) length += (string?.length ?? 0) + 4
  return length
}
