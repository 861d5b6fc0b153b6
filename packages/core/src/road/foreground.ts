import { LRUCache } from 'lru-cache'

import type { Background } from './background.ts'
import { planOf } from './background.ts'
import { DetachedFill } from './detached-fill.ts'
import type { Flight, Joined } from '../engine/flights.ts'
import type { StoredResponse } from '../engine/stored-response.ts'
import type { FillListener, FillResult } from '../node/fill.ts'
import { outletOf, serve } from '../node/serve.ts'
import type { Outcome, Visit } from '../node/visit.ts'
import { type HeadPlan, type Outlet, passing } from '../node/wire.ts'
import type { Passage } from './passage.ts'
import type { Handling } from '../policy/cache-status.ts'
import { isNotModified } from '../policy/conditions.ts'
import { type Head, mayStandInFor } from '../policy/storable.ts'
import type { Services } from './services.ts'
import { startFill } from './ticket.ts'

/** A render that a visitor waits for. */
export interface Miss {
  readonly passage: Passage
  readonly fwd: 'uri-miss' | 'vary-miss' | 'stale' | 'bypass'
  /** What may be served if the render fails. */
  readonly standIn: StoredResponse | undefined
  /** The key is known to be uncacheable: nothing is hidden from the handler, nobody waits. */
  readonly isHitForMiss: boolean
}

/** The flight that a render leads. */
export interface Led {
  readonly key: string
  readonly flight: Flight
}

/** A follower whom no leader's response fitted so often renders alone. */
const MAX_ROUNDS = 3

/** Came in between by chance, or for this visitor alone; says nothing about the next response. */
const TRANSIENT = new Set(['purged', 'superseded', 'layers', 'capture-budget', 'abandoned', 'authorization'])
/** After these another look will find something better to do than to render alone. */
const LOOK_AGAIN = new Set(['purged', 'superseded', 'layers'])

/** Misses: who renders, who waits, and what the visitor gets. */
export class Foreground {
  readonly #services: Services
  readonly #background: Background
  /** Keys that have turned out uncacheable, and until when that is remembered. */
  readonly #hitForMiss = new LRUCache<string, number>({ max: 10_000 })

  constructor(services: Services, background: Background) {
    this.#services = services
    this.#background = background
  }

  /** Renders, or waits for somebody else's render of the same key. `held`: what is stored and may not be served as it is. */
  render(passage: Passage, held: StoredResponse | undefined): Outcome | Promise<Outcome> {
    const { key, request, rules, authorized, round } = passage
    const { library, flights } = this.#services
    const miss: Miss = {
      passage,
      fwd: this.#whyForwarded(passage, held),
      standIn: held !== undefined && this.#mayStandIn(passage, held) ? held : undefined,
      isHitForMiss: this.#isHitForMiss(key.full),
    }
    if (request.method === 'HEAD') return this.own(miss, 'head')
    if (authorized || miss.isHitForMiss || rules.collapseWaitMs === 0 || round >= MAX_ROUNDS) {
      return this.#lead(miss, undefined)
    }
    const flightKey = library.flightKey(key.full, request)
    const flight = flights.get(flightKey)
    if (flight === undefined) return this.#lead(miss, { key: flightKey, flight: flights.lead(flightKey) })
    return this.#follow(miss, { key: flightKey, flight })
  }

  /** Ends the way of a visitor who has gone. */
  leave(visit: Visit): Outcome {
    visit.take()
    return 'answered'
  }

