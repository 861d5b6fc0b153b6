import type { StoredResponse } from '../engine/stored-response.ts'
import type { FillListener, FillResult } from '../node/fill-listener.ts'
import type { Fill } from '../node/fill.ts'
import { nothing } from '../node/own.ts'
import type { HeadPlan } from '../node/tap.ts'
import type { Wire } from '../node/wire.ts'
import type { Handling } from '../policy/cache-status.ts'
import { isNotModified } from '../policy/conditions.ts'
import { codingVary } from '../policy/content-coding.ts'
import type { RequestHead } from '../policy/fields.ts'
import { canBeShared } from '../policy/freshness.ts'
import type { Head, Storable } from '../policy/storable.ts'
import { planOf } from './background.ts'
import type { Foreground } from './foreground.ts'
import type { Led, Miss } from './miss.ts'
import type { Exchange } from './passage.ts'
import type { Services } from './services.ts'
import { begin, startFill } from './ticket.ts'

/** A visitor's own request on its way to the handler: what comes back is captured on its way to him. */
export class Capture implements FillListener {
  readonly hasConditions: boolean
  readonly #services: Services
  readonly #foreground: Foreground
  readonly #miss: Miss
  readonly #led: Led | undefined
  readonly #exchange: Exchange
  /** As the handler sees it now; middleware may write into the headers later. */
  readonly #request: RequestHead
  readonly #fill: Fill
  readonly #wire: Wire
  #stopClock = nothing

  constructor(services: Services, foreground: Foreground, miss: Miss, led: Led | undefined) {
    const { passage, isHitForMiss, validated, claim } = miss
    const { visit } = passage
    const exchange = services.exchanges.of(passage)
    this.#services = services
    this.#foreground = foreground
    this.#miss = miss
    this.#led = led
    this.#exchange = exchange
    if (!isHitForMiss || validated !== undefined) exchange.hideConditions(visit)
    if (validated !== undefined) exchange.validate(visit, validated.validators)
    this.hasConditions = Object.values(exchange.conditions).some((value) => value !== undefined)
    const { headers, rawHeaders } = visit.req
    const { method, secure, target, rewritten, content } = passage.request
    const request = {
      method,
      secure,
      target,
      rewritten,
      content,
      headers: { ...headers },
      rawHeaders: rawHeaders.slice(),
    }
    this.#request = request
    const plan = planOf(passage, validated, claim)
    const { fill, wire } = startFill(services, plan, request, exchange, visit, this, begin(services))
    this.#fill = fill
    this.#wire = wire
  }

  start(): void {
    this.#stopClock = this.#foreground.startClock(this.#miss, () => this.#timeOut())
    const release = (): void => this.#release()
    this.#exchange.release = release
  }

  mayReplace(status: number): boolean {
    return this.#foreground.mayReplace(this.#miss, status)
  }

  onFreshened(response: StoredResponse, isStored: boolean): HeadPlan {
    this.#stopClock()
    const { answers } = this.#foreground
    return {
      kind: 'stand-in',
      serve: (outlet) => answers.freshened(this.#miss, outlet, response, isStored, this.#asked),
    }
  }

  onJudged(head: Head, verdict: Storable | { readonly reason: string }): HeadPlan {
    this.#stopClock()
    const { answers } = this.#foreground
    const { rules } = this.#miss.passage
    const now = this.#services.settings.now()
    if (this.mayReplace(head.status)) {
      return { kind: 'stand-in', serve: (outlet) => answers.standIn(this.#miss, outlet, head.status, this.#asked) }
    }
    const isStorable = !('reason' in verdict)
    if (isStorable && !canBeShared(verdict.freshness, now)) this.#goAlone()
    const { fwd } = this.#miss
    const handling: Handling = isStorable ? { fwd, stored: true } : { fwd, detail: verdict.reason }
    const label = answers.label(this.#miss, head, handling)
    const vary = isStorable ? codingVary(head.status, head.fields, rules) : []
    const isKnown = head.status === 200 && this.hasConditions && isNotModified(head.fields, this.#conditions, now)
    return {
      kind: isKnown ? 'not-modified' : 'pass',
      fields: vary.length === 0 ? label : [...label, ...vary],
    }
  }

  onResult(result: FillResult): void {
    this.#exchange.release = nothing
    this.#stopClock()
    this.#foreground.landed(this.#miss, this.#led, result)
  }

  get #conditions(): Readonly<Record<string, string | undefined>> {
    return this.#exchange.conditions
  }

  /** What the client has asked, before its conditions were hidden. */
  get #asked(): RequestHead {
    return { ...this.#request, headers: { ...this.#request.headers, ...this.#conditions } }
  }

  /** Nobody else may have it: those who wait need not wait longer. */
  #goAlone(): void {
    const led = this.#led
    if (led === undefined) return
    this.#services.flights.land(led.key, led.flight, { kind: 'released' })
    this.#miss.claim?.end()
  }

  #timeOut(): void {
    const { answers } = this.#foreground
    if (!this.#wire.standIn((outlet) => answers.standIn(this.#miss, outlet, undefined, this.#asked))) return
    this.#fill.abandon('render-timeout')
  }

  /** An inner layer of the cache takes over. */
  #release(): void {
    const led = this.#led
    if (led !== undefined) this.#services.flights.land(led.key, led.flight, { kind: 'superseded' })
    this.#fill.abandon('superseded')
  }
}
