import { AsyncLocalStorage } from 'node:async_hooks'

import { BackOff } from '../engine/back-off.ts'
import { Budget } from '../engine/budget.ts'
import { Flights } from '../engine/flights.ts'
import { Journal } from '../engine/journal.ts'
import { Library } from '../engine/library.ts'
import { RefreshQueue } from '../engine/refresh-queue.ts'
import type { StoredResponse } from '../engine/stored-response.ts'
import { Background } from './background.ts'
import { Foreground } from './foreground.ts'
import { serve, outletOf } from '../node/serve.ts'
import { type Outcome, type Visit, hasClientCertificate, requestHead } from '../node/visit.ts'
import { INERT, passing } from '../node/wire.ts'
import type { RouteOptions } from '../options.ts'
import type { Rules, Settings } from '../settings.ts'
import { Exchange, type Passage } from './passage.ts'
import type { Handling } from '../policy/cache-status.ts'
import { readCookies } from '../policy/cookies.ts'
import { bypassReason } from '../policy/eligible.ts'
import type { RequestHead } from '../policy/fields.ts'
import { keyOf } from '../policy/key.ts'
import { type Route, Routes, liesOver } from './routes.ts'
import { Labels } from './labels.ts'
import type { Services } from './services.ts'
import type { Ticket } from './ticket.ts'

/** Selecting headers longer than this are an attack or a token. */
const MAX_SELECTING_LENGTH = 1024
/** What all captures may hold together where there are no copies in memory. */
const CAPTURE_BYTES = 32 * 1024 * 1024

/**
 * The road of a request: eligible? key, stored? decide; then serve, or serve and refresh, or render. It runs
 * synchronously until something has to be waited for, so that a hit in memory costs no promise.
 */
export class Road {
  readonly settings: Settings
  readonly routes: Routes
  readonly journal: Journal
  readonly library: Library
  readonly background: Background
  readonly #exchanges = new WeakMap<object, Exchange>()
  readonly #budget: Budget
  readonly #labels: Labels
  readonly #foreground: Foreground
  #isClosed = false

  constructor(settings: Settings, base: RouteOptions) {
    this.settings = settings
    this.routes = new Routes(base)
    this.journal = new Journal(settings.name)
    this.library = new Library(settings, this.journal)
    const backOff = new BackOff(settings.monotonicNow)
    this.#labels = new Labels(settings, this.library, backOff)
    this.#budget = new Budget(settings.memoryMaxBytes === 0 ? CAPTURE_BYTES : settings.memoryMaxBytes / 2)
    const services: Services = {
      settings,
      routes: this.routes,
      journal: this.journal,
      library: this.library,
      flights: new Flights(),
      budget: this.#budget,
      labels: this.#labels,
      exchangeOf: (passage: Passage) => this.#exchangeOf(passage),
      again: (passage: Passage) => this.#again(passage),
    }
    // Taken now, so that no render begins in the async context of whichever visitor happened to ask.
    this.background = new Background(
      services,
      new RefreshQueue(settings.refresh),
      backOff,
      AsyncLocalStorage.snapshot(),
    )
    this.#foreground = new Foreground(services, this.background)
  }

  /** Enters a layer of the cache. Never throws: whatever goes wrong in here, the app answers as if there were no cache. */
  enter(visit: Visit, layer: Route): Outcome | Promise<Outcome> {
    try {
      const outcome = this.#enter(visit, layer)
      return typeof outcome === 'string' ? outcome : outcome.catch(() => 'proceed')
    } catch {
      return 'proceed'
    }
  }

  /** Bytes of responses that are being captured. */
  get capturing(): number {
    return this.#budget.used
  }

  close(): void {
    this.#isClosed = true
  }

  #enter(visit: Visit, layer: Route): Outcome | Promise<Outcome> {
    const exchange = this.#exchanges.get(visit.res)
    if (exchange !== undefined) return this.#enterDeeper(exchange, visit, layer)
    if (this.#isClosed) return 'proceed'
    const ticket = this.background.ticketOf(visit.req.socket)
    if (ticket !== undefined) return this.#enterRender(ticket, visit, layer)
    const request = requestHead(visit)
    const route = this.routes.recorded(hostOf(request), pathOf(request)) ?? layer
    if (request.method === 'GET' || request.method === 'HEAD') this.journal.noteRequest()
    return this.#travel(visit, request, route, layer, 0)
  }

