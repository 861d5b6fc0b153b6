import fc from 'fast-check'
import { addressOf, ofRequest, ofVisitor } from './markers.ts'

/** A request as a command tells it: plain data, so that it shrinks and prints well. */
export interface Ask {
  readonly method: string
  readonly path: string
  /** In all texts `@` becomes what only this request has, `$` what only this visitor has, `#` his address. */
  readonly query: string
  readonly host: string
  readonly visitor: number
  readonly cookies: string
  readonly credential: 'none' | 'authorization' | 'x-api-key' | 'x-token'
  readonly language: string | undefined
  readonly agent: boolean
  readonly encoding: string | undefined
  /** He runs in an async context of his own. */
  readonly context: boolean
  readonly origin: string
  readonly override: string | undefined
  readonly condition: string
  readonly range: string | undefined
  readonly ifRange: boolean
  readonly demand: string | undefined
  readonly content: string
  /** The status that an unsafe request is answered with. */
  readonly wanted: number
}

/** What earlier answers have told: the validators that a client has. */
export interface Learnt {
  readonly etag?: string | undefined
  readonly lastModified?: string | undefined
}

/** A page, and nothing else. */
export const PLAIN_ASK: Ask = {
  method: 'GET',
  path: '/r/a',
  query: '',
  host: 'a.test',
  visitor: 0,
  cookies: '',
  credential: 'none',
  language: undefined,
  agent: false,
  encoding: undefined,
  context: false,
  origin: '',
  override: undefined,
  condition: '',
  range: undefined,
  ifRange: false,
  demand: undefined,
  content: '',
  wanted: 200,
}

export const HOSTS = ['a.test', 'b.test', 'A.test'] as const
export const PATHS = [
  '/r/a',
  '/s/a',
  '/r/b',
  '/r/%2e%2e',
  '//r/a',
  '/r/a;x',
  '/R/a',
  '/r/a/',
  '/r/%61',
  '/z.css',
] as const

const weighted = <T>(...choices: readonly (readonly [value: T, weight: number])[]): fc.Arbitrary<T> =>
  fc.oneof({ withCrossShrink: true }, ...choices.map(([value, weight]) => ({ arbitrary: fc.constant(value), weight })))

const [first, ...others] = PATHS
const plain = {
  method: weighted(['GET', 60], ['HEAD', 4], ['POST', 2], ['PUT', 1], ['DELETE', 1], ['QUERY', 4], ['OPTIONS', 1]),
  path: weighted([first, 14], ...others.map((path, index) => [path, index === 0 ? 8 : 1] as const)),
  query: weighted(
    ['', 18],
    ['?', 1],
    ['?a=1', 2],
    ['?a=2', 1],
    ['?utm=@', 4],
    ['?a=1&utm=@', 3],
    ['?utm=@&a=1', 2],
    ['?page=2&a=1', 1],
    ['?a=1&page=2', 1],
    ['?a=1&a=2', 1],
    ['?%61=1', 1],
    ['?a', 1],
    ['?a=1&&x', 1],
  ),
  host: weighted([HOSTS[0], 12], [HOSTS[1], 2], [HOSTS[2], 1]),
  visitor: fc.nat(3),
  cookies: weighted(
    ['', 12],
    ['theme=dark', 2],
    ['theme=light', 1],
    ['_ga=@', 2],
    ['session=$', 3],
    ['session=$; theme=dark', 1],
    ['theme=dark; _ga=@; session=$', 1],
  ),
  credential: weighted<Ask['credential']>(['none', 18], ['authorization', 3], ['x-api-key', 1], ['x-token', 1]),
  language: weighted<string | undefined>([undefined, 4], ['de', 4], ['en', 3], ['EN', 1], ['en, de', 1], ['en,de', 1]),
  agent: weighted([false, 3], [true, 1]),
  encoding: weighted<string | undefined>([undefined, 4], ['gzip', 1], ['br', 1]),
  context: weighted([true, 3], [false, 2]),
  origin: weighted(
    ['', 18],
    ['x-forwarded-host: a.test', 2],
    ['x-forwarded-host: $', 1],
    ['x-forwarded-proto: https', 1],
    ['forwarded: for=$;host=b.test;proto=https', 1],
    ['forwarded: for=$', 1],
    ['x-forwarded-for: #', 2],
  ),
  override: weighted<string | undefined>(
    [undefined, 50],
    ['x-original-url: /r/b', 1],
    ['x-rewrite-url: /r/b', 1],
    ['x-http-method-override: DELETE', 1],
    ['accept: text/event-stream', 1],
  ),
  condition: weighted(
    ['', 16],
    ['if-none-match: ?', 3],
    ['if-none-match: "other"', 1],
    ['if-none-match: *', 1],
    ['if-modified-since: ?', 2],
    ['if-match: ?', 1],
    ['if-unmodified-since: ?', 1],
  ),
  range: weighted<string | undefined>(
    [undefined, 30],
    ['bytes=0-4', 1],
    ['bytes=5-', 1],
    ['bytes=-3', 1],
    ['bytes=0-1,4-5', 1],
    ['bytes=99999-', 1],
  ),
  ifRange: weighted([false, 3], [true, 1]),
  demand: weighted<string | undefined>([undefined, 12], ['no-cache', 1], ['max-stale', 1], ['only-if-cached', 1]),
  content: weighted(['', 3], ['c=1', 2], ['c=2', 1]),
  wanted: weighted([200, 4], [201, 1], [303, 2], [404, 1], [500, 1]),
}

const anyAsk: fc.Arbitrary<Ask> = fc.record(plain).map((ask) => {
  // A body comes with the methods that have one, and now and then with a GET.
  const hasContent = !['GET', 'HEAD'].includes(ask.method) || (ask.content === 'c=2' && ask.range !== undefined)
  return hasContent ? ask : { ...ask, content: '' }
})

