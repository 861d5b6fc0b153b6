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

/** Texts of hits that are remembered; a power of two. */
const HITS = 1024

/** Writes what a response says of its own handling: Cache-Status and Warning. */
export class Labels {
  readonly #settings: Settings
  readonly #library: Library
  readonly #backOff: BackOff
  /** What hits have said, by what was left of their lifetimes. */
  readonly #hits = Array.from({ length: HITS }, () => ({ ttl: Number.NaN, text: '' }))

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
    const left = Math.floor((response.freshness.freshUntil - now) / 1000)
    // A soft purge makes stale what had time left; RFC 9211 §2.4 wants that negative, too.
    const ttl = isStale ? Math.min(left, -1) : left
    return {
      cacheStatus: this.#statusOfHit(visit.res, rules, ttl, response),
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

  /** Most hits say what another has said a moment ago, and share its text. */
  #statusOfHit(res: ServerResponse, rules: Rules, ttl: number, response: StoredResponse): string | undefined {
    const isAlone = response.upstreamStatus === undefined && res.getHeader('cache-status') === undefined
    if (!rules.cacheStatus || rules.cacheStatusKey || !isAlone) {
      return this.#status(res, rules, { hit: true, ttl }, response)
    }
    const place = ttl & (HITS - 1)
    const said = this.#hits[place]!
    if (said.ttl === ttl) return said.text
    const text = cacheStatus(this.#settings.name, { hit: true, ttl })
    this.#hits[place] = { ttl, text }
    return text
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
