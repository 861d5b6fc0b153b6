import { type Answer } from './app.ts'
import { type Fields, fresh10, text } from './reply.ts'

// What a visitor reads in Cache-Status (RFC 9211), for a cache with the default name.

export const STORED = 'cacheback; fwd=uri-miss; stored'
export const hit = (ttl: number): string => `cacheback; hit; ttl=${ttl}`
export const unstored = (reason: string): string => `cacheback; fwd=uri-miss; detail=${reason}`
export const bypass = (reason: string): string => `cacheback; fwd=bypass; detail=${reason}`

export const STALE = '110 - "Response is Stale"'
export const STALE_AFTER_FAILURE = '110 - "Response is Stale", 111 - "Revalidation Failed"'

/** Numbers its renders in the body. */
export const numbered =
  (headers: Fields = fresh10, status = 200): Answer =>
  ({ n }) =>
    text(`render ${n}`, headers, status)
