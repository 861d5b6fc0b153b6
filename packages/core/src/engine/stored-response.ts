import { hash } from 'node:crypto'

import {
  type Coding,
  acceptedCodings,
  encodedFields,
  isEncodable,
  varyingByEncoding,
  variesByCoding,
} from '../policy/content-coding.ts'
import { type Decision, decide } from '../policy/decide.ts'
import { type FieldLines, type SelectingHead, valueOf, withoutField } from '../policy/fields.ts'
import { type Freshness, shortened } from '../policy/freshness.ts'
import { storeKey, variantKey } from '../policy/key.ts'
import { isSelectedBy } from '../policy/vary.ts'
import type { Claim } from './claim.ts'
import { KeptHead } from './kept-head.ts'
import { Representation, compact } from './representation.ts'
import type { StoredParts } from './stored-parts.ts'

const WRITTEN = Promise.resolve()

/** Ways to accept that are remembered for a response. */
const MAX_CHOICES = 20

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

export function hasNoContent(status: number): boolean {
  return status === 204 || status === 304
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
