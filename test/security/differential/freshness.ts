import type { RouteOptions } from '@cacheback/core'
import { isError, lifetimeOf } from './behaviour.ts'
import { meaningOf } from './control.ts'
import type { Purge } from './purges.ts'
import type { Render } from './world.ts'

/** When a response may be served, in milliseconds (RFC 9111 §4.2, RFC 5861). */
export interface Windows {
  readonly bornAt: number
  readonly receivedAt: number
  readonly freshUntil: number
  readonly staleUntil: number
  readonly errorUntil: number
}

export function windowsOf(
  { behaviour, beganAt, answeredAt }: Render,
  rules: RouteOptions,
  softPurges: readonly Purge[],
): Windows {
  const receivedAt = answeredAt?.time ?? Infinity
  const age = (behaviour.age ?? 0) * 1000
  const bornAt = receivedAt - (age + Math.max(0, receivedAt - beganAt.time))
  const named = bornAt + (lifetimeOf(behaviour, rules) ?? 0) * 1000
  const { swr, sie } = staleSeconds(behaviour, rules)
  return {
    bornAt,
    receivedAt,
    freshUntil: Math.min(named, ...softPurges.map(({ calledAt }) => calledAt.time)),
    // A soft purge may bring the ends of the windows nearer; never do they lie further away.
    staleUntil: swr === 0 ? -Infinity : named + swr * 1000,
    errorUntil: sie === 0 ? -Infinity : named + sie * 1000,
  }
}

/** How many seconds beyond its lifetime: what the response says wins over the options; some forbid both. */
function staleSeconds(behaviour: Render['behaviour'], rules: RouteOptions): { swr: number; sie: number } {
  const { strict, shared, swr, sie } = meaningOf(behaviour.control)
  if (strict === true || isError(behaviour.status)) return { swr: 0, sie: 0 }
  const configured = shared !== true
  return {
    swr: swr ?? (configured ? (rules.staleWhileRevalidate ?? 0) : 0),
    sie: sie ?? (configured ? (rules.staleIfError ?? 0) : 0),
  }
}

export type Use = 'fresh' | 'stale' | 'stand-in'

/** As what a response may be served at a moment. */
export function usesAt({ receivedAt, freshUntil, staleUntil, errorUntil }: Windows, time: number): Use[] {
  const uses: Use[] = []
  // Who has an answer from the future does not know how old it is.
  if (time < freshUntil && time >= receivedAt - 1000) uses.push('fresh')
  if (time < staleUntil) uses.push('stale')
  if (time < errorUntil) uses.push('stand-in')
  return uses
}
