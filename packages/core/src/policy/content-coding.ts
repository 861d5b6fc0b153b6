import compressible from 'compressible'
import Negotiator from 'negotiator'

import type { Rules } from '../settings.ts'
import { parseCacheControl } from './cache-control.ts'
import { type FieldLines, valueOf, valuesOf, withoutField } from './fields.ts'

/** The codings that the cache makes, the best first (RFC 7932, RFC 8878, RFC 1952). */
export const CODINGS = ['br', 'zstd', 'gzip'] as const
export type Coding = (typeof CODINGS)[number]

/** Below this a compressed body saves nothing: it travels in the same packet. */
const MIN_BYTES = 1024
/** What other fields say of the very bytes of a content would be wrong of another form of it. */
const ABOUT_BYTES = ['content-encoding', 'content-md5', 'content-digest', 'digest', 'repr-digest', 'signature']

/** Whether other forms of a response may be made: a type that compresses, and nothing that forbids it (RFC 9111 §5.2.2.6). */
export function isEncodable(status: number, fields: FieldLines, bytes: number): boolean {
  return bytes >= MIN_BYTES && variesByCoding(status, fields)
}

/** The same whatever its length: that is not always known when its head goes out. */
export function variesByCoding(status: number, fields: FieldLines): boolean {
  if (status !== 200) return false
  const type = valueOf(fields, 'content-type')
  if (type === undefined || compressible(type) !== true) return false
  if (ABOUT_BYTES.some((name) => valueOf(fields, name) !== undefined)) return false
  return !parseCacheControl(valuesOf(fields, 'cache-control')).has('no-transform')
}

/** Its types lag behind: with `preferred`, codings that a client likes equally come in our order. */
interface Preferring {
  encodings(available: string[], options?: { readonly preferred: readonly string[] }): string[]
}

/** What a client accepts of these codings, the best first (RFC 9110 §12.5.3); empty where it wants the response as it is. */
export function acceptedCodings(acceptEncoding: string, codings: readonly Coding[]): readonly Coding[] {
  const negotiator: Preferring = new Negotiator({ headers: { 'accept-encoding': acceptEncoding } })
  const accepted = negotiator.encodings([...codings, 'identity'], { preferred: [...codings] })
  return accepted.slice(0, accepted.includes('identity') ? accepted.indexOf('identity') : undefined) as Coding[]
}

/** The Vary that a head needs from the first answer on, if its route wants it in codings. */
export function codingVary(status: number, fields: FieldLines, { precompress }: Rules): string[] {
  const vary = precompress && variesByCoding(status, fields) ? varyWithEncoding(valueOf(fields, 'vary')) : undefined
  return vary === undefined ? [] : ['Vary', vary]
}

/** Says that the response would have been another for another Accept-Encoding (RFC 9110 §12.5.5). */
export function varyingByEncoding(fields: FieldLines): string[] {
  const value = varyWithEncoding(valueOf(fields, 'vary'))
  return value === undefined ? [...fields] : [...withoutField(fields, 'vary'), 'Vary', value]
}

/** The Vary that a response with this one needs, where it does not say so already. */
function varyWithEncoding(vary: string | undefined): string | undefined {
  const names = (vary ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
  if (names.includes('accept-encoding') || names.includes('*')) return undefined
  return vary === undefined || vary.trim() === '' ? 'Accept-Encoding' : `${vary}, Accept-Encoding`
}

/** The fields of a response in a coding: other bytes have another length and another tag (RFC 9110 §8.8.3.3). */
export function encodedFields(fields: FieldLines, coding: Coding, bytes: number): string[] {
  const etag = valueOf(fields, 'etag')
  const others = withoutField(withoutField(withoutField(fields, 'etag'), 'content-length'), 'accept-ranges')
  const tag = etag === undefined ? [] : ['ETag', etag.replace(/"$/, `-${coding}"`)]
  return [...others, ...tag, 'Content-Encoding', coding, 'Content-Length', String(bytes)]
}
