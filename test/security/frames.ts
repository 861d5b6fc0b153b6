import { crc32 } from 'node:zlib'

// The form of what is stored, seen from outside: `cbk1`, the length of the head, a checksum, the head as JSON, the body.

export interface Opened {
  readonly head: Record<string, unknown>
  readonly body: Buffer
}

export function open(frame: Uint8Array): Opened {
  const bytes = Buffer.from(frame)
  const headBytes = bytes.readUInt32BE(4)
  return { head: JSON.parse(bytes.toString('utf8', 12, 12 + headBytes)), body: bytes.subarray(12 + headBytes) }
}

/** As a forger makes it, who knows the form: its length and its checksum are right. */
export function forge(head: object | string, body: Buffer, magic = 'cbk1'): Buffer {
  const text = typeof head === 'string' ? head : JSON.stringify(head)
  const rest = Buffer.concat([Buffer.from(text), body])
  const prefix = Buffer.alloc(8)
  prefix.writeUInt32BE(Buffer.byteLength(text))
  prefix.writeUInt32BE(crc32(rest), 4)
  return Buffer.concat([Buffer.from(magic), prefix, rest])
}

function flip(frame: Buffer, at: number): Buffer {
  const flipped = Buffer.from(frame)
  flipped[at]! ^= 0x41
  return flipped
}

type Forgery = readonly [title: string, make: (frame: Buffer, other: Buffer) => Buffer, isForeign?: true]

const withHead =
  (change: (head: Record<string, unknown>) => object | string) =>
  (frame: Buffer): Buffer => {
    const { head, body } = open(frame)
    return forge(change(head), body)
  }
const withField = (name: unknown, value: unknown) =>
  withHead((head) => ({ ...head, fields: [...(head['fields'] as string[]), name, value] }))
const has = (patch: object) => withHead((head) => ({ ...head, ...patch }))
const inside = (member: string, patch: object) =>
  withHead((head) => ({ ...head, [member]: { ...(head[member] as object), ...patch } }))

/** What is wrong with a frame, though a careless reader would take it. */
export const FORGERIES: readonly Forgery[] = [
  [
    'the body of another page',
    (frame, other) => Buffer.concat([frame.subarray(0, -open(frame).body.length), open(other).body]),
  ],
  ['nothing', () => Buffer.alloc(0)],
  ['the first half', (frame) => frame.subarray(0, frame.length >> 1)],
  ['without its last byte', (frame) => frame.subarray(0, -1)],
  ['with a byte more', (frame) => Buffer.concat([frame, Buffer.from('x')])],
  ['twice', (frame) => Buffer.concat([frame, frame])],
  ['one bit of the body', (frame) => flip(frame, frame.length - 1)],
  ['one bit of the head', (frame) => flip(frame, 40)],
  ['a head longer than all', (frame) => flip(frame, 4)],
  ['less body than declared', (frame) => forge(open(frame).head, open(frame).body.subarray(1))],
  ['another version', (frame) => forge(open(frame).head, open(frame).body, 'cbk2')],
  ['no JSON', (frame) => forge('{', open(frame).body)],
  ['null', (frame) => forge('null', open(frame).body)],
  ['everything on the prototype', withHead((head) => `{"__proto__":${JSON.stringify(head)}}`)],
  ['a status that is text', has({ status: '200' })],
  ['status 99', has({ status: 99 })],
  ['status 1000', has({ status: 1000 })],
  ['status 200.5', has({ status: 200.5 })],
  ['a status that is never stored: 206', has({ status: 206 })],
  ['a status that is never stored: 304', has({ status: 304 })],
  ['a reason with a line end', has({ reason: 'OK\r\nSet-Cookie: evil=1' })],
  ['no fields', has({ fields: null })],
  ['fields that are pairs', has({ fields: [['X-Evil', '1']] })],
  ['fields without an end', has({ fields: ['X-Evil'] })],
  ['a field that is a number', withField('X-Evil', 1)],
  ['a line end in a value', withField('X-Evil', 'a\r\nSet-Cookie: evil=1')],
  ['a line feed in a value', withField('X-Evil', 'a\nSet-Cookie: evil=1')],
  ['a NUL in a value', withField('X-Evil', 'a\0')],
  ['a line end in a name', withField('X-Evil\r\nSet-Cookie', 'evil=1')],
  ['a name that is none', withField('X Evil', '1')],
  ['a name that is empty', withField('', '1')],
  ['a value outside of latin1', withField('X-Evil', '\u{1f608}')],
  ['a Set-Cookie', withField('Set-Cookie', 'evil=1')],
  ['a set-cookie', withField('set-cookie', 'evil=1')],
  ['a length of its own', withField('Content-Length', '3')],
  ['a coding of its own', withField('Transfer-Encoding', 'chunked')],
  ['a connection of its own', withField('Connection', 'close, x-secret')],
  ['an age of its own', withField('Age', '1')],
  ['a trailer of its own', withField('Trailer', 'x-evil')],
  ['an upgrade of its own', withField('Upgrade', 'h2c')],
  ['a Keep-Alive of its own', withField('Keep-Alive', 'timeout=9')],
  ['a challenge of a proxy', withField('Proxy-Authenticate', 'Basic realm="evil"')],
  ['an epoch that is text', has({ epoch: '1' })],
  ['a body that is a number', has({ bodyBytes: '12' })],
  ['times that are none', inside('freshness', { freshUntil: null })],
  [
    'times beyond numbers',
    withHead((head) => JSON.stringify(head).replace(/"freshUntil":[\d.]+/, '"freshUntil":1e999')),
  ],
  ['no times', has({ freshness: [] })],
  ['tags that are none', inside('place', { tags: 'all' })],
  ['a place that is none', has({ place: 'here' })],
  ['selecting that is none', has({ selecting: [1, 2] })],
  ['an index that is none', has({ kind: 'vary', names: 'all' })],
  // Whole, and another's: of that a store can be told to connect anew.
  ['the frame of another page', (_frame, other) => other, true],
  [
    'the head of another page',
    (frame, other) => forge({ ...open(frame).head, key: open(other).head['key'] }, open(frame).body),
    true,
  ],
  ['the record of purges', has({ kind: 'purges', marks: [] }), true],
]
