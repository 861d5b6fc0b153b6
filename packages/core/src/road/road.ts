import { AsyncLocalStorage } from 'node:async_hooks'

import { BackOff } from '../engine/back-off.ts'
import { Budget } from '../engine/budget.ts'
import { withDeadline } from '../engine/deadline.ts'
import type { Dispatch } from '../engine/dispatch.ts'
import { Flights } from '../engine/flights.ts'
import type { Jobs } from '../engine/jobs.ts'
import { Journal } from '../engine/journal.ts'
import { Library } from '../engine/library.ts'
import { Elsewhere } from '../engine/place.ts'
import { RefreshQueue } from '../engine/refresh-queue.ts'
import type { StoredResponse } from '../engine/stored-response.ts'
import type { Workings } from '../engine/workings.ts'
import { Background } from './background.ts'
import { Foreground } from './foreground.ts'
import { FUNCTION_JOB } from '../functions/function-job.ts'
import { Functions } from '../functions/functions.ts'
import { outletOf } from '../node/outlet.ts'
import { Own, nothing } from '../node/own.ts'
import { arrive, isOnItsWay } from '../node/renderer.ts'
import { serve } from '../node/serve.ts'
import { readContent } from '../node/content.ts'
import { type Outcome, type Visit, hasClientCertificate, requestHead, takeOver } from '../node/visit.ts'
import { INERT, passing } from '../node/tap.ts'
import type { RouteOptions } from '../options.ts'
import type { Rules, Settings } from '../settings.ts'
import { Exchange, type Passage, isForInside } from './passage.ts'
import type { Handling } from '../policy/cache-status.ts'
import { readCookies } from '../policy/cookies.ts'
import { bypassReason } from '../policy/eligible.ts'
import type { FieldLines, RequestHead } from '../policy/fields.ts'
import { invalidatedGroups, invalidatedPaths, isUnsafe } from '../policy/invalidation.ts'
import type { Head } from '../policy/storable.ts'
import { isAhead } from '../policy/freshness.ts'
import { meets, readDemands } from '../policy/demands.ts'
import { keyOf } from '../policy/key.ts'
import { isSameQuery } from '../policy/selector.ts'
import { isSelectingTooLong } from '../policy/vary.ts'
import { dispatchOf, jobsOf } from './job-services.ts'
import { RESPONSE_JOB } from './response-job.ts'
import { ResponseWork } from './response-work.ts'
import { type Route, Routes, liesOver } from './routes.ts'
import { Labels } from './labels.ts'
import type { Services } from './services.ts'
import { Shortcut } from './shortcut.ts'
import type { Ticket } from './ticket.ts'

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
  readonly functions: Functions
  readonly jobs: Jobs
  readonly dispatch: Dispatch | undefined
  readonly #exchanges = new Own<Exchange>()
  readonly #budget: Budget
  readonly #labels: Labels
  readonly #foreground: Foreground
  readonly #shortcut: Shortcut
  #isClosed = false

  constructor(settings: Settings, base: RouteOptions) {
    this.settings = settings
    this.routes = new Routes(base)
    this.journal = new Journal(settings.name)
    this.library = new Library(settings, this.journal)
    const backOff = new BackOff(settings.monotonicNow)
    const queue = new RefreshQueue(settings.refresh)
    // Taken now, so that no render begins in the async context of whichever visitor happened to ask.
    const runClean = AsyncLocalStorage.snapshot()
    this.#labels = new Labels(settings, this.library, backOff)
    this.#budget = new Budget(settings.memoryMaxBytes === 0 ? CAPTURE_BYTES : settings.memoryMaxBytes / 2)
    this.jobs = jobsOf(settings, this.journal)
    this.dispatch = dispatchOf(settings, this.jobs, this.journal)
    const services: Services = {
      settings,
      routes: this.routes,
      journal: this.journal,
      library: this.library,
      flights: new Flights(() => this.library.nextOrder()),
      budget: this.#budget,
      labels: this.#labels,
      exchangeOf: (passage: Passage) => this.#exchangeOf(passage),
      again: (passage: Passage) => this.#again(passage),
    }
    const { journal, library, dispatch } = this
    const workings: Workings = { queue, backOff, elsewhere: new Elsewhere(), dispatch, runClean }
    this.background = new Background(services, workings)
    this.functions = new Functions({ settings, journal, library, ...workings })
    const work = new ResponseWork(services, this.background)
    this.jobs.handle(RESPONSE_JOB, (payload, signal) => work.perform(payload, signal))
    this.jobs.handle(FUNCTION_JOB, (payload, signal) => this.functions.perform(payload, signal))
    this.#foreground = new Foreground(services, this.background)
    this.#shortcut = new Shortcut(services, this.background)
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

  /** Enters the layer in front of the whole app, where nobody has been asked yet who may see what. Never throws. */
  enterFront(visit: Visit): Outcome | Promise<Outcome> {
    try {
      const outcome = this.#enterFront(visit)
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
    // A visitor who has left before he came here is nobody that others should wait for.
    if (visit.res.destroyed) return 'proceed'
    if (this.#isClosed) return this.#pass(visit, layer)
    const ticket = this.background.ticketOf(visit.req.socket)
    if (ticket !== undefined) return this.#enterRender(ticket, visit, layer)
    if (isOnItsWay(visit.req.socket)) return 'proceed'
    if (this.#shortcut.answers(visit, layer)) return 'answered'
    const request = requestHead(visit)
    const isCountable = isRetrieval(request)
    const route = (isCountable ? this.#recorded(request) : undefined) ?? layer
    if (isCountable) this.journal.noteRequest()
    return this.#travel(visit, request, route, layer, 0)
  }

  /** What carries credentials goes in as if nothing stood here, and so does all that a route keeps for itself. */
  #enterFront(visit: Visit): Outcome | Promise<Outcome> {
    if (this.#isClosed || visit.res.destroyed) return 'proceed'
    const { base } = this.routes
    const ticket = this.background.ticketOf(visit.req.socket)
    if (ticket !== undefined) return ticket.isForInside ? 'proceed' : this.#enterRender(ticket, visit, base)
    if (isOnItsWay(visit.req.socket)) return 'proceed'
    if (this.#shortcut.answers(visit, base)) return 'answered'
    const request = requestHead(visit)
    const route = (isRetrieval(request) ? this.#recorded(request) : undefined) ?? base
    if (isForApp(request, route)) return 'proceed'
    if (isRetrieval(request)) this.journal.noteRequest()
    return this.#travel(visit, request, route, base, 0)
  }

  #recorded(request: RequestHead): Route | undefined {
    return this.routes.recorded(hostOf(request), pathOf(request))
  }

  /** A follower sets out anew: the leader's response did not fit it, or another route was the right one. */
  #again({ visit, request, entered, round }: Passage): Outcome | Promise<Outcome> {
    const route = this.#recorded(request) ?? entered
    // Only now it may be known what the route keeps for itself.
    if (visit.isInFront === true && isForApp(request, route)) return 'proceed'
    return this.#travel(visit, request, route, entered, round + 1)
  }

  /** A closed cache says so, and no more. */
  #pass(visit: Visit, layer: Route): Outcome {
    const { rules } = layer
    return rules === false ? 'proceed' : this.#bypass(visit, requestHead(visit), layer, layer, rules, 'closed')
  }

  /** An inner layer of the same cache takes the exchange over, unless the outer one has gone by its rules already. */
  #enterDeeper(exchange: Exchange, visit: Visit, layer: Route): Outcome | Promise<Outcome> {
    exchange.entered = this.routes.lay(exchange.entered, layer)
    const isChanged = exchange.isChanged(visit)
    exchange.visit = visit
    if (liesOver(exchange.route, exchange.entered) && !isChanged) return 'proceed'
    const { entered } = exchange
    exchange.release()
    exchange.release = nothing
    exchange.restoreConditions(visit)
    const request = requestHead(visit)
    // The layers of a POST say nothing about those of a GET.
    if (isRetrieval(request)) this.routes.record(hostOf(request), pathOf(request), entered)
    if (isChanged || (entered.rules !== false && !entered.rules.inFront)) exchange.standFrom(visit)
    if (exchange.wire !== undefined) exchange.wire.tap = INERT
    if (this.background.ticketOf(visit.req.socket) !== undefined) return 'proceed'
    exchange.route = entered
    return this.#travel(visit, request, entered, entered, 0)
  }

  /** A render of our own has come to the cache: its response is captured for those who wait for it. */
  #enterRender(ticket: Ticket, visit: Visit, layer: Route): Outcome {
    ticket.reached = true
    arrive(visit.req.socket)
    const exchange = new Exchange(visit, layer, ticket.route)
    this.#exchanges.set(visit.res, exchange)
    if (!liesOver(ticket.route, layer)) {
      const request = requestHead(visit)
      this.routes.record(hostOf(request), pathOf(request), layer)
    }
    ticket.attach(exchange, visit)
    return 'proceed'
  }

  /** A path is on record as opted out: whether it still is, the layers tell that the request enters until its head. */
  #checkRecord(visit: Visit, request: RequestHead, route: Route, entered: Route): void {
    const exchange = new Exchange(visit, entered, route)
    this.#exchanges.set(visit.res, exchange)
    const forgetIfWrong = (): FieldLines => {
      if (exchange.entered !== route) this.routes.forget(hostOf(request), pathOf(request))
      return []
    }
    exchange.listen(visit, passing(forgetIfWrong))
  }

  /** Is it for us, and what is its key? */
  #travel(visit: Visit, request: RequestHead, route: Route, entered: Route, round: number): Outcome | Promise<Outcome> {
    const { rules } = route
    if (rules === false) {
      if (route !== entered) this.#checkRecord(visit, request, route, entered)
      return 'proceed'
    }
    const cookies = readCookies(rules.cookies, request.headers.cookie)
    const reason = this.#refusal(visit, request, rules, cookies.bypass)
    if (reason !== undefined) return this.#bypass(visit, request, route, entered, rules, reason)
    if (request.method === 'QUERY' && request.content === undefined) {
      return this.#travelWithContent(visit, request, route, entered, round)
    }
    const key = keyOf(request, rules, cookies)
    if (isSelectingTooLong(key.configured)) {
      return this.#bypass(visit, request, route, entered, rules, 'selecting-length')
    }
    const authorized = request.headers.authorization !== undefined
    const demands = rules.requestCacheControl ? readDemands(request.headers) : undefined
    if (demands?.noStore === true) return this.#bypass(visit, request, route, entered, rules, 'request-no-store')
    const passage: Passage = { visit, request, route, rules, entered, key, authorized, demands, round }
    const catchingUp = this.library.catchingUp
    if (catchingUp === undefined) return this.#look(passage)
    const since = this.settings.monotonicNow()
    return catchingUp.then(() => this.#look(passage, since))
  }

  /** The content of a QUERY is a part of its key: it is read first, and put back for the handler. */
  async #travelWithContent(
    visit: Visit,
    request: RequestHead,
    route: Route,
    entered: Route,
    round: number,
  ): Promise<Outcome> {
    const content = await readContent(visit.req)
    const { rules } = route
    if (content === undefined) {
      return rules === false ? 'proceed' : this.#bypass(visit, request, route, entered, rules, 'body')
    }
    return this.#travel(visit, { ...request, content }, route, entered, round)
  }

  /** Is it stored? */
  #look(passage: Passage, since?: number): Outcome | Promise<Outcome> {
    const held = this.#inMemory(passage)
    if (isForInside(passage, held)) return 'proceed'
    if (this.#isOfUnknownLayers(passage, held)) return this.#learnLayers(passage)
    if (held !== undefined && this.#use(passage, held)) return 'answered'
    if (!this.library.hasStore) return this.#foreground.render(passage, held, this.library.nextOrder())
    return this.#lookInStore(passage, held, since)
  }

  #inMemory({ key, request, rules }: Passage): StoredResponse | undefined {
    const equivalent = rules.noVarySearch ? this.library.equivalent(key) : key
    const found = this.library.inMemory(equivalent.full, request)
    if (equivalent === key) return found
    return answersQuery(found, key.query) ? found : this.library.inMemory(key.full, request)
  }

  async #lookInStore(passage: Passage, held: StoredResponse | undefined, since?: number): Promise<Outcome> {
    const { visit } = passage
    const lookedAt = this.library.nextOrder()
    const spentMs = since === undefined ? 0 : this.settings.monotonicNow() - since
    // Several reads have one deadline; what comes after it goes into memory, perhaps.
    const { get } = this.settings.storeTimeoutMs
    // More than one call may take: the event loop was blocked, which is no fault of the store.
    const leftMs = spentMs > 1.5 * get ? get : Math.max(1, get - spentMs)
    let read: StoredResponse | undefined
    try {
      read = await withDeadline(this.#read(passage), leftMs, this.settings.monotonicNow)
    } catch {
      // It has taken too long.
    }
    if (visit.res.destroyed) return this.#foreground.leave(visit)
    // Something may have come into memory while the store was asked, or have been purged.
    const best = this.#inMemory(passage) ?? read ?? this.library.still(held)
    if (isForInside(passage, best)) return 'proceed'
    if (this.#isOfUnknownLayers(passage, best)) return this.#learnLayers(passage)
    if (best !== undefined && this.#use(passage, best)) return 'answered'
    return this.#foreground.render(passage, best, lookedAt)
  }

  #read({ key, request, rules }: Passage): Promise<StoredResponse | undefined> {
    const equivalent = rules.noVarySearch ? this.library.equivalent(key) : key
    const reading = this.library.read(equivalent, request, rules.precompress)
    if (equivalent === key) return reading
    return reading.then((found) =>
      answersQuery(found, key.query) ? found : this.library.read(key, request, rules.precompress),
    )
  }

  /** Serves a stored response if it is fresh, or stale and within its window; the latter is refreshed behind it. */
  #use(passage: Passage, response: StoredResponse): boolean {
    const { visit, request } = passage
    const now = this.settings.now()
    const decision = response.decide(passage, now)
    const isWanted = passage.demands === undefined || meets(passage.demands, decision, response, now, passage.rules)
    const isUsable = decision === 'fresh' || decision === 'stale'
    // Only a client that takes anything stale (max-stale) gets what lies beyond its windows.
    if (!isWanted || (!isUsable && passage.demands === undefined)) return false
    if (passage.authorized && !response.parts.authorized) return false
    // Cut off from the other processes for too long, nobody knows whether it has been purged.
    if (!this.library.vouchesFor(response)) return false
    takeOver(visit, () => {
      const label = this.#labels.hit(passage, response, now, decision !== 'fresh')
      serve(outletOf(visit.res), response, request, label, now)
    })
    this.journal.note(decision === 'fresh' ? 'hit' : 'stale', () => this.library.describe(response))
    if (decision === 'stale' || isDueAhead(passage, response, now)) this.background.refreshSoon(passage, response)
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

  #bypass(visit: Visit, request: RequestHead, route: Route, entered: Route, rules: Rules, reason: string): Outcome {
    const exchange = this.#exchanges.get(visit.res) ?? new Exchange(visit, entered, route)
    this.#exchanges.set(visit.res, exchange)
    const handling: Handling = reason === 'method' ? { fwd: 'method' } : { fwd: 'bypass', detail: reason }
    // An HTTP/2 response has other methods; there is nothing on it to listen to.
    if (reason !== 'http2') {
      const tap = passing((head) => {
        if (rules.invalidateOnUnsafe && isUnsafe(request.method)) this.#invalidate(request, rules, head)
        return this.#labels.forwarded(head, rules, handling)
      })
      exchange.listen(visit, tap)
    }
    this.journal.noteBypass(reason, () => ({ key: '', route: visit.route(), reason }))
    return 'proceed'
  }

  /** A successful unsafe request has changed what is stored for its URI (RFC 9111 §4.4). */
  #invalidate(request: RequestHead, rules: Rules, head: Head): void {
    if (head.status < 200 || head.status > 399) return
    const host = hostOf(request)
    for (const target of invalidatedPaths(request, head.fields)) {
      const known = this.routes.recorded(host, target.split('?', 1)[0]!)?.rules
      const key = keyOf({ ...request, method: 'GET', target }, known === undefined || known === false ? rules : known)
      this.library.invalidate(host, target, key)
    }
    for (const group of invalidatedGroups(head.fields)) this.library.invalidateGroup(host, group)
  }

  /** Whether it was captured by the rules of inner layers, and this process has not seen yet which those are. */
  #isOfUnknownLayers({ visit, request, route, entered }: Passage, response: StoredResponse | undefined): boolean {
    if (response?.parts.isInner !== true || route !== entered || this.#exchanges.has(visit.res)) return false
    return this.#recorded(request) === undefined
  }

  /** Lets a request through to the inner layers, which may serve it then. */
  #learnLayers(passage: Passage): Outcome {
    const { visit, request, entered } = passage
    const exchange = this.#exchangeOf(passage)
    exchange.listen(
      visit,
      passing(() => {
        // There are none any more.
        if (!exchange.isInner) this.routes.record(hostOf(request), pathOf(request), entered)
        return []
      }),
    )
    return 'proceed'
  }

  #exchangeOf({ visit, entered, route }: Passage): Exchange {
    const known = this.#exchanges.get(visit.res)
    if (known !== undefined) return known
    const exchange = new Exchange(visit, entered, route)
    this.#exchanges.set(visit.res, exchange)
    return exchange
  }
}

