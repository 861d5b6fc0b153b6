import type { RouteOptions } from '@cacheback/core'
import type { Got } from '../../support/client.ts'
import type { Ask } from './ask.ts'
import { isFailing, isSelectedAlike, whyUnshareable } from './behaviour.ts'
import { meaningOf } from './control.ts'
import { bodyFlaw, fieldsFlaw, isClientsOwn, ownFlaw } from './compare.ts'
import { usesAt, windowsOf } from './freshness.ts'
import { type Sent, keyOf } from './key.ts'
import { findForeign, ofRequest } from './markers.ts'
import { type Purge, isMeant } from './purges.ts'
import { rulesOf } from './rules.ts'
import type { Moment, Render, Repeated, World } from './world.ts'

/** One request of a visitor, from its beginning to its end. */
export interface Visit {
  readonly request: number
  readonly ask: Ask
  readonly sent: Sent
  readonly beganAt: Moment
  /** When, before that, nothing at all was going on for the last time. */
  readonly quietAt: number
  /** Every reading of the clock while it lasted. */
  readonly times: Set<number>
  readonly got: Got
  /** The visitor went away. */
  readonly hasLeft: boolean
}

/** What the app without the cache answers to a request. */
export type AskUncached = (sent: Sent, repeated: Repeated) => Promise<Got>

/** How a visitor was answered, for the count of what has been tried. */
export type Verdict =
  | 'left'
  | 'own'
  | 'fresh'
  | 'stale'
  | 'stand-in'
  | 'just rendered'
  | 'validated'
  | 'not modified'
  | 'part'
  | 'no render'

export class Judge {
  readonly #world: World
  readonly #askUncached: AskUncached
  readonly #purges: readonly Purge[]
  /** What a render without any lifetime left has been served for: one visitor. */
  readonly #servedOnce = new Map<number, number>()
  /** What the app without the cache says to what a handler saw, by render. */
  readonly #wholes = new Map<Render, Promise<Got>>()

  constructor(world: World, purges: readonly Purge[], askUncached: AskUncached) {
    this.#world = world
    this.#purges = purges
    this.#askUncached = askUncached
  }

  /** Says how a visitor was answered; throws where he should not have been answered like that. */
  async judge(visit: Visit): Promise<Verdict[]> {
    const { got, request, ask } = visit
    const foreign = findForeign(rawOf(got), { visitor: ask.visitor, request })
    if (foreign !== undefined) throw violation(`${foreign}, which somebody else has sent, is in his answer`, visit)
    if (visit.hasLeft) return ['left']
    const body = this.#render(got.headers['x-render'])
    const validation = this.#render(got.headers['x-validated'])
    const last = validation ?? body
    if (last === undefined || (body ?? last).request === request) return this.#judgeOwn(visit, body ?? validation)
    if (body === undefined) throw violation('a 304 that a handler said to somebody else', visit, validation)
    return this.#judgeShared(visit, body, validation)
  }

