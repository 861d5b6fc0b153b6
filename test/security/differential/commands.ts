import type { Selector } from '@cacheback/core'
import fc from 'fast-check'
import { type Ask, type Likeness, HOSTS, PATHS, asks, likenesses, oddly, plainly } from './ask.ts'
import { type Behaviour, behaviours, changes } from './behaviour.ts'

/** Something small that happens at once. */
export type Act =
  | { readonly kind: 'behave'; readonly path: string | undefined; readonly behaviour: Behaviour }
  /** The page goes on as it was, but for this. */
  | { readonly kind: 'change'; readonly path: string | undefined; readonly change: Partial<Behaviour> }
  | { readonly kind: 'wait'; readonly seconds: number }
  | { readonly kind: 'purge'; readonly selector: Selector; readonly soft: boolean }

export type Command =
  | { readonly kind: 'ask'; readonly ask: Ask }
  /** The last request again, by somebody. */
  | { readonly kind: 'again'; readonly likeness: Likeness }
  | {
      readonly kind: 'crowd'
      readonly first: Ask | undefined
      readonly others: readonly Likeness[]
      /** They come over connections of one client, as through a proxy. Default: each over his own. */
      readonly isShared?: boolean
      /** Where their renders wait for each other. */
      readonly hold: 'before' | 'body'
      /** While they wait. */
      readonly acts: readonly (
        | Act
        | { readonly kind: 'leave'; readonly who: number }
        | { readonly kind: 'ask'; readonly ask: Ask }
      )[]
      /** Who comes after that, and meets those who wait. */
      readonly late: readonly Likeness[]
    }
  /** Somebody asks oddly, where nothing is stored any more or all is too old; the others as everybody does. */
  | {
      readonly kind: 'poison'
      readonly before: Act | undefined
      readonly odd: Likeness
      readonly others: readonly Likeness[]
    }
  /** Time goes by, the page may have become another, and somebody comes back to it. */
  | {
      readonly kind: 'later'
      readonly seconds: number
      readonly change: Partial<Behaviour> | undefined
      readonly likenesses: readonly Likeness[]
    }
  | { readonly kind: 'refresh'; readonly host: string; readonly url: string }
  | Act

const selectors: fc.Arbitrary<Selector> = fc.constantFrom(
  { url: '/r/a' },
  { url: '/s/a' },
  { url: 'http://a.test/r/a' },
  { url: '/r/a?a=1' },
  { url: '/r/a?utm=x' },
  { prefix: '/r/' },
  { prefix: 'http://a.test/' },
  { tag: 'news' },
  { tag: 'sport' },
  { route: '/r/:id' },
  { route: '/s/:id' },
  { all: true },
)

const behave: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant('behave' as const),
  path: fc.constantFrom(undefined, ...PATHS.slice(0, 2), undefined),
  behaviour: behaviours,
})
const change: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant('change' as const),
  path: fc.constantFrom(undefined, PATHS[0]),
  change: changes,
})
const wait: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant('wait' as const),
  seconds: fc.constantFrom(1, 4, 11, 4, 11, 6, 31, 11, 6, 31, 3600, -2, -3600, 200_000),
})
const purge: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant('purge' as const),
  selector: selectors,
  soft: fc.boolean(),
})
const acts = fc.oneof(
  { weight: 2, arbitrary: behave },
  { weight: 2, arbitrary: change },
  { weight: 2, arbitrary: purge },
  { weight: 2, arbitrary: wait },
)

const crowd: fc.Arbitrary<Command> = fc
  .record({
    kind: fc.constant('crowd' as const),
    first: fc.option(asks, { nil: undefined }),
    others: fc.array(fc.oneof({ weight: 6, arbitrary: likenesses }, { weight: 1, arbitrary: asks }), {
      minLength: 1,
      maxLength: 4,
    }),
    hold: fc.constantFrom('before' as const, 'body' as const),
    acts: fc.array(
      fc.oneof(
        { weight: 4, arbitrary: acts },
        { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), who: fc.nat(3) }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('ask' as const), ask: asks }) },
      ),
      { maxLength: 3 },
    ),
    late: fc.array(likenesses, { maxLength: 2 }),
  })
  // The clock moves while a head is awaited, not while a body is: nobody could say when that head was written.
  .map((each) => (each.hold === 'body' ? { ...each, acts: each.acts.filter(({ kind }) => kind !== 'wait') } : each))

const commands: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('ask' as const), ask: asks }) },
  { weight: 18, arbitrary: fc.record({ kind: fc.constant('again' as const), likeness: likenesses }) },
  { weight: 4, arbitrary: crowd },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('poison' as const),
      before: fc.constantFrom<(Act | undefined)[]>(
        undefined,
        undefined,
        undefined,
        { kind: 'purge', selector: { all: true }, soft: false },
        { kind: 'purge', selector: { all: true }, soft: true },
        { kind: 'wait', seconds: 200_000 },
        { kind: 'wait', seconds: 11 },
      ),
      odd: oddly,
      others: fc.array(fc.oneof({ weight: 4, arbitrary: plainly }, { weight: 1, arbitrary: oddly }), {
        minLength: 1,
        maxLength: 3,
      }),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('later' as const),
      seconds: fc.constantFrom(0, 6, 11, 11, 15, 31, 61),
      change: fc.option(changes, { nil: undefined }),
      likenesses: fc.array(likenesses, { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 3, arbitrary: behave },
  { weight: 2, arbitrary: change },
  { weight: 4, arbitrary: wait },
  { weight: 2, arbitrary: purge },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('refresh' as const),
      host: fc.constantFrom(HOSTS[0], ...HOSTS),
      url: fc.constantFrom(...PATHS, '/r/a?utm=x&a=1'),
    }),
  },
)

export const sequences: fc.Arbitrary<Command[]> = fc.array(commands, { minLength: 1, maxLength: 60, size: 'max' })
