import type { Got } from '../../support/client.ts'
import type { Sent } from './key.ts'

/** What the cache and the connection say of themselves. */
const OF_THE_HOP = ['cache-status', 'date', 'connection', 'keep-alive']
/** What differs between an exchange and what is kept of it: framing, age, and what belongs to one exchange alone. */
const OF_THE_EXCHANGE = [
  ...OF_THE_HOP,
  'age',
  'warning',
  'transfer-encoding',
  'content-length',
  'x-request-id',
  'x-outer',
  'x-hop',
  'set-cookie',
  'x-validated',
]
const OF_THE_BODY = ['content-type', 'content-length', 'content-range', 'transfer-encoding', 'content-encoding']

type FieldMap = Readonly<Record<string, string>>

const without = (fields: FieldMap, names: readonly string[]): FieldMap =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)))

function difference(one: FieldMap, other: FieldMap): string | undefined {
  const name = [...Object.keys(one), ...Object.keys(other)].find((each) => one[each] !== other[each])
  return name === undefined ? undefined : `${name} is ${one[name]}, not ${other[name]}`
}

/** Whether the request has conditions that the cache may answer itself. */
export const isClientsOwn = ({ headers }: Sent): boolean =>
  headers['if-none-match'] !== undefined || headers['if-modified-since'] !== undefined

/** How an answer differs from that of the app without the cache. `sent`: whose conditions the cache may have judged. */
export function ownFlaw(got: Got, expected: Got, sent?: Sent): string | undefined {
  if (sent !== undefined && got.status === 304 && expected.status === 200) {
    if (!isKnown(sent, got.headers)) return 'no such condition'
    if (got.body.length > 0) return 'a body'
    const names = [...OF_THE_HOP, ...OF_THE_BODY]
    return difference(without(got.headers, names), without(expected.headers, names))
  }
  if (!expected.complete || !got.complete) return got.complete === expected.complete ? undefined : 'cut off'
  if (got.status !== expected.status) return `status ${got.status}, not ${expected.status}`
  if (!got.body.equals(expected.body)) return 'another body'
  return difference(without(got.headers, OF_THE_HOP), without(expected.headers, OF_THE_HOP))
}

/** How a body differs from a stored one, or from the part of it that was asked for. */
export function bodyFlaw(got: Got, whole: Got, sent: Sent): string | undefined {
  if (got.status === 304) {
    if (got.body.length > 0) return 'a 304 with a body'
    return isKnown(sent, got.headers) ? undefined : 'a 304 that nobody asked for'
  }
  if (!whole.complete || !got.complete) return got.complete === whole.complete ? undefined : 'cut off'
  if (got.status === 416) return sent.headers['range']?.includes('99999') === true ? undefined : 'a 416'
  if (got.status === 206) return partFlaw(got, whole, sent)
  if (got.status !== whole.status) return `status ${got.status}, not ${whole.status}`
  if (sent.method === 'HEAD') return got.body.length === 0 ? undefined : 'a body for a HEAD'
  return got.body.equals(whole.body) ? undefined : 'another body'
}

function partFlaw(got: Got, whole: Got, { headers }: Sent): string | undefined {
  const ifRange = headers['if-range']
  if (ifRange !== undefined && (ifRange !== got.headers['etag'] || ifRange.startsWith('W/'))) return 'another If-Range'
  const boundary = /boundary=(\S+)/.exec(got.headers['content-type'] ?? '')?.[1]
  const pieces = boundary === undefined ? [got.text] : got.text.split(`--${boundary}`).slice(1, -1)
  const ranges = (headers['range'] ?? '').replace('bytes=', '').split(',')
  if (pieces.length !== ranges.length) return `${pieces.length} parts`
  const size = whole.body.length
  return ranges
    .map((range, index) => {
      const [from, to] = range.split('-') as [string, string]
      const first = from === '' ? size - Number(to) : Number(from)
      const last = from === '' || to === '' ? size - 1 : Number(to)
      const slice = whole.text.slice(first, last + 1)
      const piece = pieces[index]!
      if (boundary === undefined) return piece === slice ? undefined : 'another part'
      const isThere = piece.endsWith(`\r\n\r\n${slice}\r\n`) && piece.includes(`bytes ${first}-${last}/${size}`)
      return isThere ? undefined : 'another part of several'
    })
    .find((flaw) => flaw !== undefined)
}

/** How the fields of a stored response differ from those that the handler sent. */
export function fieldsFlaw(got: Got, whole: Got): string | undefined {
  if (whole.headers['set-cookie'] !== undefined) return 'it has a Set-Cookie'
  const isPart = got.status === 206 || got.status === 304 || got.status === 416
  const ignored = [...OF_THE_EXCHANGE, ...(isPart ? OF_THE_BODY : [])]
  const mine = without(got.headers, whole.headers['etag'] === undefined ? [...ignored, 'etag'] : ignored)
  return difference(mine, without(whole.headers, ignored))
}

const opaque = (tag: string | undefined): string | undefined => tag?.replace(/^W\//, '')

/** Whether a client that says this of what it has knows a response with these fields. */
function isKnown({ headers }: Sent, fields: FieldMap): boolean {
  const tags = headers['if-none-match']
  if (tags !== undefined) return tags === '*' || opaque(tags) === opaque(fields['etag'])
  const since = Date.parse(headers['if-modified-since'] ?? '')
  return Date.parse(fields['last-modified'] ?? fields['date'] ?? '') <= since
}
