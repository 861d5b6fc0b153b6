import type { IncomingMessage } from 'node:http'

import type { BackOff } from '../engine/back-off.ts'
import type { Claim } from '../engine/claim.ts'
import type { Dispatch } from '../engine/dispatch.ts'
import type { Library } from '../engine/library.ts'
import { isLater } from '../engine/memory.ts'
import { type Elsewhere, placeOfRefresh } from '../engine/place.ts'
import type { RefreshQueue } from '../engine/refresh-queue.ts'
import type { StoredResponse } from '../engine/stored-response.ts'
import type { Workings } from '../engine/workings.ts'
import { noRenderer } from '../errors.ts'
import { type FillListener, type FillResult } from '../node/fill-listener.ts'
import { type RenderedFor, headOf, renderRequest } from '../node/render-request.ts'
import { type RenderRequest, type RenderTarget, Renderer } from '../node/renderer.ts'
import type { Visit } from '../node/visit.ts'
import { type Wire } from '../node/wire.ts'
import type { Passage } from './passage.ts'
import { responseJob } from './response-job.ts'
import { isFailure } from '../policy/storable.ts'
import { carriedOf, namesOf } from '../policy/vary.ts'
import type { Route } from './routes.ts'
import type { Services } from './services.ts'
import { type RenderPlan, Ticket } from './ticket.ts'

/** How a detached render has ended. */
export interface DetachedOutcome {
  readonly result: FillResult | undefined
  /** Whether the response arrived whole. */
  readonly isWhole: boolean
  /** Whether the request came as far as the cache. */
  readonly reached: boolean
  /** By whose rules the app has answered. */
  readonly entered: Route | undefined
}

/** What became of a refresh. */
export interface Refreshed {
  /** Why it has failed, if it has. */
  readonly failure: string | undefined
  /** What it has brought. */
  readonly stored: StoredResponse | undefined
  /** By whose rules the app has answered. */
  readonly entered: Route | undefined
}

/** What may be seen of a detached render from outside. */
export interface RenderObserver {
  /** It has come to the cache. */
  readonly onReached?: (visit: Visit, wire: Wire) => void
  /** Its response arrives, to be thrown away; pausing it slows the app down. */
  readonly onResponse?: (response: IncomingMessage) => void
}

/** Renders that are detached from any visitor: refreshes behind his back, and fills that must not see all of him. */
export class Background {
  readonly #services: Services
  readonly #queue: RefreshQueue
  readonly #backOff: BackOff
  readonly #dispatch: Dispatch | undefined
  readonly #runClean: <T>(run: () => T) => T
  readonly #renderer = new Renderer<Ticket>()
  readonly #elsewhere: Elsewhere
  #attached: RenderTarget | undefined
  #isClosed = false

  constructor(services: Services, { queue, backOff, elsewhere, dispatch, runClean }: Workings) {
    this.#services = services
    this.#queue = queue
    this.#backOff = backOff
    this.#elsewhere = elsewhere
    this.#dispatch = dispatch
    this.#runClean = runClean
  }

  get queued(): number {
    return this.#queue.queued
  }

  get running(): number {
    return this.#queue.running
  }

  attach(target: RenderTarget): void {
    this.#attached = target
  }

  attachIfNone(target: RenderTarget): void {
    this.#attached ??= target
  }

  ticketOf(socket: object): Ticket | undefined {
    return this.#renderer.ticketOf(socket)
  }

  /** The server that took a visitor's request; its vhosts and outer listeners stay as they are. */
  targetOf(visit: Visit): RenderTarget | undefined {
    return (visit.req.socket as { server?: RenderTarget } | undefined)?.server ?? this.#attached
  }

