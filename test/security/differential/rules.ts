import type { RouteOptions } from '@cacheback/core'
import fc from 'fast-check'
import { type Behaviour, PLAIN, behaviours } from './behaviour.ts'

/** Which routes the app has, and by which options. */
export interface Setup {
  readonly store: 'memory' | 'keyv' | 'both'
  readonly trustProxy: boolean
  /** Whether the cache stands in front of the whole app as well. */
  readonly isInFront: boolean
  /** A layer outside the cache: nothing; a field of this visitor's own on every response; a session that is renewed at the head. */
  readonly outer: 'nothing' | 'standing' | 'rolling'
  /** What every page does at first. */
  readonly page: Behaviour
  readonly app: RouteOptions
  readonly r: RouteOptions | false | undefined
  readonly s: RouteOptions | false | undefined
}

export const ROUTES = { '/r/:id': 'r', '/s/:id': 's', '*': undefined } as const
export type RouteName = keyof typeof ROUTES

/** The options by which a route goes: each of an inner layer replaces the outer's. */
export function rulesOf(setup: Setup, route: RouteName): RouteOptions | false {
  const slot = ROUTES[route]
  const own = slot === undefined ? undefined : setup[slot]
  return own === false ? false : { ...setup.app, ...own }
}

const options: fc.Arbitrary<RouteOptions> = fc.record(
  {
    maxAge: fc.constantFrom(10, 5, 60),
    staleWhileRevalidate: fc.constantFrom(20, 5, 60),
    staleIfError: fc.constantFrom(60, 5),
    vary: fc.constantFrom([], ['accept-language'], ['x-visitor'], ['user-agent', 'accept-language']),
    query: fc.constantFrom(true, false, ['a', 'page'], { ignore: ['utm'] }),
    cookies: fc.constantFrom(
      'bypass' as const,
      'ignore' as const,
      { key: ['theme'] },
      { key: ['session', 'theme'] },
      { bypass: ['session'] },
    ),
    credentials: fc.constant(['x-token']),
    sealed: fc.constantFrom(false, false, true),
    collapse: fc.constantFrom({ waitMs: 60_000 }, { waitMs: 0 }),
    etag: fc.boolean(),
    queryMethod: fc.boolean(),
    cacheStatus: fc.constantFrom(true, { key: true }),
    refreshAhead: fc.constantFrom(0.5, undefined),
    inFront: fc.constantFrom(true, true, false),
  },
  { requiredKeys: [] },
)

// Long enough for nobody to be let go by the clock: whoever is not told waits for ever, and is seen to.
const PATIENT = { collapse: { waitMs: 60_000 } }

export const setups: fc.Arbitrary<Setup> = fc
  .record<Setup>({
    store: fc.constantFrom('memory', 'memory', 'keyv', 'both'),
    trustProxy: fc.boolean(),
    isInFront: fc.boolean(),
    outer: fc.constantFrom('nothing', 'nothing', 'standing', 'rolling'),
    page: fc.oneof({ weight: 3, arbitrary: fc.constant(PLAIN) }, { weight: 2, arbitrary: behaviours }),
    app: options.map((chosen) => ({ ...PATIENT, ...chosen })),
    r: fc.oneof({ weight: 9, arbitrary: options }, { weight: 1, arbitrary: fc.constant(undefined) }),
    s: fc.oneof(
      { weight: 7, arbitrary: options },
      { weight: 2, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constant(false as const) },
    ),
  })
  // A field that a layer of the app sets for one visitor is the app's own answer where the cache stands before that layer.
  .map((setup) => (setup.isInFront && setup.outer === 'standing' ? { ...setup, outer: 'nothing' } : setup))
