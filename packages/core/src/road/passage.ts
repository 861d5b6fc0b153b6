import type { StoredResponse } from '../engine/stored-response.ts'
import type { Rules } from '../settings.ts'
import type { Demands } from '../policy/demands.ts'
import { CONDITIONS } from '../policy/conditions.ts'
import type { RequestHead } from '../policy/fields.ts'
import type { RequestKey } from '../policy/key.ts'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

import { standingFields } from '../node/head.ts'
import { nothing } from '../node/own.ts'
import type { Visit } from '../node/visit.ts'
import { Wire } from '../node/wire.ts'
import { type Tap } from '../node/tap.ts'
import type { Route } from './routes.ts'

/** What the layers of one cache share about one response: the wire, who listens to it, and how far in the request has got. */
export class Exchange {
  /** As the innermost layer sees it. */
  visit: Visit
  /** The layers that the request has really entered. */
  entered: Route
  /** The route by whose rules it is being answered. */
  route: Route
  /** Captured in front of the app: no layer outside has anything of its own to add. */
  isWhole: boolean
  readonly #outermost: Route
  /** Lets go of what an outer layer has begun, when an inner one takes over. */
  release: () => void = nothing
  /** The request's headers, where it has not been in the app yet. */
  readonly #asSent: IncomingHttpHeaders | undefined
  #wire: Wire | undefined
  #kept: Record<string, string | undefined> = {}

  constructor(visit: Visit, entered: Route, route: Route) {
    this.visit = visit
    this.isWhole = visit.isInFront === true
    this.#asSent = this.isWhole ? { ...visit.req.headers } : undefined
    this.#outermost = entered
    this.entered = entered
    this.route = route
  }

  /** Whether layers of the app have made another request of it than the one that came: its key is another, too. */
  isChanged({ req, rewritten }: Visit): boolean {
    const asSent = this.#asSent
    if (asSent === undefined) return false
    if (rewritten !== undefined) return true
    const names = new Set([...Object.keys(asSent), ...Object.keys(req.headers)])
    for (const name of CONDITIONS) names.delete(name)
    return [...names].some((name) => String(asSent[name]) !== String(req.headers[name]))
  }

  /** Whether a layer further inside has been entered, whose rules are others. */
  get isInner(): boolean {
    return this.entered !== this.#outermost
  }

  /** From here on what stands on the response is this visitor's, though an outer layer listens already. */
  standFrom(visit: Visit): void {
    this.isWhole = false
    if (this.#wire !== undefined) this.#wire.standing = standingOf(visit)
  }

  /** Listens to the response from where the outermost layer stands. */
  listen(visit: Visit, tap: Tap): Wire {
    if (this.#wire === undefined) this.#wire = new Wire(visit.res, standingOf(visit), tap)
    else this.#wire.tap = tap
    return this.#wire
  }

  get wire(): Wire | undefined {
    return this.#wire
  }

  /** Keeps a client's conditions from the handler, so that what it answers is a whole response. */
  hideConditions({ req }: Visit): void {
    for (const name of CONDITIONS) {
      if (req.headers[name] === undefined) continue
      this.#kept[name] = req.headers[name]
      removeHeader(req, name)
    }
  }

  /** Asks the app by our own conditions, in the place of the client's. */
  validate({ req }: Visit, validators: readonly string[]): void {
    for (let i = 0; i < validators.length; i += 2) {
      const name = validators[i]!.toLowerCase()
      this.#kept[name] ??= undefined
      req.headers[name] = validators[i + 1]!
      req.rawHeaders.push(validators[i]!, validators[i + 1]!)
    }
  }

  /** The conditions as the client sent them. */
  restoreConditions({ req }: Visit): void {
    for (const [name, value] of Object.entries(this.#kept)) {
      removeHeader(req, name)
      if (value === undefined) continue
      req.headers[name] = value
      req.rawHeaders.push(name, value)
    }
    this.#kept = {}
  }

  get conditions(): Readonly<Record<string, string | undefined>> {
    return this.#kept
  }
}

function removeHeader(req: IncomingMessage, name: string): void {
  delete req.headers[name]
  for (let i = req.rawHeaders.length - 2; i >= 0; i -= 2) {
    if (req.rawHeaders[i]!.toLowerCase() === name) req.rawHeaders.splice(i, 2)
  }
}

/** One request on the road: who asks, by which rules, for which key. */
export interface Passage {
  readonly visit: Visit
  readonly request: RequestHead
  readonly route: Route
  readonly rules: Rules
  readonly entered: Route
  readonly key: RequestKey
  /** It carries Authorization (RFC 9111 §3.5). */
  readonly authorized: boolean
  /** What the client's own Cache-Control asks for, where the route honours it. */
  readonly demands: Demands | undefined
  /** How often it has been on the road already: a follower whom the leader's response did not fit. */
  readonly round: number
}

/** What was captured inside the app lacks what the layers outside the cache add for each visitor. */
export const isForInside = ({ visit }: Passage, response: StoredResponse | undefined): boolean =>
  visit.isInFront === true && response !== undefined && !response.parts.isWhole

/** The fields of this visitor alone: on `res`, and where the framework keeps its own. */
function standingOf(visit: Visit): string[] {
  const fields = standingFields(visit.res)
  for (const [name, value] of Object.entries(visit.standing() ?? {})) {
    // Fastify's reply counts those on `res` among its own.
    if (visit.res.hasHeader(name)) continue
    for (const line of Array.isArray(value) ? value : [value]) {
      if (line !== undefined) fields.push(name, String(line))
    }
  }
  return fields
}
