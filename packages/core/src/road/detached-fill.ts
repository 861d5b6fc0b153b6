import { type ServerResponse, STATUS_CODES } from 'node:http'

import { type Background, type DetachedOutcome, planOf, renderedFor } from './background.ts'
import { hasNoContent, storedFields } from '../engine/stored-response.ts'
import type { Foreground, Led, Miss } from './foreground.ts'
import type { FillListener, FillResult } from '../node/fill.ts'
import { withoutContentFields } from '../node/head.ts'
import { headOf, renderRequest } from '../node/render-request.ts'
import type { RenderTarget } from '../node/renderer.ts'
import { outletOf } from '../node/serve.ts'
import type { Outcome, Visit } from '../node/visit.ts'
import { type HeadPlan, INERT, type Wire } from '../node/wire.ts'
import { isNotModified } from '../policy/conditions.ts'
import { type FieldLines, type RequestHead, requestValue, valueOf } from '../policy/fields.ts'
import { type Head, type Storable, mayStandInFor } from '../policy/storable.ts'
import { selectingOf } from '../policy/vary.ts'
import type { Services } from './services.ts'

/** Renders with ever more selecting headers: once without, once with those that the response has named, once more. */
const MAX_RENDERS = 3

const PASS: HeadPlan = { kind: 'pass', fields: [] }

/**
 * A miss whose request carries what the handler must not see in a shared render (unkeyed parameters, cookies; with
 * `sealed` anything unkeyed). It is rendered detached, like a refresh, and streamed to the visitor. If the head may not
 * be stored it is thrown away, and the visitor's own request goes to the handler after all.
 */
export class DetachedFill implements FillListener {
  readonly #services: Services
  readonly #background: Background
  readonly #foreground: Foreground
  readonly #miss: Miss
  readonly #led: Led | undefined
  readonly #target: RenderTarget
  /** waiting for a head; streaming one; decided otherwise. */
  #state: 'waiting' | 'streaming' | 'decided' = 'waiting'
  #abort = new AbortController()
  #renders = 0
  #request: RequestHead | undefined
  #rendered: { readonly res: ServerResponse; readonly standing: FieldLines } | undefined
  #isHeadless = false
  #resolve: (outcome: Outcome) => void = () => undefined
  #stopClock: () => void = () => undefined

  constructor(
    services: Services,
    background: Background,
    foreground: Foreground,
    miss: Miss,
    led: Led | undefined,
    target: RenderTarget,
  ) {
    this.#services = services
    this.#background = background
    this.#foreground = foreground
    this.#miss = miss
    this.#led = led
    this.#target = target
  }

