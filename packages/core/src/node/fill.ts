import type { Budget } from '../engine/budget.ts'
import type { Library } from '../engine/library.ts'
import { type RenderContext, type StoredResponse, storedResponse } from '../engine/stored-response.ts'
import { type FieldLines, valueOf } from '../policy/fields.ts'
import { type Head, type Storable, forbiddenOutside, judge } from '../policy/storable.ts'
import type { ResponseHead } from '../options.ts'
import { Body } from './body.ts'
import type { HeadPlan, Outlet, Tap } from './wire.ts'

/** How a render has ended for the cache. */
export type FillResult =
  | { readonly kind: 'stored'; readonly response: StoredResponse; readonly written: Promise<void> }
  /** The response may not be stored; it need not have ended yet. */
  | { readonly kind: 'unstorable'; readonly reason: string; readonly status: number }
  /** There was no whole response. */
  | { readonly kind: 'broken'; readonly reason: string }

/** Who made the render happen, and what he wants to hear of it. */
export interface FillListener {
  /** The head has been judged: what goes out? `reason`: why it will not be stored. */
  onJudged(head: Head, verdict: Storable | { readonly reason: string }): HeadPlan
  /** Called once, as soon as it is certain. */
  onResult(result: FillResult): void
  standInFor?(status: number): ((outlet: Outlet) => void) | undefined
  /** Returns false where its reader asks for a pause. */
  onChunk?(chunk: unknown, encoding: unknown): boolean
  onEnd?(): void
  onBroken?(): void
}

export interface FillServices {
  readonly library: Library
  readonly budget: Budget
  readonly maxEntryBytes: number
  now(): number
  /** The route, once the framework knows it. */
  route(): string | undefined
  /** The tags that the route's own function gives. */
  tags(head: ResponseHead): readonly string[]
  /** Whether the layers of the cache that were entered are those by whose rules this render began. */
  isRightRoute(): boolean
}

/** One render on its way to the wire: judged at its head, captured, judged again, stored after a clean end. */
export class Fill implements Tap {
  readonly #context: RenderContext & { readonly authorized: boolean }
  readonly #services: FillServices
  readonly #listener: FillListener
  readonly #standing: FieldLines
  #head: Head | undefined
  #storable: Storable | undefined
  #body: Body | undefined
  #receivedAt = 0
  #tags: readonly string[] = []
  #isDone = false

  constructor(
    context: RenderContext & { readonly authorized: boolean },
    services: FillServices,
    listener: FillListener,
    standing: FieldLines,
  ) {
    this.#context = context
    this.#services = services
    this.#listener = listener
    this.#standing = standing
  }

  get isCapturing(): boolean {
    return this.#body !== undefined
  }

  onHead(head: Head): HeadPlan {
    this.#head = head
    this.#receivedAt = this.#services.now()
    const verdict = this.#judge(head)
    if ('reason' in verdict) {
      this.#giveUp(verdict.reason)
    } else {
      this.#storable = verdict
      this.#body = new Body(this.#services.maxEntryBytes, this.#services.budget)
    }
    return this.#listener.onJudged(head, verdict)
  }

  onHeadWritten(fields: FieldLines): void {
    const reason = forbiddenOutside(fields)
    if (reason !== undefined) this.#giveUp(reason)
  }

  onHeadRefused(): void {
    this.#break('head-refused')
  }

  standInFor(status: number): ((outlet: Outlet) => void) | undefined {
    return this.#listener.standInFor?.(status)
  }

  onChunk(chunk: unknown, encoding: unknown): boolean {
    const reason = this.#body?.add(chunk, encoding)
    if (reason !== undefined) this.#giveUp(reason)
    return this.#listener.onChunk?.(chunk, encoding) ?? true
  }

  onEnd(visitorWasThere: boolean): void {
    if (this.#body !== undefined && this.#head !== undefined && this.#storable !== undefined) {
      const flaw = this.#flaw(this.#head, this.#body, visitorWasThere)
      if (flaw === undefined) this.#store(this.#head, this.#storable, this.#body)
      else this.#break(flaw)
    }
    this.#break('aborted')
    this.#listener.onEnd?.()
  }

  onClose(): void {
    this.#break('aborted')
    this.#listener.onBroken?.()
  }

  /** Ends the capture for a reason of the cache's own. The response itself goes on. */
  abandon(reason: string): void {
    this.#break(reason)
  }

  #judge(head: Head): Storable | { readonly reason: string } {
    if (this.#isDone) return { reason: 'abandoned' }
    if (!this.#services.isRightRoute()) return { reason: 'layers' }
    const { rules, requestedAt, authorized } = this.#context
    const verdict = judge(head, rules, { requestedAt, receivedAt: this.#receivedAt, authorized })
    if ('reason' in verdict) return verdict
    if (Number(valueOf(head.fields, 'content-length') ?? 0) > this.#services.maxEntryBytes) {
      return { reason: 'too-large' }
    }
    try {
      this.#tags = this.#services.tags(viewOf(head))
    } catch {
      // Stored without its tags, it would outlive its purge.
      return { reason: 'tags' }
    }
    return verdict
  }

  /** Why a response that has ended is not a whole one. */
  #flaw(head: Head, body: Body, visitorWasThere: boolean): string | undefined {
    const declared = valueOf(head.fields, 'content-length')
    if (declared === undefined) return visitorWasThere ? undefined : 'aborted'
    return declared === String(body.bytes) ? undefined : 'truncated'
  }

  #store(head: Head, storable: Storable, body: Body): void {
    const response = storedResponse(this.#context, head, storable, body.toBuffer(), {
      standing: this.#standing,
      receivedAt: this.#receivedAt,
      route: this.#services.route(),
      tags: this.#tags,
    })
    const kept = this.#services.library.keep(response)
    if ('refused' in kept) this.#giveUp(kept.refused)
    else this.#done({ kind: 'stored', response, written: kept.written })
  }

  #giveUp(reason: string): void {
    this.#done({ kind: 'unstorable', reason, status: this.#head?.status ?? 0 })
  }

  #break(reason: string): void {
    this.#done({ kind: 'broken', reason })
  }

  #done(result: FillResult): void {
    this.#body?.release()
    this.#body = undefined
    if (this.#isDone) return
    this.#isDone = true
    this.#listener.onResult(result)
  }
}

function viewOf(head: Head): ResponseHead {
  const headers = new Map<string, string>()
  for (let i = 0; i < head.fields.length; i += 2) {
    const name = head.fields[i]!.toLowerCase()
    const before = headers.get(name)
    headers.set(name, before === undefined ? head.fields[i + 1]! : `${before}, ${head.fields[i + 1]!}`)
  }
  return { status: head.status, headers: Object.fromEntries(headers) }
}
