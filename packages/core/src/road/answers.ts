import type { StoredResponse } from '../engine/stored-response.ts'
import type { Outlet } from '../node/outlet.ts'
import { serve } from '../node/serve.ts'
import type { Handling } from '../policy/cache-status.ts'
import { meets } from '../policy/demands.ts'
import type { RequestHead } from '../policy/fields.ts'
import type { Head } from '../policy/storable.ts'
import { type Miss, mayReuse } from './miss.ts'
import type { Services } from './services.ts'

/** A head that the app has not written: there is nothing in it to append to. */
export const NO_HEAD: Head = { status: 0, reason: undefined, fields: [] }

/** What a visitor gets of the cache's own where his request was a miss. */
export class Answers {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  /** What may stand in for a failing render now: since it was found, its time may have passed, or a purge taken it. */
  #standInOf({ passage, held }: Miss): StoredResponse | undefined {
    if (held === undefined || !mayReuse(passage, held) || !this.#services.library.admits(held)) return undefined
    const now = this.#services.settings.now()
    const { demands, rules } = passage
    const isWanted = demands === undefined || meets(demands, 'stale', held, now, rules)
    const { freshUntil, errorUntil } = held.freshness
    // Without a window nothing stands in, not even where the clock has gone back (RFC 9111 §5.2.2.2).
    return isWanted && now < errorUntil && errorUntil > freshUntil ? held : undefined
  }

  hasStandIn(miss: Miss): boolean {
    return this.#standInOf(miss) !== undefined
  }

  /** Serves the stored response in the place of a render that has failed, or says that there is none. */
  standIn(miss: Miss, outlet: Outlet, fwdStatus: number | undefined, asked: RequestHead): void {
    const { passage } = miss
    const { settings, journal, library } = this.#services
    const standIn = this.#standInOf(miss)
    if (standIn === undefined) {
      this.gatewayTimeout(miss, outlet, 'render-timeout')
      return
    }
    const label = this.#services.labels.standIn(passage, standIn, fwdStatus)
    serve(outlet, standIn, asked, label, settings.now())
    journal.note('stale', () => ({ ...library.describe(standIn), reason: 'stale-if-error' }))
  }

  /** Serves what the app has just said to be good still (RFC 9111 §4.3.4). `asked`: with the client's own conditions. */
  freshened(miss: Miss, outlet: Outlet, response: StoredResponse, isStored: boolean, asked: RequestHead): void {
    const { labels, settings } = this.#services
    const label = labels.freshened(miss.passage, response, isStored, miss.fwd === 'request' ? 'request' : 'stale')
    serve(outlet, response, asked, label, settings.now())
  }

  /** There is nothing to serve, and nobody to ask in time (RFC 9110 §15.6.5). */
  gatewayTimeout(miss: Miss, outlet: Outlet, detail: string): void {
    const status = this.label(miss, NO_HEAD, { fwd: miss.fwd, detail })
    const body = Buffer.from('Gateway Timeout')
    const fields = ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(body.length)]
    outlet.writeHead(504, 'Gateway Timeout', [...fields, 'Cache-Control', 'no-store', ...status])
    outlet.end(body)
  }

  /** What Cache-Status says of a response of the app's own. */
  label(miss: Miss, head: Head, handling: Handling): string[] {
    const { rules, key } = miss.passage
    const shown = rules.cacheStatusKey ? this.#services.library.describeKey(key) : undefined
    return this.#services.labels.forwarded(head, rules, handling, shown)
  }
}
