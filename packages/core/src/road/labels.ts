import type { OutgoingHttpHeader, ServerResponse } from 'node:http'

import type { BackOff } from '../engine/back-off.ts'
import type { Library } from '../engine/library.ts'
import type { StoredResponse } from '../engine/stored-response.ts'
import type { Label } from '../node/serve.ts'
import type { Rules, Settings } from '../settings.ts'
import type { Passage } from './passage.ts'
import { type Handling, WARNINGS, cacheStatus } from '../policy/cache-status.ts'
import { valueOf } from '../policy/fields.ts'
import type { Head } from '../policy/storable.ts'

/** Writes what a response says of its own handling: Cache-Status and Warning. */
export class Labels {
  readonly #settings: Settings
  readonly #library: Library
  readonly #backOff: BackOff

  constructor(settings: Settings, library: Library, backOff: BackOff) {
    this.#settings = settings
    this.#library = library
    this.#backOff = backOff
  }

  hit(
    { visit, rules }: Pick<Passage, 'visit' | 'rules'>,
    response: StoredResponse,
    now: number,
    isStale: boolean,
  ): Label {
    const ttl = Math.floor((response.freshness.freshUntil - now) / 1000)
    // A soft purge makes stale what had time left; RFC 9211 §2.4 wants that negative, too.
    const handling: Handling = { hit: true, ttl: isStale ? Math.min(ttl, -1) : ttl }
    return {
      cacheStatus: this.#status(visit.res, rules, handling, response),
      warning: rules.warning ? this.#warningOfHit(response, now, isStale) : undefined,
    }
  }

  /** A follower that is served what its leader has rendered. */
  collapsed(passage: Passage, response: StoredResponse, isStale: boolean): Label {
    const handling: Handling = { fwd: 'uri-miss', stored: true, collapsed: true }
    return {
      cacheStatus: this.#status(passage.visit.res, passage.rules, handling, response),
      warning: isStale && passage.rules.warning ? this.#staleWarning(response, false) : undefined,
    }
  }

  /** What the app has just said to be good still. */
  freshened(passage: Passage, response: StoredResponse, isStored: boolean, fwd: 'stale' | 'request'): Label {
    const handling: Handling = { fwd, fwdStatus: 304, stored: isStored }
    return { cacheStatus: this.#status(passage.visit.res, passage.rules, handling, response), warning: undefined }
  }

  /** A stored response in the place of a render that has failed. */
  standIn(passage: Passage, response: StoredResponse, fwdStatus: number | undefined): Label {
    const handling: Handling = { fwd: 'stale', fwdStatus, detail: 'stale-if-error' }
    return {
      cacheStatus: this.#status(passage.visit.res, passage.rules, handling, response),
      warning: passage.rules.warning ? this.#staleWarning(response, true) : undefined,
    }
  }

  /** A response of the app's own, as a field to put into its head. */
  forwarded(head: Head, rules: Rules, handling: Handling, key?: string): string[] {
    if (!rules.cacheStatus) return []
    const member = cacheStatus(this.#settings.name, handling, rules.cacheStatusKey ? key : undefined)
    return ['Cache-Status', appended(valueOf(head.fields, 'cache-status'), member)]
  }

  #status(res: ServerResponse, rules: Rules, handling: Handling, response: StoredResponse): string | undefined {
    if (!rules.cacheStatus) return response.upstreamStatus
    const key = rules.cacheStatusKey ? response.storeKey(this.#library.namespace) : undefined
    const before = response.upstreamStatus ?? res.getHeader('cache-status')
    return appended(before, cacheStatus(this.#settings.name, handling, key))
  }

  #warningOfHit(response: StoredResponse, now: number, isStale: boolean): string | undefined {
    const guess = isOldGuess(response, now) ? WARNINGS.heuristic : undefined
    if (!isStale) return guess
    const stale = this.#staleWarning(response, false)
    return guess === undefined ? stale : `${stale}, ${guess}`
  }

  #staleWarning(response: StoredResponse, hasFailed: boolean): string {
    let warning: string = WARNINGS.stale
    if (hasFailed || this.#backOff.hasFailed(response.variant)) warning += `, ${WARNINGS.revalidationFailed}`
    if (this.#library.breakerState === 'open') warning += `, ${WARNINGS.disconnected}`
    return warning
  }
}

const DAY_MS = 86_400_000

/** A guessed lifetime of more than a day, for a response older than that (RFC 7234 §5.5.4). */
function isOldGuess({ parts }: StoredResponse, now: number): boolean {
  const { bornAt, freshUntil } = parts.freshness
  return parts.isHeuristic && freshUntil - bornAt > DAY_MS && now - bornAt > DAY_MS
}

/** The last cache on the way appends to what the earlier ones have said (RFC 9211 §2). */
function appended(before: OutgoingHttpHeader | undefined, member: string): string {
  return before === undefined ? member : `${String(before)}, ${member}`
}
