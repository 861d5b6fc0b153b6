import type { RefreshJob } from '../engine/job-queue.ts'
import { digest } from '../policy/key.ts'
import { keyOfArguments } from './argument-key.ts'
import type { CallRequest } from './call.ts'
import { decodeUnknown, encodeValue } from './codec.ts'
import type { AnyArgs } from './function-settings.ts'

export const FUNCTION_JOB = 'function'

/** What a worker is told of a call: which function, its arguments, and what is known of its value. */
export interface FunctionJob {
  readonly name: string
  readonly args: AnyArgs
  /** The full key under which the sender looks for the value. */
  readonly full: string
  /** The newest purge that the sender knew. */
  readonly epoch: number
  /** Whether what is fresh is made anew as well: a scheduled one. */
  readonly always: boolean
}

/** What arguments take at most on their way; calls with larger ones stay in their process. */
const MAX_ARGS_BYTES = 8 * 1024
const MAX_TEXT_LENGTH = Math.ceil(MAX_ARGS_BYTES / 3) * 4
const MAX_NAME_LENGTH = 100
const MAX_FULL_LENGTH = 2048
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/**
 * The job of a call. Undefined where a worker would not get the same arguments, or could not call the function as it is
 * called here: with a `this`, which stays where it is.
 */
export function functionJob(call: CallRequest, epoch: number, always = false): RefreshJob | undefined {
  const { self, name, full } = call
  const args = self === undefined ? encodeArguments(name, call.args) : undefined
  if (args === undefined) return undefined
  const id = digest(`${FUNCTION_JOB}${always ? '!' : ''}${full}`)
  return { kind: FUNCTION_JOB, id, payload: { name, args, full, epoch, always } }
}

/** An instance of a class arrives as something else: then the arguments have another key, or none. */
function encodeArguments(name: string, args: AnyArgs): string | undefined {
  try {
    const bytes = encodeValue(args)
    if (bytes.length > MAX_ARGS_BYTES) return undefined
    const arrived = decodeUnknown(bytes) as AnyArgs
    return keyOfArguments(name, arrived) === keyOfArguments(name, args) ? bytes.toString('base64') : undefined
  } catch {
    return undefined
  }
}

/** Reads a job that may come from anybody who can write to the queue. Undefined for what is none of ours. */
export function readFunctionJob(payload: unknown): FunctionJob | undefined {
  const record = (typeof payload === 'object' && payload !== null ? payload : {}) as Record<string, unknown>
  const { name, args, full, epoch, always } = record
  if (typeof name !== 'string' || name.length > MAX_NAME_LENGTH) return undefined
  if (typeof full !== 'string' || full.length > MAX_FULL_LENGTH) return undefined
  if (!Number.isSafeInteger(epoch) || typeof always !== 'boolean') return undefined
  const decoded = typeof args === 'string' ? decodeArguments(args) : undefined
  return decoded === undefined ? undefined : { name, args: decoded, full, epoch: epoch as number, always }
}

function decodeArguments(text: string): AnyArgs | undefined {
  if (text.length > MAX_TEXT_LENGTH || !BASE64.test(text)) return undefined
  try {
    const args = decodeUnknown(Buffer.from(text, 'base64'))
    return Array.isArray(args) ? args : undefined
  } catch {
    return undefined
  }
}