  /** What did not come from the cache is what the app says without it. */
  async #judgeOwn(visit: Visit, render: Render | undefined): Promise<Verdict[]> {
    const { sent, request, got } = visit
    // A handler that throws, or answers nobody's question, leaves no number in the answer.
    const last = render ?? this.#world.renders.findLast((other) => other.request === request)
    const repeated = last === undefined ? this.#silent(sent) : repeatedOf(last)
    const exact = await this.#askUncached(sent, repeated)
    const flaw = ownFlaw(got, exact)
    if (flaw === undefined) return [render === undefined ? 'no render' : 'own']
    if (!isClientsOwn(sent)) throw violation(`not what the app says without the cache: ${flaw}`, visit, last, exact)
    const unconditional = await this.#askUncached(withoutConditions(sent), repeated)
    const conditionalFlaw = ownFlaw(got, unconditional, sent)
    if (conditionalFlaw === undefined) return [got.status === 304 ? 'not modified' : 'own']
    throw violation(`not what the app says without the cache: ${conditionalFlaw}`, visit, last, unconditional)
  }

  /** Somebody else's render, or nobody's: may he have it, and is it what the handler said? */
  async #judgeShared(visit: Visit, body: Render, validation: Render | undefined): Promise<Verdict[]> {
    const { got, sent } = visit
    const fail = (reason: string, whole?: Got): never => {
      throw violation(reason, visit, validation ?? body, whole)
    }
    const rules = rulesOf(this.#world.setup, body.seen.route)
    if (rules === false) return fail('from the cache, where it was to keep out')
    for (const render of validation === undefined ? [body] : [body, validation]) {
      const reason = this.#whyNotHis(visit, render, rules)
      if (reason !== undefined) fail(reason)
    }
    const purge = this.#purges.find(
      (each) =>
        !each.soft &&
        each.heldFrom.order < visit.beganAt.order &&
        body.beganAt.order < each.calledAt.order &&
        isMeant(each, body, rules),
    )
    if (purge !== undefined) fail(`purged before he came: ${JSON.stringify(purge.selector)}`)
    const successor = this.#successorOf(visit, body, rules)
    if (successor !== undefined) fail(`what the app has taken back: ${JSON.stringify(successor)}`)
    const verdict = this.#howUsed(visit, body, validation, rules, fail)
    const whole = await this.#wholeOf(body)
    const cookies = (got.headers['set-cookie'] ?? '').split(', ').filter((cookie) => cookie !== '')
    if (!cookies.every(isOfTheLayerOutside)) fail(`a cookie that his own request did not make: ${cookies.join(', ')}`)
    const standing = this.#world.setup.outer === 'standing' ? ofRequest(visit.request, 'visit') : undefined
    if (got.headers['x-outer'] !== standing) fail('the field of the layer outside is not his')
    const flaw = bodyFlaw(got, whole, sent) ?? fieldsFlaw(got, whole)
    if (flaw !== undefined) fail(`not what the handler said: ${flaw}`, whole)
    const kinds: Verdict[] = [verdict]
    if (got.status === 304) kinds.push('not modified')
    if (got.status === 206 || got.status === 416) kinds.push('part')
    return kinds
  }

  /** Why a visitor may not have what this render brought, whenever that was. */
  #whyNotHis(visit: Visit, render: Render, rules: RouteOptions): string | undefined {
    const { seen, behaviour } = render
    const { sent, got, beganAt } = visit
    const unshareable = whyUnshareable(behaviour, seen, rules)
    // What is made for him without him is his until it breaks off; and who knows the page is told so at its head.
    const isCutOff = unshareable === 'not whole' && (!got.complete || got.status === 304)
    if (isCutOff && render.beganAt.order > beganAt.order && this.#isOnlyHis(visit, render)) return undefined
    if (unshareable !== undefined) return `not to be shared: ${unshareable}`
    if (seen.method === 'HEAD') return 'the answer to a HEAD'
    const asked = sent.method === 'HEAD' ? { ...sent, method: 'GET' } : sent
    if (keyOf(asked, rules) !== keyOf(seen, rules)) return 'another key'
    if (!isSelectedAlike(behaviour.vary, sent, seen)) return `selected by other headers (Vary: ${behaviour.vary})`
    const bypassed = bypassOf(sent, rules)
    if (bypassed !== undefined) return `from the cache, in spite of ${bypassed}`
    const isAuthorized = sent.headers['authorization'] !== undefined
    return isAuthorized && meaningOf(behaviour.control).authorized !== true
      ? 'not for one with Authorization'
      : undefined
  }

  /** A refresh that came after it and brought what may not be shared: the page is no longer what it was. */
  #successorOf({ quietAt }: Visit, body: Render, rules: RouteOptions): Render | undefined {
    const { sealed, query = true, cookies = 'bypass' } = rules
    // Elsewhere it may have been made for a visitor of another variant, and thrown away.
    if (sealed === true || query !== true || cookies !== 'bypass') return undefined
    return this.#world.renders.find(
      ({ isDetached, isAskedFor, behaviour, seen, ...render }) =>
        isDetached &&
        !isAskedFor &&
        render.quietAt > body.beganAt.order &&
        render.beganAt.order < quietAt &&
        !['short', 'broken'].includes(behaviour.body) &&
        !isFailing(behaviour) &&
        whyUnshareable(behaviour, seen, rules) !== undefined &&
        keyOf(seen, rules) === keyOf(body.seen, rules) &&
        isSelectedAlike(body.behaviour.vary, seen, body.seen),
    )
  }

  /** Fresh, stale, standing in, or just made; fails where it is none of these. */
  #howUsed(
    visit: Visit,
    body: Render,
    validation: Render | undefined,
    rules: RouteOptions,
    fail: (reason: string) => never,
  ): Verdict {
    const { got, sent, times, beganAt } = visit
    const last = validation ?? body
    const isNew = last.beganAt.order > beganAt.order
    const softPurges = this.#purges.filter(
      (each) => each.soft && last.beganAt.order < each.calledAt.order && isMeant(each, body, rules),
    )
    const before = softPurges.filter(({ heldFrom }) => heldFrom.order < beganAt.order)
    // Purges that came while he waited may have reached him, or not.
    const windows = [before, softPurges].map((purges) => windowsOf(last, rules, purges))
    const isStreamed = isNew && validation === undefined && got.age === undefined
    const atTimes = [...times].filter((time) => ageAt(windows[0]!.bornAt, time) === got.age)
    if (atTimes.length === 0 && !isStreamed) return fail(`Age ${got.age}`)
    const possible = isStreamed ? [...times] : atTimes
    const usable = new Set(windows.flatMap((each) => possible.flatMap((time) => usesAt(each, time))))
    const isWarned = got.warning?.startsWith('110 ') === true
    if (usable.has('fresh') && !isWarned) return isNew ? 'just rendered' : 'fresh'
    if (isNew && !isWarned && this.#isOnlyHis(visit, last))
      return validation === undefined ? 'just rendered' : 'validated'
    if (!isWarned) return fail('stale, and no warning')
    if (usable.has('stale') && sent.headers['authorization'] === undefined) return 'stale'
    const isUsable = usable.has('stand-in') || (usable.has('stale') && this.#hasFailed(visit))
    if (isUsable && this.#hasFailed(visit)) return 'stand-in'
    return fail('older than it may be served')
  }

  /** A render that may not be used again is for one visitor. */
  #isOnlyHis({ request }: Visit, { n }: Render): boolean {
    const other = this.#servedOnce.get(n) ?? request
    this.#servedOnce.set(n, request)
    return other === request
  }

  /** Whether a render for which something could stand in has failed while he waited. */
  #hasFailed({ beganAt, sent }: Visit): boolean {
    return this.#world.renders.some(
      ({ behaviour, answeredAt, seen }) =>
        isFailing(behaviour) &&
        (answeredAt?.order ?? 0) > beganAt.order &&
        seen.url.split('?')[0] === sent.url.split('?')[0],
    )
  }

  /** What the handler said to what it saw, whole: the app without the cache says it again. */
  #wholeOf(render: Render): Promise<Got> {
    const known = this.#wholes.get(render) ?? this.#askUncached(render.seen, repeatedOf(render))
    this.#wholes.set(render, known)
    return known
  }

  #render(number: string | undefined): Render | undefined {
    return number === undefined ? undefined : this.#world.renders[Number(number) - 1]
  }

  #silent({ url }: Sent): Repeated {
    const { clock } = this.#world
    return { n: 0, behaviour: this.#world.behaviourOf(url.split('?')[0]!), time: clock.now }
  }
}

