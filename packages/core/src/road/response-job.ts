import { isIP } from 'node:net'

import type { RefreshJob } from '../engine/job-queue.ts'
import type { StoredResponse } from '../engine/stored-response.ts'
import { headOf } from '../node/render-request.ts'
import type { RenderRequest } from '../node/renderer.ts'
import { MAX_TARGET_LENGTH } from '../policy/eligible.ts'
import { type FieldLines, MAX_CONTENT_BYTES, type RequestHead } from '../policy/fields.ts'
import { type RequestKey, digest } from '../policy/key.ts'

export const RESPONSE_JOB = 'response'

/** What a worker is told of a stale response: the keyed parts of its request, and what is known of it. */
export interface ResponseJob {
  /** The request as a render would send it: nothing in it that is not in the key or selects among the variants. */
  readonly head: RequestHead
  /** The selecting headers that the stored response has named. */
  readonly carried: readonly string[]
  /** The address of the app's peer, by which it judges the forwarded origin. */
  readonly peer: string | undefined
  /** The full key under which the sender looks for it. */
  readonly full: string
  /** When the stale response was received: a newer one that is fresh is as good as a render. */
  readonly receivedAt: number
  /** The newest purge that the sender knew. */
  readonly epoch: number
}

/** The job of refreshing a stale response. `request`: the render request that this process would send itself. */
export function responseJob(
  key: RequestKey,
  request: RenderRequest,
  carried: readonly string[],
  response: StoredResponse,
  epoch: number,
): RefreshJob {
  const { secure, target, headers, content, remoteAddress } = request
  return {
    kind: RESPONSE_JOB,
    id: digest(`${RESPONSE_JOB}${response.variant}`),
    payload: {
      secure,
      target,
      rewritten: key.rewritten,
      headers,
      content: content?.toString('base64'),
      carried,
      peer: remoteAddress,
      full: key.full,
      receivedAt: response.parts.receivedAt,
      epoch,
    },
  }
}

const MAX_LINES = 128
const MAX_LINE_LENGTH = 16 * 1024
const MAX_HEAD_LENGTH = 64 * 1024
/** What content takes in base64. */
const MAX_ENCODED_LENGTH = Math.ceil(MAX_CONTENT_BYTES / 3) * 4

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/
const VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/
/** What a request line can carry of the app's own: no other host, no authority, no asterisk. */
const PATH = /^\/[\u0021-\u00ff]*$/
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** Reads a job that may come from anybody who can write to the queue. Undefined for what is none of ours. */
export function readResponseJob(payload: unknown): ResponseJob | undefined {
  const { secure, target, rewritten, headers, content, carried, peer, full, receivedAt, epoch } = recordOf(payload)
  if (typeof secure !== 'boolean' || !isPath(target) || !isLines(headers)) return undefined
  if (rewritten !== undefined && !isPath(rewritten)) return undefined
  if (content !== undefined && !isText(content, MAX_ENCODED_LENGTH, BASE64)) return undefined
  if (!isNames(carried) || (peer !== undefined && !isAddress(peer))) return undefined
  if (typeof full !== 'string' || full.length > 2 * MAX_HEAD_LENGTH) return undefined
  if (!Number.isFinite(receivedAt) || !Number.isSafeInteger(epoch)) return undefined
  const read = content === undefined ? undefined : Buffer.from(content, 'base64')
  const head = headOf({ secure, target, headers, content: read, remoteAddress: '' })
  return {
    head: { ...head, rewritten },
    carried,
    peer,
    full,
    receivedAt: receivedAt as number,
    epoch: epoch as number,
  }
}

const recordOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

const isText = (value: unknown, maxLength: number, form: RegExp): value is string =>
  typeof value === 'string' && value.length <= maxLength && form.test(value)

const isPath = (value: unknown): value is string => isText(value, MAX_TARGET_LENGTH, PATH)

const isAddress = (value: unknown): value is string => typeof value === 'string' && isIP(value) !== 0

const isNames = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length <= MAX_LINES && value.every((name) => isText(name, 100, NAME))

function isLines(value: unknown): value is FieldLines {
  if (!Array.isArray(value) || value.length > 2 * MAX_LINES || value.length % 2 !== 0) return false
  let length = 0
  for (const [i, text] of value.entries()) {
    if (!isText(text, MAX_LINE_LENGTH, i % 2 === 0 ? NAME : VALUE)) return false
    length += text.length
  }
  return length <= MAX_HEAD_LENGTH
}
