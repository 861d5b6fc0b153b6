import { Fill, type FillServices } from '../node/fill.ts'
import { type FillListener, type FillResult } from '../node/fill-listener.ts'
import { headOf } from '../node/render-request.ts'
import type { RenderRequest } from '../node/renderer.ts'
import { type Visit, requestHead } from '../node/visit.ts'
import type { Budget } from '../engine/budget.ts'
import type { Claim } from '../engine/claim.ts'
import type { Library } from '../engine/library.ts'
import type { StoredResponse } from '../engine/stored-response.ts'
import { type Wire } from '../node/wire.ts'
import { INERT, PASS } from '../node/tap.ts'
import type { Rules } from '../settings.ts'
import type { Exchange } from './passage.ts'
import type { RequestHead, SelectingHead } from '../policy/fields.ts'
import { type RequestKey, keyOf } from '../policy/key.ts'
import type { Route, Routes } from './routes.ts'
import type { Services } from './services.ts'

/** What a render needs to know, whoever it is for. */
export interface RenderPlan {
  readonly key: RequestKey
  readonly route: Route
  readonly rules: Rules
  readonly authorized: boolean
  readonly isRefresh?: boolean | undefined
  readonly carried?: readonly string[] | undefined
  /** A stored response that may still be good: its validators go with the request. */
  readonly validated?: StoredResponse | undefined
  /** Its place in the order of all processes, where they share a store. */
  readonly claim?: Claim | undefined
}

/** When a render began: what was purged, or rendered anew, since then is stronger than it. */
export interface Begun {
  readonly requestedAt: number
  readonly epoch: number
  readonly order: number
}

export function begin({ settings, library }: Services): Begun {
  return { requestedAt: settings.now(), epoch: library.epoch, order: library.nextOrder() }
}

/** Puts a fill on the wire of a response. `request`: as the handler will see it. */
export function startFill(
  services: Services,
  plan: RenderPlan,
  request: RequestHead,
  exchange: Exchange,
  visit: Visit,
  listener: FillListener,
  begun: Begun,
  seen?: SelectingHead,
): { readonly fill: Fill; readonly wire: Wire } {
  const { key, rules, authorized, validated, isRefresh, carried, claim } = plan
  const { requestedAt, epoch, order } = begun
  const wire = exchange.listen(visit, INERT)
  const fill = new Fill(
    { key, rules, request, authorized, validated, isRefresh, carried, seen, claim, requestedAt, epoch, order },
    new Surroundings(services, plan, exchange, visit),
    listener,
    wire.standing,
  )
  wire.tap = fill
  return { fill, wire }
}

/** What a fill needs of the cache, and of the layers that its request goes through. */
class Surroundings implements FillServices {
  readonly library: Library
  readonly budget: Budget
  readonly maxEntryBytes: number
  readonly now: () => number
  readonly tags: FillServices['tags']
  readonly #routes: Routes
  readonly #plan: RenderPlan
  readonly #exchange: Exchange
  readonly #visit: Visit

  constructor({ settings, library, budget, routes }: Services, plan: RenderPlan, exchange: Exchange, visit: Visit) {
    const { tags } = plan.rules
    this.library = library
    this.budget = budget
    this.maxEntryBytes = settings.maxEntryBytes
    this.now = settings.now
    this.tags = tags && ((head) => tags(visit.req, head))
    this.#routes = routes
    this.#plan = plan
    this.#exchange = exchange
    this.#visit = visit
  }

  route(): string | undefined {
    return this.#plan.rules.route ?? this.#exchange.visit.route()
  }

  isWhole(): boolean {
    return this.#exchange.isWhole
  }

  isInner(): boolean {
    return this.#exchange.isInner
  }

  isRightRoute(): boolean {
    const exchange = this.#exchange
    // A layer in front of the app has made its key before the app could change the request.
    if (exchange.isWhole && exchange.isChanged(this.#visit)) return false
    if (exchange.entered === exchange.route) return true
    const { key } = this.#plan
    this.#routes.record(key.host, key.path, exchange.entered)
    return false
  }
}

/** A render of our own on its way through the app: what the cache will find when the request arrives. */
export class Ticket {
  readonly route: Route
  /** Whether the request has come as far as the cache. */
  reached = false
  result: FillResult | undefined
  readonly #services: Services
  readonly #plan: RenderPlan
  readonly #request: RequestHead
  readonly #listener: FillListener
  readonly #onReached: ((visit: Visit, wire: Wire) => void) | undefined
  readonly #begun: Begun
  #exchange: Exchange | undefined

  constructor(
    services: Services,
    plan: RenderPlan,
    request: RenderRequest,
    listener: FillListener,
    onReached?: (visit: Visit, wire: Wire) => void,
  ) {
    this.route = plan.route
    this.#services = services
    this.#plan = plan
    this.#request = headOf(request)
    this.#onReached = onReached
    this.#begun = begin(services)
    this.#listener = {
      ...listenerMethods(listener),
      onResult: (result) => {
        this.result = result
        listener.onResult(result)
      },
    }
  }

  /** Whether it must come as far as the layers inside the app: there its key was made, or there alone it may be captured. */
  get isForInside(): boolean {
    return this.#plan.key.rewritten !== undefined || !this.#plan.rules.inFront
  }

  /** By whose rules the app answers it, as far as its request has come. */
  get entered(): Route | undefined {
    return this.#exchange?.entered
  }

  /** The request has arrived: its response is captured here. */
  attach(exchange: Exchange, visit: Visit): void {
    this.#exchange = exchange
    // What it is now; middleware may write into the headers later.
    const { headers, rawHeaders } = visit.req
    const { fill, wire } = startFill(
      this.#services,
      this.#plan,
      this.#request,
      exchange,
      visit,
      this.#listener,
      this.#begun,
      { headers: { ...headers }, rawHeaders: [...rawHeaders] },
    )
    const release = (): void => fill.abandon('layers')
    exchange.release = release
    this.#onReached?.(visit, wire)
    // Something between the server and the cache has made another request of it: its response is for another key.
    const { secure, content } = this.#request
    const seen = keyOf({ ...requestHead(visit), secure, content }, this.#plan.rules)
    if (seen.full !== this.#plan.key.full) fill.refuse('key-changed')
  }
}

/** The methods of a listener, bound: it may be an instance of a class. */
function listenerMethods(listener: FillListener): FillListener {
  return {
    hasConditions: listener.hasConditions,
    onJudged: (head, verdict) => listener.onJudged(head, verdict),
    onResult: (result) => listener.onResult(result),
    mayReplace: (status) => listener.mayReplace?.(status) ?? false,
    onFreshened: (response, isStored) => listener.onFreshened?.(response, isStored) ?? PASS,
    onWritten: (reason) => listener.onWritten?.(reason),
    onChunk: (chunk, encoding) => listener.onChunk?.(chunk, encoding),
    onEnd: () => listener.onEnd?.(),
    onBroken: () => listener.onBroken?.(),
  }
}
