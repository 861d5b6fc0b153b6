import type { RouteOptions } from '@cacheback/core'
import fc from 'fast-check'
import { CONTROLS, meaningOf } from './control.ts'
import { type Sent, selectingValue, varyNames, whyPersonal, whyVaryForbids } from './key.ts'

/** How a handler answers, and what happens to its answer on the way. */
export interface Behaviour {
  /** Which change of the page this is: what came later has a later Last-Modified. */
  readonly version: number
  readonly status: number
  /** Its Cache-Control, one of those in control.ts. */
  readonly control: string
  /** Seconds from now, where there is no Cache-Control of a lifetime. */
  readonly expires: number | undefined
  readonly age: number | undefined
  readonly vary: string | undefined
  readonly validator: 'none' | 'etag' | 'weak' | 'last-modified' | 'both'
  readonly tag: string | undefined
  readonly body: 'text' | 'json' | 'chunks' | 'raw' | 'short' | 'broken' | 'throw'
  readonly cookie: boolean
  /** What the layer outside adds when the head is written. */
  readonly late: 'nothing' | 'set-cookie' | 'private' | 'no-store' | 'vary'
  /** The page is made for whoever says who he is. */
  readonly personal: boolean
  readonly hop: boolean
}

/** Whether the app answers so badly that a stored response may stand in. */
export const isFailing = ({ status, body }: Behaviour): boolean => body === 'throw' || status === 500 || status === 503

/** The lifetime in seconds: what the response says, else what the route's options say of a 200. */
export function lifetimeOf(behaviour: Behaviour, rules: RouteOptions): number | undefined {
  const named =
    meaningOf(behaviour.control).lifetime ?? behaviour.expires ?? (behaviour.status === 200 ? rules.maxAge : undefined)
  return named !== undefined && isError(behaviour.status) ? Math.min(named, 10) : named
}

export const isError = (status: number): boolean => status >= 400 && status !== 404 && status !== 410

/** What makes a page the visitor's own in the eyes of its handler. */
const isKnown = ({ headers }: Sent): boolean =>
  ['cookie', 'authorization', 'x-api-key', 'x-token'].some((name) => headers[name] !== undefined)

/** Whether this answer is made for whoever says who he is, and says so. */
export const isMadePersonal = (behaviour: Behaviour, seen: Sent): boolean => behaviour.personal && isKnown(seen)

/**
 * Why an answer may not be shared by the rules of RFC 9111 and of the documentation: an honest handler shows what is the
 * visitor's own in no other answers. Undefined: a shared cache may store it.
 */
export function whyUnshareable(behaviour: Behaviour, seen: Sent, rules: RouteOptions | false): string | undefined {
  if (rules === false) return 'opted-out'
  const meaning = meaningOf(behaviour.control)
  const asked = whyPersonal(seen, rules)
  if (asked !== undefined) return asked
  if (isMadePersonal(behaviour, seen)) return 'private'
  if (meaning.forbids === true || behaviour.late === 'private' || behaviour.late === 'no-store') return 'forbidden'
  if (behaviour.cookie || behaviour.late === 'set-cookie') return 'set-cookie'
  if (seen.headers['authorization'] !== undefined && meaning.authorized !== true) return 'authorization'
  if (behaviour.status === 206) return 'a part'
  if (['short', 'broken', 'throw'].includes(behaviour.body)) return 'not whole'
  const vary = whyVaryForbids(varyNames(behaviour.vary), rules)
  if (vary !== undefined || behaviour.late === 'vary') return vary ?? 'vary-any'
  return lifetimeOf(behaviour, rules) === undefined ? 'no-freshness' : undefined
}

/** Whether the selecting headers of two requests agree. */
export const isSelectedAlike = (vary: string | undefined, one: Sent, other: Sent): boolean =>
  varyNames(vary).every(
    (name) => name === 'cookie' || selectingValue(name, one.headers) === selectingValue(name, other.headers),
  )

const weighted = <T>(...choices: readonly (readonly [value: T, weight: number])[]): fc.Arbitrary<T> =>
  fc.oneof({ withCrossShrink: true }, ...choices.map(([value, weight]) => ({ arbitrary: fc.constant(value), weight })))

