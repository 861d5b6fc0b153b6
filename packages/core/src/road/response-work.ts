import { recordsOf } from '../engine/records.ts'
import { noRenderer } from '../errors.ts'
import { type RenderedFor, renderRequest } from '../node/render-request.ts'
import { bypassReason } from '../policy/eligible.ts'
import type { RequestHead } from '../policy/fields.ts'
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
  /** By whose rules a path was answered when it was last rendered here. */
  readonly #entered = recordsOf<Route>()

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
    const { library, routes, journal } = this.#services
    // A worker that was started for functions alone.
    if (!this.#background.isAttached) {
      journal.note('refresh-failed', () => ({ key: '', route: undefined, reason: 'no-renderer' }))
      throw noRenderer()
    }
    await library.catchUpTo(job.epoch)
    const place = placeOf(job.head)
    const known = this.#entered.get(place)
    let route = known ?? routes.base
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const { failure, entered } = await this.#refresh(job, route, known !== undefined || round > 0, signal)
      if (entered !== undefined && (failure === undefined || failure === 'layers')) this.#entered.set(place, entered)
      if (failure === undefined) return
      if (entered === undefined || entered === route) throw new Error(failure)
      // The render has found out by which rules this path really goes.
      route = entered
    }
    throw new Error('layers')
  }

  /** `isSure`: whether these are the rules by which the path goes. */
  async #refresh(job: ResponseJob, route: Route, isSure: boolean, signal: AbortSignal): Promise<Ended> {
    const { library, settings, journal } = this.#services
    const { rules } = route
    if (rules === false) return this.#refuse('job-opted-out')
    const key = keyOf(job.head, rules)
    const reason = refusal(job, rules, key)
    // A route's own rules may key what the cache's do not, and cache a method that they do not.
    const isForLearning = !isSure && (reason === 'key' || reason === 'method')
    const entered = isForLearning ? await this.#enteredBy(job, key, route, rules, signal) : undefined
    if (entered !== undefined && entered !== route) return { failure: 'layers', entered }
    if (reason !== undefined) return this.#refuse(`job-${reason}`)
    const stored = await library.read(key, job.head, rules.precompress)
    // By other rules, a 304 would say nothing of what is stored.
    const validated = isSure ? stored : undefined
    const plan = { key, route, rules, authorized: false, isRefresh: true, carried: job.carried, validated }
    const isNewer = stored !== undefined && stored.parts.receivedAt > job.receivedAt
    if (isNewer && stored.decide(plan, settings.now()) === 'fresh') {
      journal.note('refresh-dropped', () => ({ ...library.describe(stored), reason: 'already-fresh' }))
      return DONE
    }
    const request = renderRequest(key, carriedOf(job.carried, job.head), sourceOf(job), validated?.validators)
    const { attached } = this.#background
    // A queue has one job for a key: nobody else has to be kept from it.
    const claim = await library.order(key, job.head, stored)
    const refreshed = await this.#background.refreshNow(
      { ...plan, claim },
      request,
      attached,
      stored,
      this.#within(signal),
    )
    if (refreshed.stored === undefined) return refreshed
    // What is not in the store has been rendered for nobody.
    await refreshed.stored.written
    return refreshed.stored.isInStore ? refreshed : { failure: 'not-written' }
  }

  /** By whose rules the app answers this request. What it answers has no key, so that it is not stored. */
  async #enteredBy(
    job: ResponseJob,
    key: RequestKey,
    route: Route,
    rules: Rules,
    signal: AbortSignal,
  ): Promise<Route | undefined> {
    const plan = { key: { ...key, full: '' }, route, rules, authorized: false }
    const request = renderRequest(key, [], sourceOf(job))
    const { entered } = await this.#background.renderByItself(plan, request, this.#within(signal))
    return entered
  }

  #within(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, AbortSignal.timeout(this.#services.settings.refresh.timeoutMs)])
  }

  #refuse(reason: string): Ended {
    this.#services.journal.note('refresh-dropped', () => ({ key: '', route: undefined, reason }))
    return DONE
  }
}

/** Without a failure there is nothing more to do. `entered`: by whose rules the app has answered. */
interface Ended {
  readonly failure: string | undefined
  readonly entered?: Route | undefined
}

const DONE: Ended = { failure: undefined }

/** The layers of a QUERY say nothing about those of a GET. */
const placeOf = ({ method, headers, target }: RequestHead): string =>
  [method, headers.host, target.split('?', 1)[0]].join('\n')

const sourceOf = ({ head, peer }: ResponseJob): RenderedFor => ({ head, remoteAddress: peer })

/** What no visitor could have been answered from the cache for, no worker renders for it. */
function refusal({ head, carried, full }: ResponseJob, rules: Rules, key: RequestKey): string | undefined {
  const reason = bypassReason(head, rules)
  if (reason !== undefined) return reason
  if (head.headers.authorization !== undefined) return 'credential'
  const personal = ['cookie', 'authorization', ...rules.credentials]
  if (carried.some((name) => personal.includes(name.toLowerCase()))) return 'credential'
  return key.full === full ? undefined : 'key'
}