  /** Lets the visitor's own request through, untouched and uncaptured. */
  own(miss: Miss, detail: string): Outcome {
    const { passage } = miss
    const exchange = this.#services.exchangeOf(passage)
    exchange.listen(
      passage.visit,
      passing((head) => this.#label(miss, head, { fwd: miss.fwd, detail })),
    )
    this.#noteMiss(miss, detail)
    return 'proceed'
  }

  /** Tells those who wait how a render has ended, and remembers what could not be cached. */
  landed(miss: Miss, led: Led | undefined, result: FillResult): void {
    const { flights, settings } = this.#services
    const { key, rules } = miss.passage
    if (result.kind === 'stored') {
      this.#hitForMiss.delete(key.full)
      const { response, written } = result
      // Without copies in memory, those who have asked the store too early find the response here until it is there.
      if (led !== undefined) flights.land(led.key, led.flight, { kind: 'stored', response }, written)
      return
    }
    if (result.kind === 'broken') {
      if (led !== undefined && !led.flight.handOver()) flights.land(led.key, led.flight, { kind: 'released' })
      return
    }
    if (!TRANSIENT.has(result.reason) && rules.hitForMissMs > 0) {
      this.#hitForMiss.set(key.full, settings.monotonicNow() + rules.hitForMissMs)
    }
    if (led === undefined) return
    const { standIn } = miss
    if (standIn !== undefined && mayStandInFor(result.status)) {
      flights.land(led.key, led.flight, { kind: 'stand-in', response: standIn })
    } else {
      flights.land(led.key, led.flight, { kind: LOOK_AGAIN.has(result.reason) ? 'superseded' : 'released' })
    }
  }

  /** Serves the stored response in the place of a render that has failed, or says that there is none. */
  serveStandIn(miss: Miss, outlet: Outlet, fwdStatus: number | undefined, isConditional: boolean): void {
    const { passage, standIn } = miss
    const { settings, journal, library } = this.#services
    if (standIn === undefined) {
      const head: Head = { status: 504, reason: undefined, fields: [] }
      const status = this.#label(miss, head, { fwd: miss.fwd, detail: 'render-timeout' })
      const body = Buffer.from('Gateway Timeout')
      const fields = ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(body.length)]
      outlet.writeHead(504, 'Gateway Timeout', [...fields, 'Cache-Control', 'no-store', ...status])
      outlet.end(body)
      return
    }
    const label = this.#services.labels.standIn(passage, standIn, fwdStatus)
    serve(outlet, standIn, passage.request, label, settings.now(), isConditional)
    journal.note('stale', () => ({ ...library.describe(standIn), reason: 'stale-if-error' }))
  }

  /** A visitor waits at most so long for a render. Returns what stops the clock. */
  startClock({ passage }: Miss, onTimeout: () => void): () => void {
    const { renderTimeoutMs } = passage.rules
    if (renderTimeoutMs === undefined) return () => undefined
    const timer = setTimeout(onTimeout, renderTimeoutMs)
    timer.unref()
    return () => clearTimeout(timer)
  }

