import type { StoredResponse } from '../engine/stored-response.ts'
import { renderRequest } from '../node/render-request.ts'
import { bypassReason } from '../policy/eligible.ts'
import { type RequestKey, keyOf } from '../policy/key.ts'
import { carriedOf } from '../policy/vary.ts'
import type { Rules } from '../settings.ts'
import type { Background } from './background.ts'
import { type ResponseJob, readResponseJob } from './response-job.ts'
import type { Route } from './routes.ts'
import type { Services } from './services.ts'

/** A path's own layers are learnt by a render or two. */
const MAX_ROUNDS = 3

/**
 * The worker's side of a response's refresh. A job is not trusted: what it says is read as the request of a visitor is,
 * by this process's own rules, and the request that goes into the app is made anew of what is in the key.
 */
export class ResponseWork {
  readonly #services: Services
  readonly #background: Background

  constructor(services: Services, background: Background) {
    this.#services = services
    this.#background = background
  }

  /** Rejects with why the refresh has failed: it is to be tried again. */
  async perform(payload: unknown, signal: AbortSignal): Promise<void> {
    const job = readResponseJob(payload)
    if (job === undefined) {
      this.#refuse('job-form')
      return
    }
    const { library, routes } = this.#services
    await library.catchUpTo(job.epoch)
    const [host, path] = [job.head.headers.host ?? '', job.head.target.split('?', 1)[0]!]
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const recorded = routes.recorded(host, path)
      const reason = await this.#refresh(job, recorded ?? routes.base, recorded !== undefined, signal)
      if (reason === undefined) return
      // The render has found out by which rules this path really goes.
      if (routes.recorded(host, path) === recorded) throw new Error(reason)
    }
    throw new Error('layers')
  }

  /** Resolves with why it has failed, if it has. */
  async #refresh(job: ResponseJob, route: Route, isKnown: boolean, signal: AbortSignal): Promise<string | undefined> {
    const { library, settings, journal } = this.#services
    const { rules } = route
    const reason = rules === false ? 'opted-out' : refusal(job, rules)
    if (rules === false || reason !== undefined) return this.#refuse(`job-${reason}`)
    const key = keyOf(job.head, rules)
    if (isKnown && key.full !== job.full) return this.#refuse('job-key')
    const stored = await library.read(key, job.head, rules.precompress)
    const plan = planOf(key, job, route, rules, stored)
    const isNewer = stored !== undefined && stored.parts.receivedAt > job.receivedAt
    if (isNewer && stored.decide(plan, settings.now()) === 'fresh') {
      journal.note('refresh-dropped', () => ({ ...library.describe(stored), reason: 'already-fresh' }))
      return undefined
    }
    const source = { head: job.head, remoteAddress: job.peer }
    const request = renderRequest(key, carriedOf(job.carried, job.head), source, stored?.validators)
    const within = AbortSignal.any([signal, AbortSignal.timeout(settings.refresh.timeoutMs)])
    const { attached } = this.#background
    const { failure, written } = await this.#background.refreshNow(plan, request, attached, stored, within)
    await written
    return failure
  }

  #refuse(reason: string): undefined {
    this.#services.journal.note('refresh-dropped', () => ({ key: '', route: undefined, reason }))
  }
}

/** With the key that the sender has: a render by other rules than his is stored for nobody. */
const planOf = (
  key: RequestKey,
  job: ResponseJob,
  route: Route,
  rules: Rules,
  validated: StoredResponse | undefined,
) => ({
  key: { ...key, full: job.full },
  route,
  rules,
  authorized: false,
  isRefresh: true,
  carried: job.carried,
  validated,
})

/** What no visitor could have been answered from the cache for, no worker renders for it. */
function refusal({ head, carried }: ResponseJob, rules: Rules): string | undefined {
  const reason = bypassReason(head, rules)
  if (reason !== undefined) return reason
  if (head.headers.authorization !== undefined) return 'credential'
  const personal = ['cookie', 'authorization', ...rules.credentials]
  return carried.some((name) => personal.includes(name.toLowerCase())) ? 'credential' : undefined
}
