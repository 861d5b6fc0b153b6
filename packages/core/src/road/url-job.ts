import type { RefreshJob } from '../engine/job-queue.ts'
import { digest } from '../policy/key.ts'

export const URL_JOB = 'url'

/** A refresh of a URL that nobody has asked for at this moment: a scheduled one. */
export interface UrlJob {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

export function urlJob(url: string, headers: Readonly<Record<string, string>>): RefreshJob {
  const pairs = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  const sorted = Object.fromEntries(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)))
  return {
    kind: URL_JOB,
    id: digest(JSON.stringify([URL_JOB, url, sorted])),
    payload: { url, headers: sorted },
  }
}

const MAX_URL_LENGTH = 8192 + 300
const MAX_HEADERS = 32
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]{1,100}$/
const VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]{0,8192}$/

/** Reads a job that may come from anybody who can write to the queue. Undefined for what is none of ours. */
export function readUrlJob(payload: unknown): UrlJob | undefined {
  const { url, headers } = (typeof payload === 'object' && payload !== null ? payload : {}) as Record<string, unknown>
  if (typeof url !== 'string' || url.length > MAX_URL_LENGTH) return undefined
  if (typeof headers !== 'object' || headers === null || Object.keys(headers).length > MAX_HEADERS) return undefined
  const isGood = Object.entries(headers).every(
    ([name, value]) => NAME.test(name) && typeof value === 'string' && VALUE.test(value),
  )
  return isGood ? { url, headers: headers as Record<string, string> } : undefined
}
