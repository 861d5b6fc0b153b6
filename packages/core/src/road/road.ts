import { AsyncLocalStorage } from 'node:async_hooks'

import { BackOff } from '../engine/back-off.ts'
import { Budget } from '../engine/budget.ts'
import type { Dispatch } from '../engine/dispatch.ts'
import { Flights } from '../engine/flights.ts'
import type { Jobs } from '../engine/jobs.ts'
import { Journal } from '../engine/journal.ts'
import { Library } from '../engine/library.ts'
import { Elsewhere } from '../engine/place.ts'
import { RefreshQueue } from '../engine/refresh-queue.ts'
import type { Workings } from '../engine/workings.ts'
import { Background } from './background.ts'
import { Bypass } from './bypass.ts'
import { Exchanges } from './exchanges.ts'
import { Foreground } from './foreground.ts'
import { FUNCTION_JOB } from '../functions/function-job.ts'
import { Functions } from '../functions/functions.ts'
import { nothing } from '../node/own.ts'
import { arrive, isOnItsWay } from '../node/renderer.ts'
import { readContent } from '../node/content.ts'
import { type Outcome, type Visit, requestHead } from '../node/visit.ts'
import { INERT, passing } from '../node/tap.ts'
import type { RouteOptions } from '../options.ts'
import type { Rules, Settings } from '../settings.ts'
import type { Exchange, Passage } from './passage.ts'
import { readCookies } from '../policy/cookies.ts'
import type { FieldLines, RequestHead } from '../policy/fields.ts'
import { isUnsafe } from '../policy/invalidation.ts'
import { readDemands } from '../policy/demands.ts'
import { keyOf, keyOfPlain } from '../policy/key.ts'
import { isSelectingTooLong } from '../policy/vary.ts'
import { dispatchOf, jobsOf } from './job-services.ts'
import { Lookup } from './lookup.ts'
import { RESPONSE_JOB } from './response-job.ts'
import { ResponseWork } from './response-work.ts'
import { type Route, Routes, hostOf, liesOver, pathOf } from './routes.ts'
import { Labels } from './labels.ts'
import type { Services } from './services.ts'
import { type Plain, Shortcut } from './shortcut.ts'
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
  readonly #exchanges = new Exchanges()
  readonly #budget: Budget
  readonly #labels: Labels
  readonly #shortcut: Shortcut
  readonly #bypass: Bypass
  readonly #lookup: Lookup
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
      exchanges: this.#exchanges,
      again: (passage: Passage) => this.#again(passage),
    }
    const { journal, library, dispatch } = this
    const workings: Workings = { queue, backOff, elsewhere: new Elsewhere(), dispatch, runClean }
    this.background = new Background(services, workings)
    this.functions = new Functions({ settings, journal, library, ...workings })
    const work = new ResponseWork(services, this.background)
    this.jobs.handle(RESPONSE_JOB, (payload, signal) => work.perform(payload, signal))
    this.jobs.handle(FUNCTION_JOB, (payload, signal) => this.functions.perform(payload, signal))
    this.#shortcut = new Shortcut(services, this.background)
    this.#bypass = new Bypass(services)
    this.#lookup = new Lookup(services, this.background, new Foreground(services, this.background))
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
    const plain = this.#shortcut.read(visit, layer)
    if (plain !== undefined) return this.#shortcut.answers(plain) ? 'answered' : this.#travelPlain(plain)
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
    const plain = this.#shortcut.read(visit, base)
    if (plain !== undefined) return this.#shortcut.answers(plain) ? 'answered' : this.#travelPlain(plain)
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
    return rules === false ? 'proceed' : this.#bypass.take(visit, requestHead(visit), layer, layer, rules, 'closed')
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
    const exchange = this.#exchanges.begin(visit, layer, ticket.route)
    if (!liesOver(ticket.route, layer)) {
      const request = requestHead(visit)
      this.routes.record(hostOf(request), pathOf(request), layer)
    }
    ticket.attach(exchange, visit)
    return 'proceed'
  }

  /** A path is on record as opted out: whether it still is, the layers tell that the request enters until its head. */
  #checkRecord(visit: Visit, request: RequestHead, route: Route, entered: Route): void {
    const exchange = this.#exchanges.begin(visit, entered, route)
    const forgetIfWrong = (): FieldLines => {
      if (exchange.entered !== route) this.routes.forget(hostOf(request), pathOf(request))
      return []
    }
    exchange.listen(visit, passing(forgetIfWrong))
  }

  /** A plain request is for us, and its key has been made. */
  #travelPlain(plain: Plain): Outcome | Promise<Outcome> {
    const { visit, entered, recorded, rules } = plain
    this.journal.noteRequest()
    const request = requestHead(visit)
    const key = keyOfPlain(plain, rules, request)
    const route = recorded ?? entered
    return this.#look({ visit, request, route, rules, entered, key, authorized: false, demands: undefined, round: 0 })
  }

  /** Is it for us, and what is its key? */
  #travel(visit: Visit, request: RequestHead, route: Route, entered: Route, round: number): Outcome | Promise<Outcome> {
    const { rules } = route
    if (rules === false) {
      if (route !== entered) this.#checkRecord(visit, request, route, entered)
      return 'proceed'
    }
    const cookies = readCookies(rules.cookies, request.headers.cookie)
    const reason = this.#bypass.reason(visit, request, rules, cookies.bypass)
    if (reason !== undefined) return this.#bypass.take(visit, request, route, entered, rules, reason)
    if (request.method === 'QUERY' && request.content === undefined) {
      return this.#travelWithContent(visit, request, route, entered, round)
    }
    const key = keyOf(request, rules, cookies)
    if (isSelectingTooLong(key.configured)) {
      return this.#bypass.take(visit, request, route, entered, rules, 'selecting-length')
    }
    const authorized = request.headers.authorization !== undefined
    const demands = rules.requestCacheControl ? readDemands(request.headers) : undefined
    if (demands?.noStore === true) return this.#bypass.take(visit, request, route, entered, rules, 'request-no-store')
    return this.#look({ visit, request, route, rules, entered, key, authorized, demands, round })
  }

  #look(passage: Passage): Outcome | Promise<Outcome> {
    const catchingUp = this.library.catchingUp
    if (catchingUp === undefined) return this.#lookup.look(passage)
    const since = this.settings.monotonicNow()
    return catchingUp.then(() => this.#lookup.look(passage, since))
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
      return rules === false ? 'proceed' : this.#bypass.take(visit, request, route, entered, rules, 'body')
    }
    return this.#travel(visit, { ...request, content }, route, entered, round)
  }
}

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

const isRetrieval = ({ method }: RequestHead): boolean => method === 'GET' || method === 'HEAD'