  /** A follower sets out anew: the leader's response did not fit it, or another route was the right one. */
  #again({ visit, request, entered, round }: Passage): Outcome | Promise<Outcome> {
    const route = this.routes.recorded(hostOf(request), pathOf(request)) ?? entered
    return this.#travel(visit, request, route, entered, round + 1)
  }

  /** An inner layer of the same cache takes the exchange over, unless the outer one has gone by its rules already. */
  #enterDeeper(exchange: Exchange, visit: Visit, layer: Route): Outcome | Promise<Outcome> {
    exchange.entered = this.routes.lay(exchange.entered, layer)
    if (liesOver(exchange.route, exchange.entered)) return 'proceed'
    const { entered } = exchange
    exchange.release()
    exchange.release = () => undefined
    exchange.restoreConditions(visit)
    const request = requestHead(visit)
    this.routes.record(hostOf(request), pathOf(request), entered)
    if (exchange.wire !== undefined) exchange.wire.tap = INERT
    if (this.background.ticketOf(visit.req.socket) !== undefined) return 'proceed'
    exchange.route = entered
    return this.#travel(visit, request, entered, entered, 0)
  }

  /** A render of our own has come to the cache: its response is captured for those who wait for it. */
  #enterRender(ticket: Ticket, visit: Visit, layer: Route): Outcome {
    ticket.reached = true
    const exchange = new Exchange(layer, ticket.route)
    this.#exchanges.set(visit.res, exchange)
    if (!liesOver(ticket.route, layer)) {
      const request = requestHead(visit)
      this.routes.record(hostOf(request), pathOf(request), layer)
    }
    ticket.attach(exchange, visit)
    return 'proceed'
  }

  /** Is it for us, and what is its key? */
  #travel(visit: Visit, request: RequestHead, route: Route, entered: Route, round: number): Outcome | Promise<Outcome> {
    const { rules } = route
    if (rules === false) {
      // An inner layer will tell whether the record still holds.
      if (route !== entered) this.#exchanges.set(visit.res, new Exchange(entered, route))
      return 'proceed'
    }
    const cookies = readCookies(rules.cookies, request.headers.cookie)
    const reason = this.#refusal(visit, request, rules, cookies.bypass)
    if (reason !== undefined) return this.#bypass(visit, route, entered, rules, reason)
    const key = keyOf(request, rules, cookies)
    if (key.configured.some((value) => value !== null && value.length > MAX_SELECTING_LENGTH)) {
      return this.#bypass(visit, route, entered, rules, 'selecting-length')
    }
    const authorized = request.headers.authorization !== undefined
    const passage: Passage = { visit, request, route, rules, entered, key, authorized, round }
    const catchingUp = this.library.catchingUp
    return catchingUp === undefined ? this.#look(passage) : catchingUp.then(() => this.#look(passage))
  }

  /** Is it stored? */
  #look(passage: Passage): Outcome | Promise<Outcome> {
    const held = this.library.inMemory(passage.key.full, passage.request)
    if (held !== undefined && this.#use(passage, held)) return 'answered'
    if (!this.library.hasStore) return this.#foreground.render(passage, held)
    return this.#lookInStore(passage, held)
  }

  async #lookInStore(passage: Passage, held: StoredResponse | undefined): Promise<Outcome> {
    const { visit, key, request } = passage
    const read = await this.library.read(key, request)
    if (visit.res.destroyed) return this.#foreground.leave(visit)
    // Something may have come into memory while the store was asked.
    const found = this.library.inMemory(key.full, request) ?? read ?? held
    if (found !== undefined && this.#use(passage, found)) return 'answered'
    return this.#foreground.render(passage, found)
  }

  /** Serves a stored response if it is fresh, or stale and within its window; the latter is refreshed behind it. */
  #use(passage: Passage, response: StoredResponse): boolean {
    const { visit, request } = passage
    const now = this.settings.now()
    const decision = response.decide(passage, now)
    if (decision !== 'fresh' && decision !== 'stale') return false
    const label = this.#labels.hit(passage, response, now, decision === 'stale')
    visit.take()
    serve(outletOf(visit.res), response, request, label, now)
    this.journal.note(decision === 'fresh' ? 'hit' : 'stale', () => this.library.describe(response))
    if (decision === 'stale') this.background.refreshSoon(passage, response)
    return true
  }

  /** Why the cache keeps out of this request, if it does. */
  #refusal(visit: Visit, request: RequestHead, rules: Rules, hasCookie: boolean): string | undefined {
    if (visit.req.httpVersionMajor > 1) return 'http2'
    const reason = bypassReason(request, rules)
    if (reason !== undefined) return reason
    if (hasClientCertificate(visit.req)) return 'client-certificate'
    if (hasCookie) return 'cookie'
    return rules.skip !== undefined && isSkipped(rules.skip, visit) ? 'skip' : undefined
  }

  #bypass(visit: Visit, route: Route, entered: Route, rules: Rules, reason: string): Outcome {
    const exchange = this.#exchanges.get(visit.res) ?? new Exchange(entered, route)
    this.#exchanges.set(visit.res, exchange)
    const handling: Handling = reason === 'method' ? { fwd: 'method' } : { fwd: 'bypass', detail: reason }
    // An HTTP/2 response has other methods; there is nothing on it to listen to.
    if (reason !== 'http2')
      exchange.listen(
        visit,
        passing((head) => this.#labels.forwarded(head, rules, handling)),
      )
    this.journal.noteBypass(reason, () => ({ key: '', route: visit.route(), reason }))
    return 'proceed'
  }

  #exchangeOf({ visit, entered, route }: Passage): Exchange {
    const known = this.#exchanges.get(visit.res)
    if (known !== undefined) return known
    const exchange = new Exchange(entered, route)
    this.#exchanges.set(visit.res, exchange)
    return exchange
  }
}

/** A `skip` that throws has not said that the request may be shared. */
function isSkipped(skip: NonNullable<Rules['skip']>, visit: Visit): boolean {
  try {
    return skip(visit.req)
  } catch {
    return true
  }
}

const hostOf = ({ headers }: RequestHead): string => headers.host ?? ''

function pathOf({ target }: RequestHead): string {
  const mark = target.indexOf('?')
  return mark === -1 ? target : target.slice(0, mark)
}
