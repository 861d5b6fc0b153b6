import { passing } from '../node/tap.ts'
import { type Outcome, type Visit, hasClientCertificate } from '../node/visit.ts'
import type { Handling } from '../policy/cache-status.ts'
import { bypassReason } from '../policy/eligible.ts'
import type { RequestHead } from '../policy/fields.ts'
import { invalidatedGroups, invalidatedPaths, isUnsafe } from '../policy/invalidation.ts'
import { keyOf } from '../policy/key.ts'
import type { Head } from '../policy/storable.ts'
import type { Rules } from '../settings.ts'
import { type Route, hostOf } from './routes.ts'
import type { Services } from './services.ts'

/** The way past the cache: why a request goes there, and what the cache learns from it all the same. */
export class Bypass {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  /** Why the cache keeps out of this request, if it does. */
  reason(visit: Visit, request: RequestHead, rules: Rules, hasCookie: boolean): string | undefined {
    if (visit.req.httpVersionMajor > 1) return 'http2'
    const reason = bypassReason(request, rules)
    if (reason !== undefined) return reason
    if (hasClientCertificate(visit.req)) return 'client-certificate'
    if (hasCookie) return 'cookie'
    return rules.skip !== undefined && isSkipped(rules.skip, visit) ? 'skip' : undefined
  }

  take(visit: Visit, request: RequestHead, route: Route, entered: Route, rules: Rules, reason: string): Outcome {
    const { exchanges, journal, labels } = this.#services
    const exchange = exchanges.of({ visit, entered, route })
    const handling: Handling = reason === 'method' ? { fwd: 'method' } : { fwd: 'bypass', detail: reason }
    // An HTTP/2 response has other methods; there is nothing on it to listen to.
    if (reason !== 'http2') {
      const tap = passing((head) => {
        if (rules.invalidateOnUnsafe && isUnsafe(request.method)) this.#invalidate(request, rules, head)
        return labels.forwarded(head, rules, handling)
      })
      exchange.listen(visit, tap)
    }
    journal.noteBypass(reason, () => ({ key: '', route: visit.route(), reason }))
    return 'proceed'
  }

  /** A successful unsafe request has changed what is stored for its URI (RFC 9111 §4.4). */
  #invalidate(request: RequestHead, rules: Rules, head: Head): void {
    if (head.status < 200 || head.status > 399) return
    const { library, routes } = this.#services
    const host = hostOf(request)
    for (const target of invalidatedPaths(request, head.fields)) {
      const known = routes.recorded(host, target.split('?', 1)[0]!)?.rules
      const key = keyOf({ ...request, method: 'GET', target }, known === undefined || known === false ? rules : known)
      library.invalidations.invalidateUrl(host, target, key)
    }
    for (const group of invalidatedGroups(head.fields)) library.invalidations.invalidateGroup(host, group)
  }
}

/** A `skip` that throws has not said that the request may be shared. */
function isSkipped(skip: NonNullable<Rules['skip']>, visit: Visit): boolean {
  try {
    return skip(visit.req)
  } catch {
    return true
  }
}