  /** Whether a refresh of it is queued or running, here, in a worker or in another process. */
  isRefreshing({ variant, parts }: StoredResponse): boolean {
    if (this.#queue.has(variant) || this.#elsewhere.has(variant)) return true
    return this.#dispatch?.isUnderWay(variant, parts.receivedAt) === true
  }

  /** Has a stale response refreshed once, unless that is under way or the last refresh has failed a moment ago. */
  refreshSoon(passage: Passage, response: StoredResponse): void {
    const { journal, library } = this.#services
    const dispatch = this.#dispatch
    const variant = response.variant
    if (this.#isClosed || this.isRefreshing(response) || this.#backOff.forbids(variant)) return
    const target = this.targetOf(passage.visit)
    if (target === undefined) {
      journal.note('refresh-failed', () => ({ ...library.describe(response), reason: 'no-renderer' }))
      return
    }
    const source = renderedFor(passage)
    const carried = namesOf(response.parts.selecting)
    const request = renderRequest(passage.key, carriedOf(carried, passage.request), source, response.validators)
    const plan = { ...planOf(passage, response), isRefresh: true, carried }
    const refreshHere = (): void => {
      if (this.#isClosed || this.#queue.has(variant)) return
      const isQueued = this.#runClean(() =>
        this.#queue.add(variant, (signal) => this.#refresh(plan, request, target, response, signal)),
      )
      if (!isQueued) journal.note('refresh-dropped', () => ({ ...library.describe(response), reason: 'queue-full' }))
    }
    // What a worker renders comes back through the store, or not at all.
    if (dispatch === undefined || !response.isInStore || library.breakerState !== 'closed') {
      refreshHere()
      return
    }
    const job = responseJob(plan.key, request, carried, response, library.epoch)
    // Without copies in memory, every request looks for itself.
    const look = library.memory.isOn ? () => this.#seek(plan, request, response) : undefined
    const { receivedAt } = response.parts
    const describe = (): ReturnType<Library['describe']> => library.describe(response)
    const refresh = { key: variant, knownAt: receivedAt, job, describe, look, otherwise: refreshHere }
    this.#runClean(() => dispatch.send(refresh))
  }

  /** Looks whether a worker has put something newer into the store, or has removed what was there. */
  async #seek({ key, rules }: RenderPlan, request: RenderRequest, response: StoredResponse): Promise<boolean> {
    const { library } = this.#services
    await library.catchingUp
    const place = rules.noVarySearch ? library.equivalent(key) : key
    const found = await library.read(place, headOf(request), rules.precompress)
    if (found !== undefined) return found.parts.receivedAt > response.parts.receivedAt
    if (await library.isStored(response)) return false
    library.memory.remove(response)
    return true
  }

  /** Renders a key now, for an application that asks. Resolves with whether it was stored, when the store has it too. */
  async renderNow(plan: RenderPlan, request: RenderRequest, abort?: AbortSignal): Promise<boolean> {
    const claim = await this.#services.library.order(plan.key, headOf(request))
    const timeout = AbortSignal.timeout(this.#services.settings.refresh.timeoutMs)
    const signal = abort === undefined ? timeout : AbortSignal.any([abort, timeout])
    const { result } = await this.renderByItself({ ...plan, claim }, request, signal)
    if (result?.kind !== 'stored') return false
    await result.written
    return true
  }

  /** Renders for nobody, through the server that was named. Throws CACHEBACK_NO_RENDERER. */
  async renderByItself(plan: RenderPlan, request: RenderRequest, signal: AbortSignal): Promise<DetachedOutcome> {
    return this.renderDetached(plan, request, this.attached, BY_ITSELF, signal)
  }

  /** Sends a request through the whole app, in nobody's async context. Resolves when its response has closed. */
  async renderDetached(
    plan: RenderPlan,
    request: RenderRequest,
    target: RenderTarget,
    listener: FillListener,
    signal: AbortSignal,
    seen: RenderObserver = {},
  ): Promise<DetachedOutcome> {
    const ticket = new Ticket(this.#services, plan, request, listener, seen.onReached)
    const isWhole = await this.#runClean(() => this.#renderer.render(target, request, ticket, signal, seen.onResponse))
    return { result: ticket.result, isWhole, reached: ticket.reached, entered: ticket.entered }
  }

  get isIdle(): boolean {
    return this.queued + this.running === 0 && this.#elsewhere.isIdle
  }

  async idle(): Promise<void> {
    await this.#queue.idle()
    await this.#elsewhere.idle()
  }

  close(): void {
    this.#isClosed = true
    this.#queue.close()
  }

  async #refresh(
    plan: RenderPlan,
    request: RenderRequest,
    target: RenderTarget,
    response: StoredResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const { library, settings } = this.#services
    // Purged while it waited here: its validators must not bring it back.
    if (!library.admits(response)) return
    const isGood = (found: StoredResponse): boolean =>
      isLater(found, response) && found.decide(plan, settings.now()) === 'fresh'
    const { key, rules } = plan
    const wanted = { key, request: headOf(request), held: response, precompress: rules.precompress, isGood }
    const place = await placeOfRefresh(library, wanted)
    if (place.kind === 'busy') this.#elsewhere.await(response.variant, place.over)
    if (place.kind !== 'claim') return
    const { claim } = place
    // Or while it waited for that.
    if (library.admits(response)) await this.refreshNow({ ...plan, claim }, request, target, response, signal)
    else claim?.end()
  }

  get isAttached(): boolean {
    return this.#attached !== undefined
  }

  /** The server through which pages are rendered of which no visitor's request says where. Throws CACHEBACK_NO_RENDERER. */
  get attached(): RenderTarget {
    if (this.#attached === undefined) throw noRenderer()
    return this.#attached
  }

  /** Renders anew, and draws the conclusions. `response`: what is stored, if anything is. */
  async refreshNow(
    plan: RenderPlan,
    request: RenderRequest,
    target: RenderTarget,
    response: StoredResponse | undefined,
    signal: AbortSignal,
  ): Promise<Refreshed> {
    const { library, flights, settings } = this.#services
    const flightKey = library.flightKey(plan.key.full, headOf(request))
    // Whoever comes when it may no longer be served stale waits for this render instead of making another.
    const isUnderWay = flights.get(flightKey)?.hasLanded === false
    const flight = isUnderWay ? undefined : flights.lead(flightKey)
    const startedAt = settings.monotonicNow()
    const outcome = await this.renderDetached(plan, request, target, BY_ITSELF, signal)
    if (outcome.result?.kind !== 'stored') plan.claim?.end()
    const durationMs = settings.monotonicNow() - startedAt
    const { result, entered } = outcome
    const failure = this.#isClosed ? 'closed' : this.#conclude(plan, response, outcome, durationMs)
    const refreshed = { failure, entered, stored: result?.kind === 'stored' ? result.response : undefined }
    if (flight === undefined) return refreshed
    if (result?.kind === 'stored') {
      flights.land(flightKey, flight, { kind: 'stored', response: result.response }, library.visible(result.written))
    } else {
      flights.land(flightKey, flight, { kind: 'released' })
    }
    return refreshed
  }

  /** What a refresh has brought: a new response, the end of the old one, or nothing but a reason to wait. */
  #conclude(
    plan: RenderPlan,
    response: StoredResponse | undefined,
    { result, isWhole, reached }: DetachedOutcome,
    durationMs: number,
  ): string | undefined {
    const { journal, library } = this.#services
    const variant = response?.variant ?? plan.key.full
    const place = response === undefined ? { key: library.describeKey(plan.key), route: undefined } : undefined
    const described = (reason?: string) => () => ({ ...(place ?? library.describe(response!)), reason, durationMs })
    if (result?.kind === 'stored') {
      this.#backOff.succeeded(variant)
      // It may vary by other headers now than it did: then the old one has not been replaced yet.
      if (response !== undefined && result.response.variant !== variant) library.remove(response)
      journal.note('refresh', described())
      return undefined
    }
    const reason = reached ? (result?.reason ?? 'aborted') : 'not-reached'
    if (result?.kind === 'unstorable' && BY_CHANCE.has(result.reason)) return reason
    // Not about what is stored: something before the cache has made another request of it.
    const isAnswer = result?.kind === 'unstorable' && isWhole && !isFailure(result.status)
    if (isAnswer && result.reason !== 'key-changed') {
      this.#backOff.succeeded(variant)
      if (response !== undefined) library.remove(response)
      journal.note('refresh', described(reason))
      return undefined
    }
    const failure = isFailure(statusOf(result)) ? `status-${statusOf(result)}` : reason
    this.#backOff.failed(variant)
    journal.note('refresh-failed', described(failure))
    return failure
  }
}

/** A purge, a newer render or another layer came in between: nobody is to blame, and the next request tries again. */
const BY_CHANCE = new Set(['purged', 'superseded', 'layers'])

/** Nobody waits for it: it is captured and stored, that is all. */
const BY_ITSELF: FillListener = {
  onJudged: () => ({ kind: 'pass', fields: [] }),
  onResult: () => undefined,
}

const statusOf = (result: FillResult | undefined): number => (result?.kind === 'unstorable' ? result.status : 0)

export const planOf = (
  { key, route, rules, authorized }: Passage,
  validated?: StoredResponse,
  claim?: Claim,
): RenderPlan => ({ key, route, rules, authorized, validated, claim })

export const renderedFor = ({ request, visit }: Passage): RenderedFor => ({
  head: request,
  remoteAddress: visit.req.socket?.remoteAddress,
})
