import type { StoredResponse } from '../engine/stored-response.ts'
import type { Head, Storable } from '../policy/storable.ts'
import type { HeadPlan } from './tap.ts'

/** How a render has ended for the cache. */
export type FillResult =
  | { readonly kind: 'stored'; readonly response: StoredResponse; readonly written: Promise<void> }
  /** The response may not be stored; it need not have ended yet. */
  | { readonly kind: 'unstorable'; readonly reason: string; readonly status: number }
  /** There was no whole response. */
  | {
      readonly kind: 'broken'
      readonly reason: string
      /** It was the visitor who left: somebody else may have more luck. */
      readonly visitorLeft?: boolean
    }

/** Who made the render happen, and what he wants to hear of it. */
export interface FillListener {
  /** The head has been judged: what goes out? `reason`: why it will not be stored. */
  onJudged(head: Head, verdict: Storable | { readonly reason: string }): HeadPlan
  /** Called once, as soon as it is certain. */
  onResult(result: FillResult): void
  /** The app has said 304 to the validators of a stored response: this is what it is now. */
  onFreshened?(response: StoredResponse, isStored: boolean): HeadPlan
  /** The head has been written and judged again; only where it was found storable before. */
  onWritten?(reason: string | undefined): void
  mayReplace?(status: number): boolean
  readonly hasConditions?: boolean | undefined
  onChunk?(chunk: unknown, encoding: unknown): void
  onEnd?(): void
  onBroken?(): void
}