const repeatedOf = ({ n, behaviour, answeredAt, isDetached, seen }: Render): Repeated => ({
  n,
  behaviour,
  time: answeredAt?.time ?? 0,
  peer: isDetached ? seen : undefined,
})

const ageAt = (bornAt: number, time: number): number => Math.max(0, Math.floor((time - bornAt) / 1000))

/** Its marker has been looked at already: it is this visitor's. */
const isOfTheLayerOutside = (cookie: string): boolean => /^(?:late|rolling)=mk-q/.test(cookie)

/** What keeps a request out of the cache altogether. */
function bypassOf(
  { headers, method, content }: Sent,
  { cookies = 'bypass', credentials, queryMethod }: RouteOptions,
): string | undefined {
  if (method === 'QUERY' ? queryMethod !== true : content !== '') return 'its body'
  const names = credentials ?? ['x-api-key']
  const overrides = ['x-original-url', 'x-rewrite-url', 'x-http-method-override', 'if-match', 'if-unmodified-since']
  const found = [...names, ...overrides].find((name) => headers[name] !== undefined)
  if (found !== undefined) return found
  const { cookie } = headers
  if (cookie === undefined) return undefined
  const isBypassed =
    typeof cookies === 'object' && 'bypass' in cookies && cookies.bypass.some((name) => cookie.includes(`${name}=`))
  return cookies === 'bypass' || isBypassed ? 'his cookie' : undefined
}

function withoutConditions(sent: Sent): Sent {
  const { 'if-none-match': _tag, 'if-modified-since': _since, ...headers } = sent.headers
  return { ...sent, headers }
}

/** All bytes that came over his socket, but for the framing. */
const rawOf = ({ reason, rawHeaders, body }: Got): string =>
  `${reason}\n${rawHeaders.join('\n')}\n${body.toString('latin1')}`

function violation(reason: string, visit: Visit, render?: Render, expected?: Got): Error {
  const { got, sent, request, times } = visit
  return new Error(
    [
      reason,
      `request ${request}: ${JSON.stringify(sent)} at ${[...times].join(', ')}`,
      `answer: ${show(got)}`,
      ...(render === undefined ? [] : [`render: ${JSON.stringify(render)}`]),
      ...(expected === undefined ? [] : [`without the cache: ${show(expected)}`]),
    ].join('\n'),
  )
}

const show = ({ status, complete, headers, text }: Got): string =>
  JSON.stringify({ status, complete, headers, text: text.slice(0, 1500) })
