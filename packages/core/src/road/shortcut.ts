import type { IncomingHttpHeaders } from 'node:http'

import { isBare } from '../node/outlet.ts'
import { serveWhole } from '../node/serve.ts'
import type { Visit } from '../node/visit.ts'
import { MAX_TARGET_LENGTH } from '../policy/eligible.ts'
import { onlyLine } from '../policy/fields.ts'
import { isAhead } from '../policy/freshness.ts'
import { plainKey } from '../policy/key.ts'
import { tellingNames } from '../policy/plain.ts'
import { keyedQuery } from '../policy/query.ts'
import type { Rules } from '../settings.ts'
import type { Background } from './background.ts'
import type { Route } from './routes.ts'
import type { Services } from './services.ts'

/** A plain request (see policy/plain.ts), with its key. */
export interface Plain {
  readonly visit: Visit
  /** The layer that it has entered, and the route that is on record for its path. */
  readonly entered: Route
  readonly recorded: Route | undefined
  readonly rules: Rules
  readonly host: string
  readonly path: string
  /** As it was sent, and as it is keyed. */
  readonly rawQuery: string
  readonly query: string
  readonly full: string
}

/**
 * The short way of a hit. Most requests are plain: a GET without conditions, ranges, credentials or forwarding fields.
 * They get by the shortest way what the long one would give them. Where what they want is not there, or must not be
 * served as it is, they go on with the key that was made here; what is not plain is judged and keyed from the beginning.
 * That the two ways cannot differ is what policy/plain.ts is about: a reason to keep out that looks at a header belongs
 * into its list as well.
 *
 * What is odd in it, and why (test/bench, `pnpm bench --only hit`):
 * - no more is made of a request than its key: no passage, no closure, no promise;
 * - the array of fields is used again and again, and a small body is a string: head and body leave in one write.
 */
export class Shortcut {
  readonly #services: Services
  readonly #background: Background
  readonly #telling = new WeakMap<Rules, ReadonlySet<string>>()

  constructor(services: Services, background: Background) {
    this.#services = services
    this.#background = background
  }

  /** Reads a request, if it is plain. */
  read(visit: Visit, entered: Route): Plain | undefined {
    const { req, target } = visit
    if (req.method !== 'GET' || req.httpVersionMajor !== 1 || 'encrypted' in req.socket) return undefined
    if (visit.rewritten !== undefined || target[0] !== '/' || target.length > MAX_TARGET_LENGTH) return undefined
    // Not the lines alone, though that were quicker: what a layer before the cache has made of them counts.
    const { headers } = req
    const { host } = headers
    if (host === undefined || onlyLine(req.rawHeaders, 'host') !== host) return undefined
    const mark = target.indexOf('?')
    const path = mark === -1 ? target : target.slice(0, mark)
    const recorded = this.#services.routes.recorded(host, path)
    const { rules } = recorded ?? entered
    if (rules === false || rules.skip !== undefined || rules.noVarySearch || rules.vary.length > 0) return undefined
    if ((visit.isInFront === true && !rules.inFront) || !this.#isPlain(headers, rules)) return undefined
    const rawQuery = mark === -1 ? '' : target.slice(mark)
    const query = keyedQuery(rules.query, rawQuery)
    return { visit, entered, recorded, rules, host, path, rawQuery, query, full: plainKey(host, path, query) }
  }

  /** Answers a plain request with what memory holds. Returns false, and has done nothing, where the long way is to be gone. */
  answers({ visit, recorded, rules, full }: Plain): boolean {
    const { req, res } = visit
    const { library, journal, labels, settings } = this.#services
    if (library.memory.entries === 0 || !library.isCurrent || !isBare(res)) return false
    const response = library.memory.find(full, req)
    if (response === undefined || !library.admits(response)) return false
    if (visit.isInFront === true && !response.parts.isWhole) return false
    if (recorded === undefined && response.parts.isInner) return false
    const now = settings.now()
    const decision = response.decide(NOBODY, now)
    if (decision !== 'fresh' && decision !== 'stale') return false
    const isDue = decision === 'stale' || isAhead(response.freshness, rules, now)
    if (isDue && !this.#background.isRefreshing(response)) return false

    journal.noteRequest()
    visit.take()
    try {
      const label = labels.hit({ visit, rules }, response, now, decision === 'stale')
      serveWhole(res, response, req.headers['accept-encoding'], label, now)
    } catch {
      // The framework stands back already.
      res.destroy()
    }
    journal.note(decision === 'fresh' ? 'hit' : 'stale', () => library.describe(response))
    return true
  }

  #isPlain(headers: IncomingHttpHeaders, rules: Rules): boolean {
    let names = this.#telling.get(rules)
    if (names === undefined) this.#telling.set(rules, (names = tellingNames(rules)))
    for (const name in headers) {
      if (names.has(name)) return false
    }
    return headers.accept === undefined || !EVENT_STREAM.test(headers.accept)
  }
}

const EVENT_STREAM = /event-stream/i
const NOBODY = { authorized: false }