/** What one asks differently who asks for the same. */
export type Likeness = Partial<Ask>

const self = { visitor: plain.visitor, context: plain.context, language: plain.language }
/** Nothing but the page. */
const nothing = {
  method: fc.constant('GET'),
  cookies: fc.constant(''),
  credential: fc.constant('none' as const),
  override: fc.constant(undefined),
  condition: fc.constant(''),
  range: fc.constant(undefined),
  demand: fc.constant(undefined),
  content: fc.constant(''),
}
/** The page by somebody who says nothing else of himself. */
export const plainly: fc.Arbitrary<Likeness> = fc.record({ ...nothing, ...self })

const oddities: readonly Likeness[] = [
  ...(['authorization', 'authorization', 'authorization', 'x-api-key', 'x-token'] as const).map((credential) => ({
    credential,
  })),
  ...['session=$', 'session=$', '_ga=@', 'theme=dark', 'theme=dark; _ga=@; session=$'].map((cookies) => ({ cookies })),
  ...['x-original-url: /r/b', 'x-http-method-override: DELETE', 'accept: text/event-stream'].map((override) => ({
    override,
  })),
  ...[
    'if-none-match: ?',
    'if-none-match: ?',
    'if-modified-since: ?',
    'if-none-match: *',
    'if-match: ?',
    'if-unmodified-since: ?',
  ].map((condition) => ({ condition })),
  ...['x-forwarded-host: $', 'x-forwarded-for: #', 'forwarded: for=$;host=b.test', 'forwarded: for=$'].map(
    (origin) => ({ origin }),
  ),
  ...['?utm=@', '?a=1&utm=@'].map((query) => ({ query })),
  { method: 'HEAD' },
  { method: 'POST', wanted: 200 },
  { range: 'bytes=0-4' },
  { range: 'bytes=5-', ifRange: true },
  { range: 'bytes=-3', ifRange: true },
  { content: 'c=1' },
  { agent: true },
]
/** One odd thing at a time: what may be left behind for those who come after. */
export const oddly: fc.Arbitrary<Likeness> = fc
  .tuple(plainly, fc.constantFrom(...oddities))
  .map(([likeness, oddity]) => ({ ...likeness, ...oddity }))

export const likenesses: fc.Arbitrary<Likeness> = fc.oneof(
  { withCrossShrink: true },
  { weight: 6, arbitrary: plainly },
  { weight: 2, arbitrary: oddly },
  { weight: 3, arbitrary: fc.record({ ...self, cookies: plain.cookies, credential: plain.credential }) },
  { weight: 1, arbitrary: fc.record({ ...nothing, ...self, condition: plain.condition, range: plain.range }) },
  { weight: 1, arbitrary: fc.record({ visitor: self.visitor }) },
  { weight: 1, arbitrary: fc.constantFrom('c=1', 'c=2').map((content) => ({ method: 'QUERY', content })) },
  { weight: 1, arbitrary: fc.constant({}) },
)

/** Every second one asks as everybody does: where all are odd, nothing is ever shared. */
export const asks: fc.Arbitrary<Ask> = fc.oneof(
  { withCrossShrink: true },
  fc.tuple(anyAsk, plainly).map(([ask, likeness]) => ({ ...ask, ...likeness, origin: '' })),
  anyAsk,
)

/** The header fields of a request, by lower-case name. */
export function headersOf(ask: Ask, request: number, learnt: Learnt): Record<string, string> {
  const own = (text: string): string =>
    text
      .replaceAll('@', ofRequest(request, 'own'))
      .replaceAll('$', ofVisitor(ask.visitor, 'own'))
      .replaceAll('#', addressOf(ask.visitor))
  const headers: Record<string, string> = { host: ask.host, 'x-visit': ofRequest(request, 'visit') }
  const add = (line: string | undefined): void => {
    if (line === undefined || line === '') return
    const colon = line.indexOf(': ')
    const value = own(line.slice(colon + 2))
    const isDate = line.includes('since')
    const known = isDate ? learnt.lastModified : learnt.etag
    if (value === '?' && known === undefined) return
    headers[line.slice(0, colon)] = value === '?' ? known! : value
  }
  if (ask.cookies !== '') headers['cookie'] = own(ask.cookies)
  if (ask.credential === 'authorization') headers['authorization'] = `Bearer ${ofVisitor(ask.visitor, 'token')}`
  else if (ask.credential !== 'none') headers[ask.credential] = ofVisitor(ask.visitor, 'key')
  if (ask.language !== undefined) headers['accept-language'] = ask.language
  if (ask.agent) headers['user-agent'] = ofVisitor(ask.visitor, 'agent')
  if (ask.encoding !== undefined) headers['accept-encoding'] = ask.encoding
  if (ask.context) headers['x-visitor'] = ofVisitor(ask.visitor, 'context')
  if (ask.range !== undefined) headers['range'] = ask.range
  if (ask.range !== undefined && ask.ifRange && learnt.etag !== undefined) headers['if-range'] = learnt.etag
  if (ask.demand !== undefined) headers['cache-control'] = ask.demand
  if (!isSafe(ask.method)) headers['x-wanted'] = String(ask.wanted)
  if (ask.content !== '') headers['content-type'] = 'text/plain'
  for (const line of [ask.origin, ask.override, ask.condition]) add(line)
  return headers
}

export const isSafe = (method: string): boolean => ['GET', 'HEAD', 'QUERY', 'OPTIONS'].includes(method)

export const urlOf = ({ path, query }: Ask, request: number): string =>
  path + query.replaceAll('@', ofRequest(request, 'own'))