/** Whether a fresh response has lived so long that its route wants a new one. A refresh carries no Authorization. */
const isDueAhead = ({ rules, authorized }: Passage, response: StoredResponse, now: number): boolean =>
  !authorized && isAhead(response.freshness, rules, now)

/** Whether a request goes in as if nothing stood in front: its route wants that, or it carries credentials. */
function isForApp(request: RequestHead, { rules }: Route): boolean {
  if (rules === false || !rules.inFront) return true
  // What an unsafe one changes is to be invalidated, whoever it comes from.
  return !isUnsafe(request.method) && identifies(request, rules)
}

/** Whether a request says whose it is, in whatever way its route may go by. */
function identifies({ headers }: RequestHead, { cookies }: Rules): boolean {
  if (headers.authorization !== undefined) return true
  return typeof cookies === 'object' && 'key' in cookies && readCookies(cookies, headers.cookie).keyed !== ''
}

/** What lies under an equivalent key has not said itself that the two queries are the same, perhaps. */
const answersQuery = (found: StoredResponse | undefined, query: string): boolean =>
  found !== undefined && isSameQuery(found.parts.place, query)

/** A `skip` that throws has not said that the request may be shared. */
function isSkipped(skip: NonNullable<Rules['skip']>, visit: Visit): boolean {
  try {
    return skip(visit.req)
  } catch {
    return true
  }
}

const isRetrieval = ({ method }: RequestHead): boolean => method === 'GET' || method === 'HEAD'

const hostOf = ({ headers }: RequestHead): string => headers.host ?? ''

function pathOf({ target }: RequestHead): string {
  const mark = target.indexOf('?')
  return mark === -1 ? target : target.slice(0, mark)
}
