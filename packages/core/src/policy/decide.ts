import type { Freshness } from './freshness.ts'

/**
 * What to do with a stored response:
 * fresh: serve it; stale: serve it and refresh it behind the visitor's back; error-only: render, and serve it if that
 * fails; unusable: render.
 */
export type Decision = 'fresh' | 'stale' | 'error-only' | 'unusable'

/** Clocks of two machines, or one clock set back a little: no reason to distrust a response. */
const CLOCK_TOLERANCE_MS = 1000

export interface Stored {
  readonly freshness: Freshness
  readonly receivedAt: number
  readonly authorized: boolean
}

/** RFC 9111 §4 and RFC 5861, as one function of what is stored, the request and the time. */
export function decide(stored: Stored, request: { readonly authorized: boolean }, now: number): Decision {
  if (request.authorized && !stored.authorized) return 'unusable'
  const { freshUntil, staleUntil, errorUntil } = stored.freshness
  // A response from the future was stored before the clock went back: nobody knows how old it is.
  const timeKnown = now >= stored.receivedAt - CLOCK_TOLERANCE_MS
  if (now < freshUntil && timeKnown) return 'fresh'
  // A background refresh carries no Authorization and would get a 401: such a visitor renders in the foreground.
  // Without a window behind it, what is not known to be fresh is not stale but unusable.
  if (now < staleUntil && staleUntil > freshUntil && !request.authorized) return 'stale'
  return now < errorUntil && errorUntil > freshUntil ? 'error-only' : 'unusable'
}