  #lead(miss: Miss, led: Led | undefined): Outcome | Promise<Outcome> {
    const { passage, isHitForMiss } = miss
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
    const { passage } = miss
    const { visit } = passage
    const { settings } = this.#services
    const exchange = this.#services.exchangeOf(passage)
    if (!miss.isHitForMiss) exchange.hideConditions(visit)
    const standInFor = (status: number) =>
      miss.standIn !== undefined && mayStandInFor(status)
        ? (outlet: Outlet) => this.serveStandIn(miss, outlet, status, false)
        : undefined
    const listener: FillListener = {
      standInFor,
      onJudged: (head, verdict): HeadPlan => {
        stopClock()
        const serveInstead = standInFor(head.status)
        if (serveInstead !== undefined) return { kind: 'stand-in', serve: serveInstead }
        const handling: Handling =
          'reason' in verdict ? { fwd: miss.fwd, detail: verdict.reason } : { fwd: miss.fwd, stored: true }
        const fields = this.#label(miss, head, handling)
        const isKnown = head.status === 200 && isNotModified(head.fields, exchange.conditions, settings.now())
        return { kind: isKnown ? 'not-modified' : 'pass', fields }
      },
      onResult: (result) => {
        exchange.release = () => undefined
        stopClock()
        this.landed(miss, led, result)
      },
    }
    // What the handler sees now; middleware may write into the headers later.
    const request = { ...passage.request, headers: { ...visit.req.headers }, rawHeaders: [...visit.req.rawHeaders] }
    const { fill, wire } = startFill(
      this.#services,
      planOf(passage),
      request,
      exchange,
      visit,
      listener,
      settings.now(),
    )
    const stopClock = this.startClock(miss, () => {
      if (!wire.standIn((outlet) => this.serveStandIn(miss, outlet, undefined, false))) return
      fill.abandon('render-timeout')
    })
    exchange.release = () => {
      if (led !== undefined) this.#services.flights.land(led.key, led.flight, { kind: 'superseded' })
      fill.abandon('superseded')
    }
    this.#noteMiss(miss)
    return 'proceed'
  }

  async #follow(miss: Miss, led: Led): Promise<Outcome> {
    const { visit, rules } = miss.passage
    const joined = await led.flight.join(rules.collapseWaitMs, () => !visit.res.destroyed)
    if (!visit.res.destroyed) return this.#land(miss, led, joined)
    if (joined.kind === 'lead') this.landed(miss, led, { kind: 'broken', reason: 'aborted' })
    return this.leave(visit)
  }

  #land(miss: Miss, led: Led, joined: Joined): Outcome | Promise<Outcome> {
    const { passage } = miss
    switch (joined.kind) {
      case 'lead':
        return this.#lead(miss, led)
      case 'stand-in':
        passage.visit.take()
        this.serveStandIn({ ...miss, standIn: joined.response }, outletOf(passage.visit.res), undefined, true)
        return 'answered'
      case 'superseded':
        return this.#services.again(passage)
      case 'stored':
        if (!joined.response.isSelectedBy(passage.request)) return this.#services.again(passage)
        return this.#share(miss, joined.response) ? 'answered' : this.#lead(miss, undefined)
      case 'released':
      case 'timeout':
        return this.#lead(miss, undefined)
    }
  }

  /** Serves a follower what its leader has rendered, if it may have it. */
  #share({ passage }: Miss, response: StoredResponse): boolean {
    const { settings, journal, library, labels } = this.#services
    const now = settings.now()
    const decision = response.decide(passage, now)
    if ((decision !== 'fresh' && decision !== 'stale') || !library.admits(response)) return false
    passage.visit.take()
    const label = labels.collapsed(passage, response, decision === 'stale')
    serve(outletOf(passage.visit.res), response, passage.request, label, now)
    journal.note('hit', () => ({ ...library.describe(response), reason: 'collapsed' }))
    return true
  }

  /** In the words of RFC 9211 §2.2. */
  #whyForwarded({ key, authorized }: Passage, held: StoredResponse | undefined): Miss['fwd'] {
    if (held !== undefined) return authorized && !held.parts.authorized ? 'bypass' : 'stale'
    return this.#services.library.hasVariants(key.full) ? 'vary-miss' : 'uri-miss'
  }

  #mayStandIn(passage: Passage, held: StoredResponse): boolean {
    const { freshness, authorized } = held.parts
    return (authorized || !passage.authorized) && this.#services.settings.now() < freshness.errorUntil
  }

  #isHitForMiss(key: string): boolean {
    const until = this.#hitForMiss.size === 0 ? undefined : this.#hitForMiss.get(key)
    return until !== undefined && this.#services.settings.monotonicNow() < until
  }

  #label(miss: Miss, head: Head, handling: Handling): string[] {
    const { rules, key } = miss.passage
    const shown = rules.cacheStatusKey ? this.#services.library.describeKey(key) : undefined
    return this.#services.labels.forwarded(head, rules, handling, shown)
  }

  #noteMiss({ passage }: Miss, reason?: string): void {
    const { journal, library } = this.#services
    journal.note('miss', () => ({ key: library.describeKey(passage.key), route: passage.visit.route(), reason }))
  }
}
