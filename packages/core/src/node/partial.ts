import { randomBytes } from 'node:crypto'

import type { StoredResponse } from '../engine/stored-response.ts'
import { type FieldLines, valueOf } from '../policy/fields.ts'
import type { ByteRange } from '../policy/ranges.ts'

/** What a 206 or 416 carries in place of the stored Content-Length. */
export interface Partial {
  readonly fields: FieldLines
  readonly body: Buffer | undefined
}

/** A part of a stored body, or several as multipart/byteranges (RFC 9110 §14.6, §15.3.7). */
export function partialOf({ fields, bytes: body }: StoredResponse, ranges: readonly ByteRange[]): Partial {
  const [only] = ranges
  if (ranges.length === 1 && only !== undefined) {
    const part = body.subarray(only[0], only[1] + 1)
    return { fields: ['Content-Range', contentRange(only, body.length), ...lengthOf(part)], body: part }
  }
  const boundary = randomBytes(12).toString('hex')
  const type = valueOf(fields, 'content-type')
  const typeLine = type === undefined ? '' : `Content-Type: ${type}\r\n`
  const pieces = ranges.flatMap((range) => [
    Buffer.from(`\r\n--${boundary}\r\n${typeLine}Content-Range: ${contentRange(range, body.length)}\r\n\r\n`, 'latin1'),
    body.subarray(range[0], range[1] + 1),
  ])
  const whole = Buffer.concat([...pieces, Buffer.from(`\r\n--${boundary}--\r\n`)])
  return { fields: ['Content-Type', `multipart/byteranges; boundary=${boundary}`, ...lengthOf(whole)], body: whole }
}

export function unsatisfiable({ identity: { body } }: StoredResponse): Partial {
  return { fields: ['Content-Range', `bytes */${body.length}`, 'Content-Length', '0'], body: undefined }
}

const contentRange = ([first, last]: ByteRange, size: number): string => `bytes ${first}-${last}/${size}`
const lengthOf = (body: Buffer): string[] => ['Content-Length', String(body.length)]
