import { type IncomingMessage, STATUS_CODES } from 'node:http'

import { storedFields } from '../engine/rendered-response.ts'
import { type StoredResponse, hasNoContent } from '../engine/stored-response.ts'
import { type FillListener, type FillResult } from '../node/fill-listener.ts'
import { withoutContentFields } from '../node/head.ts'
import { type Outlet, outletOf } from '../node/outlet.ts'
import { nothing } from '../node/own.ts'
import { headOf, renderRequest } from '../node/render-request.ts'
import type { RenderTarget } from '../node/renderer.ts'
import { type Outcome, takeOver } from '../node/visit.ts'
import { type HeadPlan, INERT, PASS } from '../node/tap.ts'
import { isNotModified } from '../policy/conditions.ts'
import { variesByCoding, varyingByEncoding } from '../policy/content-coding.ts'
import { type FieldLines, type RequestHead, valueOf } from '../policy/fields.ts'
import { type Head, type Storable, mayStandInFor } from '../policy/storable.ts'
import { carriedOf, isSelectedBy, namesOf, selectingOf } from '../policy/vary.ts'
import { type Background, type DetachedOutcome, planOf, renderedFor } from './background.ts'
import { NO_HEAD } from './answers.ts'
import type { Foreground } from './foreground.ts'
import type { Led, Miss } from './miss.ts'
import type { Services } from './services.ts'

/** Renders with ever more selecting headers: with those that are known, with those that the response has named, once more. */
const MAX_RENDERS = 3

/** One render of the fill. */
interface Render {
  readonly abort: AbortController
  readonly request: RequestHead
  /** What stood on its response before the cache: it belongs to the render, and not to the page. */
  standing: FieldLines
  head: Head | undefined
  /** The other end, from which the app's bytes are read and thrown away. */
  response: IncomingMessage | undefined
}

/**
 * A miss whose request carries what the handler must not see in a shared render (unkeyed parameters, cookies; with
 * `sealed` anything unkeyed). It is rendered detached, like a refresh, and streamed to the visitor. If the head may not
 * be stored it is thrown away, and the visitor's own request goes to the handler after all.
 */
export class DetachedFill {
  readonly #services: Services
  readonly #background: Background
  readonly #foreground: Foreground
  readonly #miss: Miss
  readonly #led: Led | undefined
  readonly #target: RenderTarget
  /** waiting for a head that may be stored; streaming what follows; decided: the visitor gets something else. */
  #state: 'waiting' | 'streaming' | 'decided' = 'waiting'
  #render: Render | undefined
  #renders = 0
  #hasLanded = false
  #isTruncated = false
  #isHeadless = false
  #resolve: (outcome: Outcome) => void = nothing
  #stopClock: () => void = nothing

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
    const { passage, validated } = this.#miss
    const known = this.#services.library.newestVary(passage.key.full)
    return new Promise((resolve) => {
      this.#resolve = resolve
      this.#stopClock = this.#foreground.startClock(this.#miss, () => this.#timeOut())
      passage.visit.res.once('close', () => this.#visitorLeft())
      this.#begin(validated === undefined ? known : namesOf(validated.parts.selecting))
    })
  }