const rest = {
  expires: weighted<number | undefined>([undefined, 3], [10, 2], [0, 1]),
  age: weighted<number | undefined>([undefined, 9], [3, 1], [30, 1]),
  vary: weighted<string | undefined>(
    [undefined, 10],
    ['Accept-Language', 4],
    ['X-Visitor', 2],
    ['accept-language, User-Agent', 2],
    ['Cookie', 1],
    ['X-Forwarded-For', 1],
    ['Host, Accept-Encoding', 1],
    ['Authorization', 1],
    ['X-Token', 1],
    ['*', 1],
  ),
  tag: weighted<string | undefined>([undefined, 3], ['news', 2], ['sport, news', 1]),
  body: weighted<Behaviour['body']>(
    ['text', 8],
    ['json', 2],
    ['chunks', 4],
    ['raw', 3],
    ['short', 1],
    ['broken', 1],
    ['throw', 2],
  ),
  cookie: weighted([false, 20], [true, 1]),
  late: weighted<Behaviour['late']>(['nothing', 26], ['set-cookie', 1], ['private', 1], ['no-store', 1], ['vary', 1]),
  personal: weighted([false, 3], [true, 1]),
  hop: weighted([false, 12], [true, 1]),
}

export const behaviours: fc.Arbitrary<Behaviour> = fc
  .record({
    ...rest,
    version: fc.constant(0),
    status: weighted(
      [200, 24],
      [404, 2],
      [410, 1],
      [302, 1],
      [301, 1],
      [203, 1],
      [204, 1],
      [206, 1],
      [400, 1],
      [500, 2],
      [503, 2],
    ),
    control: weighted(...CONTROLS.map(([value, , weight]) => [value, weight] as const)),
    validator: weighted<Behaviour['validator']>(
      ['none', 5],
      ['etag', 3],
      ['weak', 1],
      ['last-modified', 2],
      ['both', 1],
    ),
  })
  // Where there is a Cache-Control, or a validator that brings the fields up to date, Expires is in nobody's way.
  .map((chosen) => {
    const isAlone = chosen.control === '' && chosen.validator === 'none'
    const expires = isAlone ? chosen.expires : undefined
    // What is added to a failure lands on what stands in for it: that is the outer layer's own affair.
    const late = isFailing(chosen) ? 'nothing' : chosen.late
    // No content is whole, however it is written.
    return { ...chosen, expires, late, body: chosen.status === 204 ? 'text' : chosen.body }
  })

/** What becomes of a page for a while: it fails, it turns private, it is mended. */
export const changes: fc.Arbitrary<Partial<Behaviour>> = fc.constantFrom<Partial<Behaviour>>(
  { status: 503, body: 'text', late: 'nothing' },
  { status: 500, body: 'chunks', late: 'nothing' },
  { body: 'throw', late: 'nothing' },
  { body: 'throw', late: 'nothing' },
  { status: 200, body: 'text', late: 'nothing', cookie: false },
  { status: 200, body: 'broken' },
  { status: 200, body: 'short' },
  { status: 404, body: 'text' },
  { status: 404, body: 'text', control: 'max-age=60' },
  { status: 400, body: 'text', control: 'max-age=60' },
  { status: 500, body: 'text', control: 'max-age=60', late: 'nothing' },
  { cookie: true },
  { control: 'private' },
  { vary: 'X-Visitor' },
  { vary: 'X-Visitor', control: 'max-age=60' },
  { vary: 'Accept-Language' },
  { vary: undefined },
  { personal: true },
  { personal: false, validator: 'etag' },
  {},
)

/** What every page does before anything else is said of it. */
export const PLAIN: Behaviour = {
  version: 0,
  status: 200,
  control: 'max-age=10',
  expires: undefined,
  age: undefined,
  vary: undefined,
  validator: 'none',
  tag: 'news',
  body: 'text',
  cookie: false,
  late: 'nothing',
  personal: false,
  hop: false,
}