  start(): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#resolve = resolve
      this.#stopClock = this.#foreground.startClock(this.#miss, () => this.#timeOut())
      this.#render([])
    })
  }

  onResult(result: FillResult): void {
    // A render that was begun anew, or that a deadline has ended, has nothing to say.
    if (this.#state === 'decided') return
    if (result.kind === 'broken' && this.#state === 'waiting') return
    this.#foreground.landed(this.#miss, this.#led, result)
  }

  onJudged(head: Head, verdict: Storable | { readonly reason: string }): HeadPlan {
    if (this.#state !== 'waiting') return PASS
    if ('reason' in verdict) {
      this.#goOn(verdict.reason, head.status)
    } else if (this.#lacks(verdict.vary)) {
      this.#renderAgain(verdict.vary)
    } else {
      this.#stream(head)
    }
    return PASS
  }

  onChunk(chunk: unknown, encoding: unknown): boolean {
    const { res } = this.#miss.passage.visit
    if (this.#state !== 'streaming' || this.#isHeadless || res.destroyed) return true
    if (typeof chunk === 'string') return res.write(chunk, (encoding as BufferEncoding | undefined) ?? 'utf8')
    // The app may use its buffer again once its own response has taken it.
    return chunk instanceof Uint8Array && chunk.length > 0 ? res.write(Buffer.copyBytesFrom(chunk)) : true
  }

  onEnd(): void {
    if (this.#state === 'streaming') this.#miss.passage.visit.res.end()
  }

  onBroken(): void {
    if (this.#state === 'streaming') this.#miss.passage.visit.res.destroy()
  }

  #render(names: readonly string[]): void {
    const { passage } = this.#miss
    this.#renders += 1
    this.#abort = new AbortController()
    const selecting = selectingOf(names, passage.request)
    const request = renderRequest(passage.key, selecting, renderedFor(passage))
    this.#request = headOf(request)
    const { signal } = this.#abort
    this.#background
      .renderDetached(planOf(passage), request, this.#target, this, signal, (visit, wire) => this.#reached(visit, wire))
      .then((outcome) => this.#closed(outcome, signal))
      .catch(() => this.#goOn('aborted', 0))
  }

  #reached(visit: Visit, wire: Wire): void {
    this.#rendered = { res: visit.res, standing: wire.standing }
  }

  /** The response has named selecting headers that this render did not carry as the visitor does. */
  #lacks(names: readonly string[]): boolean {
    const { request } = this.#miss.passage
    return names.some((name) => requestValue(request, name) !== requestValue(this.#request!, name))
  }

  #renderAgain(names: readonly string[]): void {
    this.#abort.abort()
    if (this.#renders < MAX_RENDERS) this.#render(names)
    else this.#goOn('vary-unstable', 0)
  }

  /** The visitor gets what a hit would give him, as it comes. */
  #stream(head: Head): void {
    const { passage } = this.#miss
    const { visit, request, rules } = passage
    this.#state = 'streaming'
    this.#stopClock()
    const now = this.#services.settings.now()
    const fields = storedFields(head, rules, this.#rendered!.standing, now)
    const length = valueOf(head.fields, 'content-length')
    if (length !== undefined && !hasNoContent(head.status)) fields.push('Content-Length', length)
    const status = this.#services.labels.forwarded(NO_HEAD, rules, { fwd: this.#miss.fwd, stored: true })
    this.#isHeadless = head.status === 200 && isNotModified(fields, request.headers, now)
    this.#takeVisit()
    const outlet = outletOf(visit.res)
    if (this.#isHeadless) outlet.writeHead(304, 'Not Modified', [...withoutContentFields(fields), ...status])
    else outlet.writeHead(head.status, head.reason ?? STATUS_CODES[head.status] ?? '', [...fields, ...status])
    // A visitor who reads slowly slows the render down once it is no longer captured.
    visit.res.on('drain', () => this.#rendered?.res.emit('drain'))
    this.#resolve('answered')
  }

  /** The visitor's own request goes to the handler; or a stored response stands in for a failure. */
  #goOn(reason: string, status: number): void {
    if (this.#state !== 'waiting') return
    this.#state = 'decided'
    this.#stopClock()
    this.#abort.abort()
    const { visit } = this.#miss.passage
    if (visit.res.destroyed) {
      this.#resolve(this.#foreground.leave(visit))
    } else if (this.#miss.standIn !== undefined && mayStandInFor(status)) {
      this.#standIn(status)
    } else {
      this.#resolve(this.#foreground.own(this.#miss, reason))
    }
  }

  #timeOut(): void {
    if (this.#state !== 'waiting') return
    this.#state = 'decided'
    this.#abort.abort()
    this.#foreground.landed(this.#miss, this.#led, { kind: 'broken', reason: 'render-timeout' })
    this.#standIn(undefined)
  }

  #standIn(status: number | undefined): void {
    this.#takeVisit()
    this.#foreground.serveStandIn(this.#miss, outletOf(this.#miss.passage.visit.res), status, true)
    this.#resolve('answered')
  }

  /** It ended before it had a head that we could judge: refused on the way to the cache, or broken off. */
  #closed({ reached }: DetachedOutcome, signal: AbortSignal): void {
    if (this.#state !== 'waiting' || signal.aborted) return
    this.#foreground.landed(this.#miss, this.#led, { kind: 'broken', reason: 'aborted' })
    this.#goOn(reached ? 'aborted' : 'not-reached', 0)
  }

  #takeVisit(): void {
    const { passage } = this.#miss
    const { wire } = this.#services.exchangeOf(passage)
    if (wire !== undefined) wire.tap = INERT
    passage.visit.take()
  }
}

const NO_HEAD: Head = { status: 0, reason: undefined, fields: [] }
