import { Answers } from './answers.ts'
import type { Background } from './background.ts'
import { Capture } from './capture.ts'
import { DetachedFill } from './detached-fill.ts'
import type { Flights, Joined } from '../engine/flights.ts'
import { HitForMiss } from '../engine/hit-for-miss.ts'
import { placeOfMiss } from '../engine/place.ts'
import type { Sharing } from '../engine/sharing.ts'
import type { StoredResponse } from '../engine/stored-response.ts'
import type { FillResult } from '../node/fill-listener.ts'
import { outletOf } from '../node/outlet.ts'
import { nothing } from '../node/own.ts'
import { serve } from '../node/serve.ts'
import { type Outcome, type Visit, takeOver } from '../node/visit.ts'
import { INERT } from '../node/tap.ts'
import { type Passage, isForInside } from './passage.ts'
import { canBeShared } from '../policy/freshness.ts'
import { isFailure, mayStandInFor } from '../policy/storable.ts'
import { type Led, type Miss, mayReuse } from './miss.ts'
import type { Services } from './services.ts'

/** A follower whom no leader's response fitted so often renders alone. */
const MAX_ROUNDS = 3

/** Came in between by chance, or for this visitor alone; says nothing about the next response. */
const TRANSIENT = new Set([
  'stand-in',
  'purged',
  'superseded',
  'layers',
  'capture-budget',
  'abandoned',
  'authorization',
  'selecting-length',
])
/** After these another look will find something better to do than to render alone. */
const LOOK_AGAIN = new Set(['purged', 'superseded', 'layers'])

/** Whether what another process has rendered is good for this miss. */
const isUsable = (response: StoredResponse, { passage }: Miss, now: number): boolean =>
  response.isSelectedBy(passage.request) && ['fresh', 'stale'].includes(response.decide(passage, now))

const lead = (flights: Flights, key: string): Led => ({ key, flight: flights.lead(key) })

/** Misses: who renders, who waits, and what the visitor gets. */
export class Foreground {
  readonly #services: Services
  readonly #background: Background
  readonly #hitForMiss: HitForMiss
  /** What the cache itself says where a render does not. */
  readonly answers: Answers

  constructor(services: Services, background: Background) {
    this.#services = services
    this.#background = background
    this.#hitForMiss = new HitForMiss(services.settings.monotonicNow)
    this.answers = new Answers(services)
  }

  /** Renders, or waits for somebody else's render of the same key. `held`: what is stored and may not be served as it is; `lookedAt`: when that was looked up. */
  render(passage: Passage, held: StoredResponse | undefined, lookedAt: number): Outcome | Promise<Outcome> {
    const { key, request, rules, authorized, round } = passage
    const { library, flights } = this.#services
    const newest = library.newestVary(key.full)
    const miss: Miss = {
      passage,
      fwd: this.#whyForwarded(passage, held, newest),
      held,
      validated: held !== undefined && this.#mayValidate(passage, held) ? held : undefined,
      isHitForMiss: this.#hitForMiss.has(key.full),
    }
    if (passage.demands?.onlyIfCached === true) {
      takeOver(passage.visit, () => this.answers.gatewayTimeout(miss, outletOf(passage.visit.res), 'only-if-cached'))
      return 'answered'
    }
    if (request.method === 'HEAD') return this.own(miss, 'head')
    if (request.headers.range !== undefined) return this.own(miss, 'range')
    // A response that is never fresh answers one visitor at a time: to wait for another's is to wait for nothing.
    const isShareable = held === undefined || canBeShared(held.parts.freshness, held.parts.receivedAt)
    if (!isShareable || authorized || miss.isHitForMiss || rules.collapseWaitMs === 0 || round >= MAX_ROUNDS) {
      return this.#lead(miss, undefined)
    }
    const flightKey = library.flightKey(key.full, request, newest)
    const flight = flights.get(flightKey)
    if (flight?.isJoinable(lookedAt) === true) return this.#follow(miss, { key: flightKey, flight })
    // Its Vary may have become known while the store was asked: the first render of the key has no variant in its own.
    const first = flightKey === key.full ? undefined : flights.get(key.full)
    if (first?.isJoinable(lookedAt) === true && first.stored?.isSelectedBy(request) === true) {
      return this.#follow(miss, { key: key.full, flight: first })
    }
    return this.#lead(miss, lead(flights, flightKey))
  }

  /** Ends the way of a visitor who has gone. */
  leave(visit: Visit): Outcome {
    visit.take()
    return 'answered'
  }

  /** Lets the visitor's own request through, untouched and uncaptured; a stored response may still stand in for a failure. */
  own(miss: Miss, detail: string): Outcome {
    this.#noteMiss(miss, detail)
    return this.goOn(miss, detail)
  }

