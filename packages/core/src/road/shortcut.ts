import type { StoredResponse } from '../engine/stored-response.ts'
import { isLayered } from '../node/outlet.ts'
import { serveWhole } from '../node/serve.ts'
import type { Visit } from '../node/visit.ts'
import { MAX_TARGET_LENGTH } from '../policy/eligible.ts'
import { onlyLine } from '../policy/fields.ts'
import { reachedAt } from '../policy/freshness.ts'
import { plainKey } from '../policy/key.ts'
import { PlainFields } from '../policy/plain.ts'
import { keyedQuery } from '../policy/query.ts'
import { isSelectedByLines } from '../policy/vary.ts'
import type { Rules } from '../settings.ts'
import type { Background } from './background.ts'
import type { Route } from './routes.ts'
import type { Services } from './services.ts'

/**
 * The short way of a hit. Most requests for what lies in memory are plain: a GET without conditions, ranges, credentials
 * or forwarding fields. They get by the shortest way what the long one would give them; whatever is not plain, or not
 * there, or must not be served as it is, goes the long way, so nothing is decided here that is not decided there.
 *
 * What is odd in it, and why (test/bench, `pnpm bench --only hit`):
 * - the lines of the head are read instead of `req.headers`, which Node makes on first use: a seventh of a hit;
 * - no request, key or passage object is made, no closure, no promise;
 * - the array of fields is used again and again, and a small body is a string: head and body leave in one write.
 */
export class Shortcut {
  readonly #services: Services
  readonly #background: Background
  readonly #fields = new WeakMap<Rules, PlainFields>()

  constructor(services: Services, background: Background) {
    this.#services = services
    this.#background = background
  }

  /** Answers a plain request for what memory holds. Returns false, and has done nothing, where the long way is to be gone. */
  answers(visit: Visit, layer: Route): boolean {
    const { req, res, target } = visit
    if (req.method !== 'GET' || req.httpVersionMajor !== 1 || 'encrypted' in req.socket) return false
    if (visit.rewritten !== undefined || target[0] !== '/' || target.length > MAX_TARGET_LENGTH) return false
    const { library, journal, labels, settings } = this.#services
    if (library.memory.entries === 0 || library.catchingUp !== undefined || isLayered(res)) return false

    const host = onlyLine(req.rawHeaders, 'host')
    if (typeof host !== 'string') return false
    const mark = target.indexOf('?')
    const path = mark === -1 ? target : target.slice(0, mark)
    const { rules } = this.#services.routes.recorded(host, path) ?? layer
    if (rules === false || rules.skip !== undefined || rules.noVarySearch || rules.vary.length > 0) return false
    if (visit.isInFront === true && !rules.inFront) return false
    if (!this.#isPlain(req.rawHeaders, rules)) return false

    const query = mark === -1 ? '' : keyedQuery(rules.query, target.slice(mark))
    const response = this.#find(plainKey(host, path, query), req.rawHeaders)
    if (response === undefined || (visit.isInFront === true && !response.parts.isWhole)) return false
    const now = settings.now()
    const decision = response.decide(NOBODY, now)
    if (decision !== 'fresh' && decision !== 'stale') return false
    const isDue = decision === 'stale' || isDueAhead(response, rules, now)
    if (isDue && !this.#background.isRefreshing(response)) return false
    const acceptEncoding = response.isEncodable ? onlyLine(req.rawHeaders, 'accept-encoding') : null
    if (acceptEncoding === undefined) return false

    journal.noteRequest()
    visit.take()
    const label = labels.hit({ visit, rules }, response, now, decision === 'stale')
    serveWhole(res, response, acceptEncoding, label, now)
    journal.note(decision === 'fresh' ? 'hit' : 'stale', () => library.describe(response))
    return true
  }

  /** As Memory.find, by the lines of the head. */
  #find(key: string, lines: readonly string[]): StoredResponse | undefined {
    const { library } = this.#services
    for (const response of library.memory.variants(key)) {
      if (isSelectedByLines(response.parts.selecting, lines)) return library.admits(response) ? response : undefined
    }
    return undefined
  }

  #isPlain(lines: readonly string[], rules: Rules): boolean {
    let fields = this.#fields.get(rules)
    if (fields === undefined) this.#fields.set(rules, (fields = new PlainFields(rules)))
    for (let i = 0; i < lines.length; i += 2) {
      const telling = fields.telling(lines[i]!)
      if (telling === 'much' || (telling === 'accept' && EVENT_STREAM.test(lines[i + 1]!))) return false
    }
    return true
  }
}

const EVENT_STREAM = /event-stream/i
const NOBODY = { authorized: false }

const isDueAhead = ({ freshness }: StoredResponse, { refreshAhead }: Rules, now: number): boolean =>
  refreshAhead !== undefined && now >= reachedAt(freshness, refreshAhead)
