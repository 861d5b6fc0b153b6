import type { FrameworkName } from '../../support/app.ts'
import { PLAIN_ASK } from './ask.ts'
import { type Behaviour, PLAIN } from './behaviour.ts'
import type { Command } from './commands.ts'
import type { Setup } from './rules.ts'

/** A sequence that random ones have found, made small; it is played each time. */
export interface Found {
  readonly id: string
  readonly title: string
  /** Where it can be so at all. */
  readonly frameworks?: readonly FrameworkName[]
  readonly setup: Setup
  readonly commands: readonly Command[]
}

const setup: Setup = {
  store: 'memory',
  trustProxy: false,
  isInFront: false,
  outer: 'nothing',
  page: PLAIN,
  app: {},
  r: {},
  s: {},
}
const sealed: Setup = { ...setup, r: { sealed: true } }

const ask = (likeness: Partial<typeof PLAIN_ASK> = {}): Command => ({ kind: 'ask', ask: { ...PLAIN_ASK, ...likeness } })
const wait = (seconds: number): Command => ({ kind: 'wait', seconds })
const change = (changed: Partial<Behaviour>): Command => ({ kind: 'change', path: undefined, change: changed })

/** His User-Agent is a selecting header at first, and then no more. */
const unnamed = (page: Behaviour): Found['commands'] => [
  { kind: 'behave', path: undefined, behaviour: { ...page, vary: 'User-Agent' } },
  ask({ agent: true }),
  change({ vary: undefined }),
  wait(11),
  ask({ agent: true }),
  ask({ visitor: 1 }),
]

/** His next request comes over the same connection, on which the 304 was whole. */
const brokenAfterNotModified: Found['commands'] = [
  { kind: 'behave', path: '/r/a', behaviour: { ...PLAIN, body: 'broken' } },
  {
    kind: 'crowd',
    first: { ...PLAIN_ASK, condition: 'if-none-match: *' },
    others: [{ condition: '', path: '/s/a' }],
    isShared: true,
    hold: 'body',
    acts: [],
    late: [],
  },
]

export const FOUND: readonly Found[] = [
  {
    id: 'SEC-DIFF-02',
    title: 'a page rendered detached that is shorter than it declared keeps nobody waiting',
    setup: { ...sealed, page: { ...PLAIN, body: 'short' } },
    commands: [ask(), ask({ visitor: 1 })],
  },
  {
    id: 'SEC-DIFF-03',
    title: 'what forbids stale answers stands in for no failure, though the clock has gone back',
    setup: { ...setup, page: { ...PLAIN, control: 'max-age=10, must-revalidate' } },
    commands: [ask(), change({ status: 503 }), wait(-3600), ask({ visitor: 1 })],
  },
  {
    id: 'SEC-DIFF-04',
    title: 'behind `sealed` a fill that carries what its response no more names is not for others',
    setup: sealed,
    commands: unnamed(PLAIN),
  },
  {
    id: 'SEC-DIFF-05',
    title: 'behind `sealed` a refresh that carries what its response no more names is not for others',
    setup: { ...sealed, r: { sealed: true, staleWhileRevalidate: 20 } },
    commands: unnamed(PLAIN),
  },
  {
    id: 'SEC-DIFF-06',
    title: 'a page that breaks off after a 304 takes no later request of its visitor along',
    // Express destroys the socket itself, whoever else may be using it.
    frameworks: ['fastify', 'koa'],
    setup,
    commands: brokenAfterNotModified,
  },
  {
    id: 'SEC-DIFF-07',
    title: 'a page rendered detached that breaks off after a 304 takes no later request of its visitor along',
    setup: sealed,
    commands: brokenAfterNotModified,
  },
  {
    id: 'SEC-DIFF-08',
    title: 'the 304 that a handler says to a condition, while nothing is kept from it, is not for others',
    setup: { ...setup, page: { ...PLAIN, control: 'private', validator: 'etag' } },
    // Known as uncacheable; then it is not, and who learns its tag does not let it be stored.
    commands: [
      ask(),
      change({ control: 'max-age=10' }),
      ask({ method: 'HEAD' }),
      ask({ condition: 'if-none-match: ?' }),
      ask({ visitor: 1 }),
    ],
  },
  {
    id: 'SEC-DIFF-09',
    title: 'likewise where nothing is known of the page any more',
    setup: { ...setup, page: { ...PLAIN, validator: 'etag' } },
    commands: [
      ask(),
      { kind: 'purge', selector: { all: true }, soft: false },
      ask({ condition: 'if-none-match: ?' }),
      ask({ visitor: 1 }),
    ],
  },
]