  /** The same for a visitor who has been counted as a miss already: the render that was made for him is thrown away. */
  goOn(miss: Miss, detail: string): Outcome {
    const { passage } = miss
    const exchange = this.#services.exchanges.of(passage)
    const mayReplace = (status: number): boolean => this.mayReplace(miss, status)
    exchange.listen(passage.visit, {
      ...INERT,
      mayReplace,
      onHead: (head) =>
        mayReplace(head.status)
          ? { kind: 'stand-in', serve: (outlet) => this.answers.standIn(miss, outlet, head.status, passage.request) }
          : { kind: 'pass', fields: this.answers.label(miss, head, { fwd: miss.fwd, detail }) },
    })
    return 'proceed'
  }

  /** Tells those who wait how a render has ended, and remembers what could not be cached. */
  landed(miss: Miss, led: Led | undefined, result: FillResult): void {
    const { flights, library } = this.#services
    const { key, rules, authorized } = miss.passage
    if (result.kind === 'stored') {
      this.#hitForMiss.forget(key.full)
      const { response, written } = result
      // Without copies in memory, those who have asked the store too early find the response here until it is there.
      if (led !== undefined) flights.land(led.key, led.flight, { kind: 'stored', response }, library.visible(written))
      return
    }
    miss.claim?.end()
    // Neither a failure nor a chance says anything about the next response.
    const isVerdict = result.kind === 'unstorable' && !isFailure(result.status) && result.status !== 304
    if (isVerdict && !TRANSIENT.has(result.reason)) {
      this.#hitForMiss.note(key.full, rules.hitForMissMs)
      // What the app says now has taken the place of what is stored.
      const isAnswer = result.status >= 200
      if (isAnswer && miss.held !== undefined && !authorized) library.remove(miss.held)
    }
    if (led !== undefined) this.#land(miss, led, result)
  }

