import type { Budget } from '../engine/budget.ts'
import type { Library } from '../engine/library.ts'
import { type RenderContext, selectingNames, storedResponse } from '../engine/rendered-response.ts'
import type { StoredResponse } from '../engine/stored-response.ts'
import { type FieldLines, type SelectingHead, valueOf } from '../policy/fields.ts'
import { birthOf } from '../policy/freshness.ts'
import { freshenedFields, isAboutAnother } from '../policy/freshen.ts'
import { type Head, type Storable, forbiddenOutside, isFailure, judge, rulingLines } from '../policy/storable.ts'
import { readSearchRule } from '../policy/no-vary-search.ts'
import { type Selecting, isSelectedBy, isSelectingTooLong, selectingOf } from '../policy/vary.ts'
import type { ResponseHead } from '../options.ts'
import { Body } from './body.ts'
import type { FillListener, FillResult } from './fill-listener.ts'
import type { HeadPlan, Tap, WrittenFields } from './tap.ts'

export interface FillServices {
  readonly library: Library
  readonly budget: Budget
  readonly maxEntryBytes: number
  now(): number
  /** The route, once the framework knows it. */
  route(): string | undefined
  /** Whether it is captured in front of the whole app. */
  isWhole(): boolean
  /** Whether an inner layer of the cache has been entered. */
  isInner(): boolean
  /** The tags that the route's own function gives, where it has one. */
  readonly tags: ((head: ResponseHead) => readonly string[]) | undefined
  /** Whether the layers of the cache that were entered are those by whose rules this render began. */
  isRightRoute(): boolean
}

/** What a fill knows of the render that it listens to. */
export interface FillContext extends RenderContext {
  readonly authorized: boolean
  /** Of a render of our own: the request as it has come through the layers before the cache. */
  readonly seen?: SelectingHead | undefined
}

const NO_TAGS: readonly string[] = []

/** One render on its way to the wire: judged at its head, captured, judged again, stored after a clean end. */
export class Fill implements Tap {
  readonly #context: FillContext
  readonly #services: FillServices
  readonly #listener: FillListener
  readonly #standing: FieldLines
  #head: Head | undefined
  #storable: Storable | undefined
  #body: Body | undefined
  #receivedAt = 0
  #tags = NO_TAGS
  #selecting: Selecting = []
  /** What a 304 has just brought up to date. */
  #freshened: StoredResponse | undefined
  #isDelayed = false
  #isDone = false
  readonly #ended: () => void

  constructor(context: FillContext, services: FillServices, listener: FillListener, standing: FieldLines) {
    this.#context = context
    this.#services = services
    this.#listener = listener
    this.#standing = standing
    this.#ended = services.library.invalidations.beginRender(context.key.path)
  }

  get isCapturing(): boolean {
    return this.#body !== undefined
  }

  get mayCapture(): boolean {
    return !this.#isDone
  }

  onHead(head: Head): HeadPlan {
    this.#head = head
    this.#receivedAt = this.#services.now()
    const { validated } = this.#context
    if (validated !== undefined && head.status === 304) return this.#freshen(validated, head)
    const verdict = this.#judge(head)
    if ('reason' in verdict) {
      this.#giveUp(verdict.reason)
    } else {
      this.#storable = verdict
      this.#body = new Body(this.#services.maxEntryBytes, this.#services.budget)
    }
    const plan = this.#listener.onJudged(head, verdict)
    // Something else goes out: nobody waits for the end of what does not.
    if (plan.kind === 'stand-in') this.#giveUp('stand-in')
    return plan
  }

  onHeadWritten(written: WrittenFields): void {
    const reason = this.#forbidden(written, this.#head?.status ?? 0)
    if (reason !== undefined) this.#giveUp(reason)
    this.#listener.onWritten?.(reason)
  }

  onReplaced(written: WrittenFields): void {
    const freshened = this.#freshened
    const { status } = freshened?.parts ?? {}
    if (freshened === undefined || status === undefined) return
    if (this.#forbidden(written, status) !== undefined) this.#services.library.remove(freshened)
  }

  #forbidden(written: WrittenFields, status: number): string | undefined {
    const { rules } = this.#context
    return forbiddenOutside(written(rulingLines(rules)), status, rules)
  }

  onHeadDelayed(): void {
    this.#isDelayed = true
  }

  onHeadRefused(): void {
    this.#break('head-refused')
  }

  get hasConditions(): boolean {
    return this.#listener.hasConditions ?? false
  }

