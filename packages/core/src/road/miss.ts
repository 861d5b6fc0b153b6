import type { Claim } from '../engine/claim.ts'
import type { Flight } from '../engine/flights.ts'
import type { StoredResponse } from '../engine/stored-response.ts'
import type { Passage } from './passage.ts'

/** A render that a visitor waits for. */
export interface Miss {
  readonly passage: Passage
  readonly fwd: 'uri-miss' | 'vary-miss' | 'stale' | 'bypass' | 'request'
  /** What is stored and may not be served as it is; should the render fail, it may stand in. */
  readonly held: StoredResponse | undefined
  /** What the app is asked about, by its validators. */
  readonly validated: StoredResponse | undefined
  /** The key is known to be uncacheable: nothing is hidden from the handler, nobody waits. */
  readonly isHitForMiss: boolean
  /** Its place in the order of all processes, where they share a store. */
  readonly claim?: Claim | undefined
}

/** The flight that a render leads. */
export interface Led {
  readonly key: string
  readonly flight: Flight
}

/** A response to a request without credentials does not go out for one that has them (RFC 9111 §3.5). */
export const mayReuse = ({ authorized }: Passage, { parts }: StoredResponse): boolean => parts.authorized || !authorized
