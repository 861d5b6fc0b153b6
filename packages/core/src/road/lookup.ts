import { withDeadline } from '../engine/deadline.ts'
import type { Library } from '../engine/library.ts'
import type { StoredResponse } from '../engine/stored-response.ts'
import { outletOf } from '../node/outlet.ts'
import { serve } from '../node/serve.ts'
import { passing } from '../node/tap.ts'
import { type Outcome, takeOver } from '../node/visit.ts'
import { meets } from '../policy/demands.ts'
import { isAhead } from '../policy/freshness.ts'
import { isSameQuery } from '../policy/selector.ts'
import type { Background } from './background.ts'
import type { Foreground } from './foreground.ts'
import { type Passage, isForInside } from './passage.ts'
import { hostOf, pathOf } from './routes.ts'
import type { Services } from './services.ts'

/** Is it stored, and may it be served as it is? What is not goes to the foreground, to be rendered. */
export class Lookup {
  readonly #services: Services
  readonly #library: Library
  readonly #background: Background
  readonly #foreground: Foreground

  constructor(services: Services, background: Background, foreground: Foreground) {
    this.#services = services
    this.#library = services.library
    this.#background = background
    this.#foreground = foreground
  }

  /** In memory; then, with a deadline, in the store. `since`: from when on it has been waited for the store already. */
  look(passage: Passage, since?: number): Outcome | Promise<Outcome> {
    const held = this.#inMemory(passage)
    if (isForInside(passage, held)) return 'proceed'
    if (this.#isOfUnknownLayers(passage, held)) return this.#learnLayers(passage)
    if (held !== undefined && this.#use(passage, held)) return 'answered'
    if (!this.#library.hasStore) return this.#foreground.render(passage, held, this.#library.nextOrder())
    return this.#lookInStore(passage, held, since)
  }

  #inMemory({ key, request, rules }: Passage): StoredResponse | undefined {
    const equivalent = rules.noVarySearch ? this.#library.equivalent(key) : key
    const found = this.#library.inMemory(equivalent.full, request)
    if (equivalent === key) return found
    return answersQuery(found, key.query) ? found : this.#library.inMemory(key.full, request)
  }

  async #lookInStore(passage: Passage, held: StoredResponse | undefined, since?: number): Promise<Outcome> {
    const { visit } = passage
    const { storeTimeoutMs, monotonicNow } = this.#services.settings
    const lookedAt = this.#library.nextOrder()
    const spentMs = since === undefined ? 0 : monotonicNow() - since
    // Several reads have one deadline; what comes after it goes into memory, perhaps.
    const { get } = storeTimeoutMs
    // More than one call may take: the event loop was blocked, which is no fault of the store.
    const leftMs = spentMs > 1.5 * get ? get : Math.max(1, get - spentMs)
    let read: StoredResponse | undefined
    try {
      read = await withDeadline(this.#read(passage), leftMs, monotonicNow)
    } catch {
      // It has taken too long.
    }
    if (visit.res.destroyed) return this.#foreground.leave(visit)
    // Something may have come into memory while the store was asked, or have been purged.
    const best = this.#inMemory(passage) ?? read ?? this.#library.still(held)
    if (isForInside(passage, best)) return 'proceed'
    if (this.#isOfUnknownLayers(passage, best)) return this.#learnLayers(passage)
    if (best !== undefined && this.#use(passage, best)) return 'answered'
    return this.#foreground.render(passage, best, lookedAt)
  }

  #read({ key, request, rules }: Passage): Promise<StoredResponse | undefined> {
    const equivalent = rules.noVarySearch ? this.#library.equivalent(key) : key
    const reading = this.#library.read(equivalent, request, rules.precompress)
    if (equivalent === key) return reading
    return reading.then((found) =>
      answersQuery(found, key.query) ? found : this.#library.read(key, request, rules.precompress),
    )
  }

  /** Serves a stored response if it is fresh, or stale and within its window; the latter is refreshed behind it. */
  #use(passage: Passage, response: StoredResponse): boolean {
    const { visit, request } = passage
    const { settings, labels, journal } = this.#services
    const now = settings.now()
    const decision = response.decide(passage, now)
    const isWanted = passage.demands === undefined || meets(passage.demands, decision, response, now, passage.rules)
    const isUsable = decision === 'fresh' || decision === 'stale'
    // Only a client that takes anything stale (max-stale) gets what lies beyond its windows.
    if (!isWanted || (!isUsable && passage.demands === undefined)) return false
    if (passage.authorized && !response.parts.authorized) return false
    // Cut off from the other processes for too long, nobody knows whether it has been purged.
    if (!this.#library.vouchesFor(response)) return false
    takeOver(visit, () => {
      const label = labels.hit(passage, response, now, decision !== 'fresh')
      serve(outletOf(visit.res), response, request, label, now)
    })
    journal.note(decision === 'fresh' ? 'hit' : 'stale', () => this.#library.describe(response))
    if (decision === 'stale' || isDueAhead(passage, response, now)) this.#background.refreshSoon(passage, response)
    return true
  }

  /** Whether it was captured by the rules of inner layers, and this process has not seen yet which those are. */
  #isOfUnknownLayers({ visit, request, route, entered }: Passage, response: StoredResponse | undefined): boolean {
    const { exchanges, routes } = this.#services
    if (response?.parts.isInner !== true || route !== entered || exchanges.get(visit.res) !== undefined) return false
    return routes.recorded(hostOf(request), pathOf(request)) === undefined
  }

  /** Lets a request through to the inner layers, which may serve it then. */
  #learnLayers(passage: Passage): Outcome {
    const { visit, request, entered } = passage
    const { exchanges, routes } = this.#services
    const exchange = exchanges.of(passage)
    exchange.listen(
      visit,
      passing(() => {
        // There are none any more.
        if (!exchange.isInner) routes.record(hostOf(request), pathOf(request), entered)
        return []
      }),
    )
    return 'proceed'
  }
}

/** Whether a fresh response has lived so long that its route wants a new one. A refresh carries no Authorization. */
const isDueAhead = ({ rules, authorized }: Passage, response: StoredResponse, now: number): boolean =>
  !authorized && isAhead(response.freshness, rules, now)

/** What lies under an equivalent key has not said itself that the two queries are the same, perhaps. */
const answersQuery = (found: StoredResponse | undefined, query: string): boolean =>
  found !== undefined && isSameQuery(found.parts.place, query)