  #begin(names: readonly string[]): void {
    const { passage, validated } = this.#miss
    const selecting = carriedOf(names, passage.request)
    const request = renderRequest(passage.key, selecting, renderedFor(passage), validated?.validators)
    const abort = new AbortController()
    const render: Render = { abort, request: headOf(request), standing: [], head: undefined, response: undefined }
    this.#renders += 1
    this.#render = render
    this.#background
      .renderDetached(
        { ...planOf(passage, validated, this.#miss.claim), carried: names },
        request,
        this.#target,
        this.#listenerOf(render),
        abort.signal,
        {
          onReached: (_visit, wire) => {
            render.standing = wire.standing
          },
          onResponse: (response) => {
            render.response = response
            this.#pace()
          },
        },
      )
      .then((outcome) => this.#closed(render, outcome))
      .catch(() => this.#goOn('aborted', 0))
  }

  /** What one render tells; a render that has been begun anew is heard no more. */
  #listenerOf(render: Render): FillListener {
    const isHeard = (): boolean => this.#render === render
    return {
      onResult: (result) => isHeard() && this.#land(result),
      onJudged: (head, verdict) => {
        render.head = head
        if (isHeard() && this.#state === 'waiting') this.#judged(verdict, head)
        return PASS
      },
      // Only now have the layers outside the cache had their say.
      onWritten: (reason) => {
        if (!isHeard() || this.#state !== 'waiting') return
        if (reason === undefined) this.#stream(render)
        else this.#goOn(reason, render.head?.status ?? 0)
      },
      onFreshened: (response, isStored) => (isHeard() ? this.#freshened(response, isStored) : PASS),
      onChunk: (chunk, encoding) => {
        if (isHeard() && this.#state === 'streaming') this.#pass(chunk, encoding)
      },
      onEnd: () => {
        // All has been passed on; the other end need not wait for the visitor to have read it.
        render.response?.resume()
        if (!isHeard() || this.#state !== 'streaming' || this.#isHeadless) return
        const { res } = this.#miss.passage.visit
        // Less than was declared: on a connection that is kept he would wait for the rest. Once it has ended, a response
        // has no socket any more.
        const { socket } = res
        if (this.#isTruncated) res.end(() => socket?.destroy())
        else res.end()
      },
      onBroken: () => {
        if (isHeard() && this.#state === 'streaming' && !this.#isHeadless) this.#miss.passage.visit.res.destroy()
      },
    }
  }

  /** Tells the followers, once. A visitor of ours never leaves: whatever broke was broken by the app. */
  #land(result: FillResult): void {
    if (this.#hasLanded) return
    this.#hasLanded = true
    this.#isTruncated = result.kind === 'broken' && result.reason === 'truncated'
    this.#foreground.landed(
      this.#miss,
      this.#led,
      result.kind === 'broken' ? { ...result, visitorLeft: false } : result,
    )
    // Uncaptured from here on: the visitor's own pace rules, and without him there is nobody to read it.
    if (result.kind !== 'stored' && this.#miss.passage.visit.res.destroyed) this.#render?.abort.abort()
    this.#pace()
  }

  #judged(verdict: Storable | { readonly reason: string }, head: Head): void {
    if ('reason' in verdict) this.#goOn(verdict.reason, head.status)
    else if (this.#lacks(verdict.vary)) this.#beginAgain(verdict.vary)
  }

  /** The response has named selecting headers that this render did not carry as the visitor does. */
  #lacks(names: readonly string[]): boolean {
    const { request } = this.#miss.passage
    return !isSelectedBy(selectingOf(names, request), this.#render!.request)
  }

  #beginAgain(names: readonly string[]): void {
    const { abort } = this.#render!
    if (this.#renders < MAX_RENDERS) this.#begin(names)
    else this.#goOn('vary-unstable', 0)
    abort.abort()
  }

  /** The visitor gets what a hit would give him, as it comes. */
  #stream({ head, standing }: Render): void {
    if (head === undefined) return
    const { passage, fwd } = this.#miss
    const { visit, request, rules } = passage
    this.#state = 'streaming'
    this.#stopClock()
    const now = this.#services.settings.now()
    const kept = storedFields(head, rules, standing, now)
    const fields = variesByCoding(head.status, kept) && rules.precompress ? varyingByEncoding(kept) : kept
    const length = valueOf(head.fields, 'content-length')
    if (length !== undefined && !hasNoContent(head.status)) fields.push('Content-Length', length)
    const status = this.#services.labels.forwarded(NO_HEAD, rules, { fwd, stored: true })
    this.#isHeadless = head.status === 200 && isNotModified(fields, request.headers, now)
    this.#takeVisit((outlet) => {
      if (this.#isHeadless) {
        outlet.writeHead(304, 'Not Modified', [...withoutContentFields(fields), ...status])
        // Whole as it is: his next request may come over the same connection.
        outlet.end()
      } else outlet.writeHead(head.status, head.reason ?? STATUS_CODES[head.status] ?? '', [...fields, ...status])
    })
    visit.res.on('drain', () => this.#render?.response?.resume())
    this.#resolve('answered')
  }

  #pass(chunk: unknown, encoding: unknown): void {
    const { res } = this.#miss.passage.visit
    if (this.#isHeadless || res.destroyed) return
    if (typeof chunk === 'string') res.write(chunk, (encoding as BufferEncoding | null) ?? 'utf8')
    // The app may use its buffer again once its own response has taken it.
    else if (chunk instanceof Uint8Array && chunk.length > 0) res.write(Buffer.copyBytesFrom(chunk))
    this.#pace()
  }

  /** While it is captured the render runs at its own pace, and the capture bounds what waits; after that, at the visitor's. */
  #pace(): void {
    if (this.#hasLanded && this.#miss.passage.visit.res.writableNeedDrain) this.#render?.response?.pause()
  }

  #freshened(response: StoredResponse, isStored: boolean): HeadPlan {
    if (this.#state !== 'waiting') return PASS
    // What is not stored belongs to whoever was asked for, here nobody; and the 304 may name other selecting headers.
    if (!isStored || !response.isSelectedBy(this.#miss.passage.request)) {
      this.#goOn('validation', 0)
      return PASS
    }
    this.#state = 'decided'
    this.#stopClock()
    const { request } = this.#miss.passage
    this.#takeVisit((outlet) => this.#foreground.answers.freshened(this.#miss, outlet, response, isStored, request))
    this.#resolve('answered')
    return PASS
  }

  /** The visitor's own request goes to the handler; or a stored response stands in for a failure. */
  #goOn(reason: string, status: number): void {
    if (this.#state !== 'waiting') return
    this.#state = 'decided'
    this.#stopClock()
    this.#land(reason === 'aborted' ? { kind: 'broken', reason } : { kind: 'unstorable', reason, status })
    this.#render?.abort.abort()
    const { visit } = this.#miss.passage
    if (visit.res.destroyed) this.#resolve(this.#foreground.leave(visit))
    else if (mayStandInFor(status) && this.#foreground.answers.hasStandIn(this.#miss)) this.#standIn(status)
    else this.#resolve(this.#foreground.goOn(this.#miss, reason))
  }

  #timeOut(): void {
    if (this.#state !== 'waiting') return
    this.#state = 'decided'
    this.#land({ kind: 'broken', reason: 'render-timeout' })
    this.#render?.abort.abort()
    this.#standIn(undefined)
  }

  #standIn(status: number | undefined): void {
    const { request } = this.#miss.passage
    this.#takeVisit((outlet) => this.#foreground.answers.standIn(this.#miss, outlet, status, request))
    this.#resolve('answered')
  }

  /** Others may wait for the render, so it goes on; but not for ever, and not for nobody. */
  #visitorLeft(): void {
    const { abort } = this.#render!
    if (this.#hasLanded) {
      abort.abort()
      return
    }
    const timer = setTimeout(() => this.#render?.abort.abort(), this.#services.settings.refresh.timeoutMs)
    timer.unref()
    abort.signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
  }

  /** It ended before it had a head that we could judge: refused on the way to the cache, or broken off. */
  #closed(render: Render, { reached }: DetachedOutcome): void {
    if (this.#render !== render) return
    this.#goOn(reached ? 'aborted' : 'not-reached', 0)
  }

  #takeVisit(answer: (outlet: Outlet) => void): void {
    const { passage } = this.#miss
    const { wire } = this.#services.exchanges.of(passage)
    if (wire !== undefined) wire.tap = INERT
    takeOver(passage.visit, () => answer(outletOf(passage.visit.res)))
  }
}