  mayReplace(status: number): boolean {
    const isValidation = this.#context.validated !== undefined && status === 304
    return isValidation || (this.#listener.mayReplace?.(status) ?? false)
  }

  onChunk(chunk: unknown, encoding: unknown, isOwn: boolean): void {
    const reason = this.#body?.add(chunk, encoding, isOwn)
    if (reason !== undefined) this.#giveUp(reason)
    this.#listener.onChunk?.(chunk, encoding)
  }

  onEnd(visitorWasThere: boolean): void {
    if (this.#body !== undefined && this.#head !== undefined && this.#storable !== undefined) {
      const flaw = this.#flaw(this.#head, this.#body, visitorWasThere)
      if (flaw === undefined) this.#store(this.#head, this.#storable, this.#body)
      else this.#break(flaw, flaw === 'aborted')
    }
    // A response without a length that ends when nobody is there may be what a framework does for want of a visitor.
    this.#break('aborted', !visitorWasThere)
    this.#listener.onEnd?.()
  }

  onClose(byApp: boolean): void {
    this.#break('aborted', !byApp)
    this.#listener.onBroken?.()
  }

  /** Refuses the response before there is one. */
  refuse(reason: string): void {
    this.#giveUp(reason)
  }

  /** Ends the capture for a reason of the cache's own. The response itself goes on. */
  abandon(reason: string): void {
    this.#break(reason)
  }

  /** The app says that what is stored is still the same: its fields are brought up to date (RFC 9111 §4.3.4). */
  #freshen(validated: StoredResponse, answer: Head): HeadPlan {
    const { fields: stored } = validated
    const { status, reason } = validated.parts
    const isOther = isAboutAnother(stored, answer.fields)
    const fields = isOther ? stored : freshenedFields(stored, answer.fields, this.#receivedAt)
    const head: Head = { status, reason, fields }
    this.#head = head
    const verdict = isOther ? { reason: 'other-etag' } : this.#judge(head)
    const exchange = { requestedAt: this.#context.requestedAt, receivedAt: this.#receivedAt }
    const storable = 'reason' in verdict ? servedOnce(birthOf(fields, exchange)) : verdict
    const response = this.#make(head, storable, validated.bytes)
    response.takeForms(validated)
    const result = 'reason' in verdict ? verdict.reason : this.#services.library.keep(response)
    if (typeof result === 'string') {
      this.#services.library.remove(validated)
      this.#giveUp(result)
    } else if ('refused' in result) {
      // Purged, or replaced by a later render, which lies under the same key of the store: nothing is to be removed.
      this.#giveUp(result.refused)
    } else {
      this.#freshened = response
      this.#done({ kind: 'stored', response, written: result.written })
    }
    return this.#listener.onFreshened?.(response, 'written' in Object(result)) ?? { kind: 'pass', fields: [] }
  }

  #judge(head: Head): Storable | { readonly reason: string } {
    if (this.#isDone) return { reason: 'abandoned' }
    if (this.#isDelayed) return { reason: 'head-delayed' }
    if (!this.#services.isRightRoute()) return { reason: 'layers' }
    const { rules, requestedAt, authorized } = this.#context
    if (this.#context.isRefresh === true && isFailure(head.status)) return { reason: 'status' }
    const verdict = judge(head, rules, { requestedAt, receivedAt: this.#receivedAt, authorized })
    if ('reason' in verdict) return verdict
    const { request, seen } = this.#context
    const selecting = selectingOf(selectingNames(verdict, this.#context), request)
    if (isSelectingTooLong(selecting)) return { reason: 'selecting-length' }
    if (seen !== undefined && !isSelectedBy(selecting, seen)) return { reason: 'key-changed' }
    if (Number(valueOf(head.fields, 'content-length') ?? 0) > this.#services.maxEntryBytes) {
      return { reason: 'too-large' }
    }
    const tags = this.#tagsOf(head)
    if (tags === undefined) return { reason: 'tags' }
    this.#selecting = selecting
    this.#tags = tags
    return verdict
  }

  /** What the route's own function says; undefined where it fails: stored without its tags, it would outlive its purge. */
  #tagsOf(head: Head): readonly string[] | undefined {
    if (this.#services.tags === undefined) return NO_TAGS
    try {
      const tags: unknown = this.#services.tags(viewOf(head))
      return isStrings(tags) ? tags : undefined
    } catch {
      return undefined
    }
  }

  /** Why a response that has ended is not a whole one. */
  #flaw(head: Head, body: Body, visitorWasThere: boolean): string | undefined {
    const declared = valueOf(head.fields, 'content-length')
    if (declared === undefined) return visitorWasThere ? undefined : 'aborted'
    return declared === String(body.bytes) ? undefined : 'truncated'
  }

  #make(head: Head, storable: Storable, body: Buffer): StoredResponse {
    return storedResponse(this.#context, head, storable, body, {
      standing: this.#standing,
      receivedAt: this.#receivedAt,
      route: this.#services.route(),
      isWhole: this.#services.isWhole(),
      isInner: this.#services.isInner(),
      selecting: this.#selecting,
      tags: this.#tags,
    })
  }

  #noteSearchRule(head: Head): void {
    const { key, rules } = this.#context
    const rule = rules.noVarySearch ? readSearchRule(head.fields) : undefined
    if (rule !== undefined) this.#services.library.noteSearchRule(key, rule)
  }

  #store(head: Head, storable: Storable, body: Body): void {
    const response = this.#make(head, storable, body.toBuffer())
    this.#noteSearchRule(head)
    const kept = this.#services.library.keep(response)
    if ('refused' in kept) this.#giveUp(kept.refused)
    else this.#done({ kind: 'stored', response, written: kept.written })
  }

  #giveUp(reason: string): void {
    this.#done({ kind: 'unstorable', reason, status: this.#head?.status ?? 0 })
  }

  #break(reason: string, visitorLeft = false): void {
    this.#done({ kind: 'broken', reason, visitorLeft })
  }

  #done(result: FillResult): void {
    this.#body?.release()
    this.#body = undefined
    if (this.#isDone) return
    this.#isDone = true
    this.#ended()
    this.#listener.onResult(result)
  }
}

/** A response that goes to this one visitor and is not kept. */
function servedOnce(bornAt: number): Storable {
  const freshness = { bornAt, freshUntil: bornAt, staleUntil: bornAt, errorUntil: bornAt }
  return { freshness, vary: [], authorized: false, isHeuristic: false, keepUntil: bornAt }
}

const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((member) => typeof member === 'string')

function viewOf(head: Head): ResponseHead {
  const headers = new Map<string, string>()
  for (let i = 0; i < head.fields.length; i += 2) {
    const name = head.fields[i]!.toLowerCase()
    const before = headers.get(name)
    headers.set(name, before === undefined ? head.fields[i + 1]! : `${before}, ${head.fields[i + 1]!}`)
  }
  return { status: head.status, headers: Object.fromEntries(headers) }
}
