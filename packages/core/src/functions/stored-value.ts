import type { Claim } from '../engine/claim.ts'
import { StoredResponse } from '../engine/stored-response.ts'
import { Own } from '../node/own.ts'
import type { RequestHead } from '../policy/fields.ts'
import type { Freshness } from '../policy/freshness.ts'
import type { RequestKey } from '../policy/key.ts'
import type { Place } from '../policy/selector.ts'
import { decodeError, decodeUnknown, decodeValue, freezePlain } from './codec.ts'

/**
 * A value is stored as a response: under a key that no request can have, with the encoded value for a body. So memory and
 * its bound, the store, purges, order and events are those of pages.
 */
const VALUE_STATUS = 200
const ERROR_STATUS = 500

/** Nothing of a request selects among values. */
export const NO_REQUEST: RequestHead = {
  method: 'GET',
  secure: false,
  target: '',
  rewritten: undefined,
  headers: {},
  rawHeaders: [],
}

/** Who decides whether a value is fresh: nobody with credentials. */
export const NOBODY = { authorized: false }

/** The full key of a call: no request's begins with this scheme. */
export const fullKeyOf = (key: string): string => SCHEME + key
export const keyOfFull = (full: string): string => full.slice(SCHEME.length)
const SCHEME = 'function:'

/** `key`: readable, `name:arguments`. */
export function requestKeyOf(key: string): RequestKey {
  return {
    full: fullKeyOf(key),
    scheme: 'http',
    host: '',
    hasHost: false,
    path: pathOf(key),
    query: '',
    origin: NONE,
    configured: NONE,
    cookies: '',
    content: undefined,
    contentFields: NONE,
    rewritten: undefined,
    hides: false,
  }
}

/** A path that begins with no slash, so that no selector of pages means it, and has no query. */
export const pathOf = (key: string): string => key.replaceAll(/[%?]/g, (one) => (one === '?' ? '%3F' : '%25'))

const NONE: readonly never[] = []

export interface ValueDetails {
  /** Readable. */
  readonly key: string
  /** The function's. */
  readonly name: string
  readonly tags: readonly string[]
  readonly body: Buffer
  readonly isError: boolean
  readonly freshness: Freshness
  readonly epoch: number
  readonly order: number
  readonly claim?: Claim | undefined
}

export function storedValue(details: ValueDetails): StoredResponse {
  const { key, name, tags, body, isError, freshness, epoch, order, claim } = details
  const { bornAt, freshUntil, staleUntil, errorUntil } = freshness
  const place: Place = {
    host: '',
    hosts: NONE,
    path: pathOf(key),
    query: '',
    queryRule: true,
    search: undefined,
    route: name,
    tags,
  }
  const response = new StoredResponse(
    {
      key: fullKeyOf(key),
      selecting: NONE,
      status: isError ? ERROR_STATUS : VALUE_STATUS,
      reason: undefined,
      fields: NONE,
      body,
      place,
      freshness,
      receivedAt: bornAt,
      authorized: false,
      keepUntil: Math.max(freshUntil, staleUntil, errorUntil),
      isHeuristic: false,
      isWhole: false,
      isInner: false,
      hasOwnEtag: false,
      epoch,
    },
    order,
  )
  if (claim !== undefined) {
    response.claim = claim
    response.rank = claim.rank
  }
  return response
}

export const isError = (response: StoredResponse): boolean => response.parts.status === ERROR_STATUS

/** What all callers share: kept beside the response, so that a hit decodes nothing. */
const shared = new Own<Promise<unknown>>()
/** Values that are not plain: each caller gets one of his own. */
const unshared = new Own<true>()

/**
 * What a caller gets: the value, or a rejection with the error that was kept. Plain values are frozen and shared, others
 * decoded for each. `onGrown` hears of the room that a shared one takes. Throws for bytes that are no value.
 */
export function give(response: StoredResponse, onGrown?: () => void): Promise<unknown> {
  return shared.get(response) ?? read(response, onGrown)
}

function read(response: StoredResponse, onGrown?: () => void): Promise<unknown> {
  if (isError(response)) return Promise.reject(decodeError(response.bytes))
  if (unshared.has(response)) return Promise.resolve(decodeValue(response.bytes))
  const value = decodeUnknown(response.bytes)
  const bytes = freezePlain(value)
  if (bytes === undefined) {
    unshared.set(response, true)
    // Some of it may have been frozen before that was known.
    return Promise.resolve(decodeValue(response.bytes))
  }
  const promise = Promise.resolve(value)
  shared.set(response, promise)
  response.size += bytes
  onGrown?.()
  return promise
}