  #land(miss: Miss, led: Led, result: Exclude<FillResult, { kind: 'stored' }>): void {
    const { flights } = this.#services
    const isTimeout = result.kind === 'broken' && result.reason === 'render-timeout'
    const isStoodInFor = isTimeout || (result.kind === 'unstorable' && mayStandInFor(result.status))
    if (result.kind === 'broken' && !isTimeout && led.flight.handOver(result.visitorLeft === true)) return
    if (isStoodInFor && this.answers.hasStandIn(miss)) {
      flights.land(led.key, led.flight, { kind: 'stand-in' })
    } else {
      flights.land(led.key, led.flight, { kind: LOOK_AGAIN.has(result.reason) ? 'superseded' : 'released' })
    }
  }

  /** A visitor waits at most so long for a render. Returns what stops the clock. */
  startClock({ passage }: Miss, onTimeout: () => void): () => void {
    const { renderTimeoutMs } = passage.rules
    if (renderTimeoutMs === undefined) return nothing
    const timer = setTimeout(onTimeout, renderTimeoutMs)
    timer.unref()
    return () => clearTimeout(timer)
  }

  #lead(miss: Miss, led: Led | undefined): Outcome | Promise<Outcome> {
    const { sharing } = this.#services.library
    if (sharing === undefined) return this.#begin(miss, led)
    const claim = sharing.claimOfSilence(miss.passage.key, miss.passage.request)
    if (claim !== undefined) return this.#begin({ ...miss, claim }, led)
    if (led !== undefined) return this.#leadOfAll(sharing, miss, led)
    return this.#beginUnleased(miss, undefined)
  }

  /** Renders, whatever other processes do. */
  #beginUnleased(miss: Miss, led: Led | undefined): Outcome | Promise<Outcome> {
    const { passage, held, isHitForMiss } = miss
    const claim = this.#services.library.sharing?.order(passage.key, passage.request, held?.rank ?? 0)
    const ranked = { ...miss, claim }
    if (claim?.ready === undefined || isHitForMiss) return this.#begin(ranked, led)
    // A rank that is given after the app has begun says nothing of what the app has read.
    return claim.ready.then(() => {
      if (!passage.visit.res.destroyed) return this.#begin(ranked, led)
      this.landed(ranked, led, { kind: 'broken', reason: 'aborted', visitorLeft: true })
      return this.leave(passage.visit)
    })
  }

  /** One process of all renders; the others wait for what it stores, as long as they would for a render of their own. */
  async #leadOfAll(sharing: Sharing, miss: Miss, led: Led): Promise<Outcome> {
    const { settings, library, flights } = this.#services
    const { visit, key, request, rules } = miss.passage
    const { held } = miss
    const isGood = (found: StoredResponse): boolean => isUsable(found, miss, settings.now())
    const wanted = { key, request, held, precompress: rules.precompress, isGood }
    const place = await placeOfMiss(library, sharing, wanted, rules.collapseWaitMs, () => !visit.res.destroyed)
    switch (place.kind) {
      case 'claim':
        return this.#begin({ ...miss, claim: place.claim }, led)
      case 'stored': {
        const landing = { kind: 'stored', response: place.response } as const
        flights.land(led.key, led.flight, landing)
        return this.#take(miss, led, landing)
      }
      case 'gone':
        this.landed(miss, led, { kind: 'broken', reason: 'aborted', visitorLeft: true })
        return this.leave(visit)
    }
  }

  #begin(given: Miss, led: Led | undefined): Outcome | Promise<Outcome> {
    const { passage, isHitForMiss, validated } = given
    // Purged while it waited: its validators must not bring it back.
    const isGone = validated !== undefined && !this.#services.library.admits(validated)
    const miss = isGone ? { ...given, validated: undefined } : given
    try {
      if (!passage.key.hides && !passage.rules.sealed) return this.#capture(miss, led)
      // What the handler must not see stands on the visitor's own request: what it answers to that is for him alone.
      if (isHitForMiss) return this.own(miss, 'hit-for-miss')
      if (passage.authorized) return this.own(miss, 'authorization')
      const target = this.#background.targetOf(passage.visit)
      if (target === undefined) {
        this.landed(miss, led, { kind: 'unstorable', reason: 'no-renderer', status: 0 })
        return this.own(miss, 'no-renderer')
      }
      this.#noteMiss(miss)
      return new DetachedFill(this.#services, this.#background, this, miss, led, target).start()
    } catch (error) {
      // A flight that nobody leads would hold up everybody who comes after.
      this.landed(miss, led, { kind: 'unstorable', reason: 'abandoned', status: 0 })
      throw error
    }
  }

  /** The visitor's own request goes to the handler, and what comes back is captured on its way to him. */
  #capture(miss: Miss, led: Led | undefined): Outcome {
    new Capture(this.#services, this, miss, led).start()
    this.#noteMiss(miss)
    return 'proceed'
  }

  async #follow(miss: Miss, led: Led): Promise<Outcome> {
    const { visit, rules } = miss.passage
    const joined = await led.flight.join(rules.collapseWaitMs, () => !visit.res.destroyed)
    if (!visit.res.destroyed) return this.#take(miss, led, joined)
    if (joined.kind === 'lead') this.landed(miss, led, { kind: 'broken', reason: 'aborted', visitorLeft: true })
    return this.leave(visit)
  }

  #take(miss: Miss, led: Led, joined: Joined): Outcome | Promise<Outcome> {
    const { passage } = miss
    const { flights } = this.#services
    switch (joined.kind) {
      case 'lead':
        return this.#lead(miss, led)
      case 'stand-in':
        // His own: the leader may have been another visitor's by selecting headers that the flight does not know.
        if (!this.answers.hasStandIn(miss)) return this.#lead(miss, undefined)
        takeOver(passage.visit, () =>
          this.answers.standIn(miss, outletOf(passage.visit.res), undefined, passage.request),
        )
        return 'answered'
      case 'superseded':
        return this.#services.again(passage)
      case 'stored':
        if (!joined.response.isSelectedBy(passage.request)) return this.#services.again(passage)
        if (isForInside(passage, joined.response)) return 'proceed'
        return this.#share(miss, joined.response) ? 'answered' : this.#lead(miss, undefined)
      case 'timeout':
        // Its leader may hang for ever: who comes now waits for somebody else.
        return this.#beginUnleased(miss, flights.get(led.key) === led.flight ? lead(flights, led.key) : undefined)
      case 'released':
        // Its leader may just have learnt that the key is uncacheable.
        return this.#lead({ ...miss, isHitForMiss: this.#hitForMiss.has(passage.key.full) }, undefined)
    }
  }

  /** Serves a follower what its leader has rendered, if it may have it. */
  #share({ passage }: Miss, response: StoredResponse): boolean {
    const { settings, journal, library, labels } = this.#services
    const now = settings.now()
    const decision = response.decide(passage, now)
    if ((decision !== 'fresh' && decision !== 'stale') || !library.admits(response)) return false
    takeOver(passage.visit, () => {
      const label = labels.collapsed(passage, response, decision === 'stale')
      serve(outletOf(passage.visit.res), response, passage.request, label, now)
    })
    journal.note('miss', () => ({ ...library.describe(response), reason: 'collapsed' }))
    return true
  }

  /** In the words of RFC 9211 §2.2. */
  #whyForwarded(passage: Passage, held: StoredResponse | undefined, newest: readonly string[]): Miss['fwd'] {
    const { key, authorized } = passage
    const isFresh = held?.decide(passage, this.#services.settings.now()) === 'fresh'
    if (isFresh && passage.demands !== undefined) return 'request'
    if (held !== undefined) return authorized && !held.parts.authorized ? 'bypass' : 'stale'
    // What is known of its variants outlives them.
    return newest.length > 0 || this.#services.library.hasVariants(key.full) ? 'vary-miss' : 'uri-miss'
  }

  /** Whether a stored response goes out in the place of one with this status. */
  mayReplace(miss: Miss, status: number): boolean {
    return mayStandInFor(status) && this.answers.hasStandIn(miss)
  }

  #mayValidate(passage: Passage, held: StoredResponse): boolean {
    if (held.validators.length === 0) return false
    return mayReuse(passage, held) && this.#services.settings.now() < held.parts.keepUntil
  }

  #noteMiss({ passage }: Miss, reason?: string): void {
    const { journal, library } = this.#services
    journal.note('miss', () => ({ key: library.describeKey(passage.key), route: passage.visit.route(), reason }))
  }
}
