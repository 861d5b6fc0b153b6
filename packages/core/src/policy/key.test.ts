import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { request } from '../../../../test/support/unit.ts'
import type { CookieRule, QueryRule, RouteOptions } from '../options.ts'
import { resolveRules } from '../settings.ts'
import type { RequestHead } from './fields.ts'
import { type RequestKey, keyOf, storeKey, variantKey, withQuery } from './key.ts'

type Asked = Partial<Omit<RequestHead, 'headers'>> & { readonly headers?: Record<string, string | undefined> }

function keyFor({ headers = {}, ...rest }: Asked, options: RouteOptions = {}): RequestKey {
  const present = Object.entries({ host: 'a.test', ...headers }).filter(([, value]) => value !== undefined)
  return keyOf(request(Object.fromEntries(present) as Record<string, string>, rest), resolveRules([options]))
}
const fullOf = (asked: Asked, options: RouteOptions = {}): string => keyFor(asked, options).full

const target = (...targets: string[]): Asked[] => targets.map((one) => ({ target: one }))
const field = (name: string, ...values: (string | undefined)[]): Asked[] =>
  values.map((value) => ({ headers: { [name]: value } }))

test('a key in its parts', () => {
  const headers = { cookie: 'b=2; lang=de', 'x-b': '', 'x-forwarded-proto': 'https', accept: 'x' }
  const options: RouteOptions = { vary: ['X-B', 'X-A'], query: ['b', 'a'], cookies: { key: ['lang'] } }
  expect(keyFor({ target: '/x?b=2&c=3&a=1', headers }, options)).toEqual({
    full: expect.any(String) as string,
    scheme: 'http',
    host: 'a.test',
    hasHost: true,
    path: '/x',
    query: '?a=1&b=2',
    origin: ['x-forwarded-proto', 'https'],
    configured: ['x-a', null, 'x-b', ''],
    cookies: 'lang=de',
    content: undefined,
    contentFields: [],
    rewritten: undefined,
    hides: true,
  })
})

test('no Host is not an empty one', () => {
  const hosts = [undefined, '', 'b.test'].map((host) => keyFor({ headers: { host } }))
  expect(hosts.map(({ host, hasHost }) => [host, hasHost])).toEqual([
    ['', false],
    ['', true],
    ['b.test', true],
  ])
})

test('a QUERY has its content, and what that is, in its key', () => {
  const content = Buffer.from('s3cr3t')
  const headers = { 'content-type': 'text/plain', 'content-language': '', 'content-length': '6' }
  const key = keyFor({ method: 'QUERY', content, headers })
  const contentFields = ['content-type', 'text/plain', 'content-encoding', null, 'content-language', '']
  expect(key).toMatchObject({ content, contentFields })
  expect(key.full).not.toContain('s3cr3t')
  // Of a GET they say nothing.
  expect(keyFor({ headers })).toMatchObject({ content: undefined, contentFields: [] })
})

test.each<[rewritten: string, options: RouteOptions, seen: string]>([
  ['/y?b=2&a=1', { query: ['a'] }, '/y?a=1'],
  ['/y?b=2&a=1', {}, '/y?b=2&a=1'],
  ['/y', { query: ['a'] }, '/y'],
])('what is hidden of the target is hidden of what has become of it: %s with %j', (rewritten, options, seenAs) => {
  expect(keyFor({ target: '/', rewritten }, options).rewritten).toBe(seenAs)
})

test('with another query it is the key of a request with that query', () => {
  const asked: Asked = { target: '/x?a=1', rewritten: '/y', headers: { host: undefined, 'x-a': 'b', cookie: 'k=1' } }
  const options: RouteOptions = { vary: ['x-a'], cookies: { key: ['k'] } }
  for (const query of ['', '?a=2', '?a=1']) {
    const other = keyFor({ ...asked, target: `/x${query}` }, options)
    expect(withQuery(keyFor(asked, options), query)).toEqual(other)
  }
})

describe('each of these has a key of its own', () => {
  test.each<[title: string, asked: Asked[], options?: RouteOptions]>([
    ['paths', target('/a/b', '/a%2Fb', '/a%2fb', '/a//b', '/a/b/', '/A/b', '/a/%62', '/a/./b', '/a/c/../b', '/a/b;x')],
    [
      'queries',
      target('/', '/?', '/?a', '/?a=', '/?a=1&b=2', '/?b=2&a=1', '/?%61=1', '/?a=%ff', '/?a=%fe', '/??', '/#x'),
    ],
    ['names of the prototype', target('/', '/?__proto__=1', '/?constructor=1', '/__proto__', '/constructor')],
    ['bytes beyond ASCII', target('/é', '/%C3%A9', '/e', '/\u00ff', '/\u00fe')],
    ['hosts', field('host', 'a.test', 'A.test', 'a.test.', 'a.test:80', 'good:80@evil')],
    ['no Host and an empty one', field('host', undefined, '')],
    ['schemes', [{}, { secure: true }, ...field('x-forwarded-proto', 'https', 'http', '', 'https, http')]],
    [
      'contents of a QUERY',
      [
        {},
        ...['', 'a', 'b'].map((content) => ({ method: 'QUERY', content: Buffer.from(content) })),
        ...['content-type', 'content-encoding', 'content-language'].flatMap((name) =>
          ['', 'x'].map((value) => ({ method: 'QUERY', content: Buffer.from('a'), headers: { [name]: value } })),
        ),
      ],
    ],
    ['rewritten targets', [{}, { rewritten: '/' }, { rewritten: '/x' }, { rewritten: '' }]],
    ['absent, empty and other values', field('x-a', undefined, '', '-', 'null', 'a', 'A', ' a'), { vary: ['x-a'] }],
    [
      'absent values and what might stand for them',
      [undefined, '-', 'null', '1:-'].flatMap((a) =>
        [undefined, '-'].map((b) => ({ headers: { 'x-a': a, 'x-b': b } })),
      ),
      { vary: ['x-a', 'x-b'] },
    ],
    [
      'origin fields',
      [
        {},
        ...['host', 'proto', 'port', 'prefix', 'scheme', 'ssl'].flatMap((name) =>
          field(`x-forwarded-${name}`, '', '1'),
        ),
      ],
    ],
    ['Forwarded', field('forwarded', undefined, 'host=a', 'proto=a', 'host=a;proto=b', 'host=a, host=b', 'junk')],
    [
      'keyed cookies',
      field('cookie', undefined, 'k=', 'k', 'k=1', 'K=1; k=2', 'l=1', 'k=1; k=2', 'k=2; k=1', 'k=1; l=1'),
      {
        cookies: { key: ['k', 'l'] },
      },
    ],
  ])('%s', (_, asked, options) => {
    const keys = asked.map((one) => fullOf(one, options))
    expect(new Set(keys).size).toBe(asked.length)
    // And stays apart in a store.
    expect(new Set(keys.map((full) => storeKey('n::', 'a.test', '/', full))).size).toBe(asked.length)
  })
})

const two = (one: string, other: string, ...values: string[]): Asked => ({
  headers: { [one]: values[0], [other]: values[1] },
})

test.each(['|', ',', ':', ';', '=', '&', '/', ' ', '\n', '\0', '', '1:', '-'])(
  'no part flows into the next over %j',
  (by) => {
    const options: RouteOptions = { vary: ['x-a', 'x-b'] }
    const flow = (one: string, other: string): Asked[] => [
      two(one, other, `a${by}${other}${by}b`, 'c'),
      two(one, other, 'a', `b${by}${other}${by}c`),
      two(one, other, `a${by}${other}${by}b`),
      two(one, other, 'a', 'b'),
    ]
    const asked: Asked[] = [
      ...flow('x-a', 'x-b'),
      ...flow('x-forwarded-host', 'x-forwarded-proto'),
      { target: '/c', headers: { host: `a${by}/b` } },
      { target: `/b${by}/c`, headers: { host: 'a' } },
    ]
    expect(new Set(asked.map((one) => fullOf(one, options))).size).toBe(asked.length)
  },
)

describe('these share a key', () => {
  test.each<[title: string, asked: Asked[], options?: RouteOptions]>([
    ['GET and HEAD', [{}, { method: 'HEAD' }]],
    ['unkeyed headers', field('accept', undefined, 'a', 'b')],
    ['who forwarded it', field('forwarded', undefined, 'for=1.1.1.1', 'for=2.2.2.2;by=x')],
    ['keyed parameters in any order', target('/?a=1&b=2', '/?b=2&a=1'), { query: ['a', 'b'] }],
    ['cookies that play no part', field('cookie', undefined, 'a=1', 'b=2'), { cookies: 'ignore' }],
    ['keyed cookies in any order', field('cookie', 'k=1; l=2', 'l=2;k=1; a=3'), { cookies: { key: ['k', 'l'] } }],
  ])('%s', (_, asked, options) => {
    expect(new Set(asked.map((one) => fullOf(one, options))).size).toBe(1)
  })
})

test('the value of a cookie stands in no key', () => {
  const key = keyFor({ headers: { cookie: 'sid=s3cr3t' } }, { cookies: { key: ['sid'] } })
  expect(key.full).not.toContain('s3cr3t')
  expect(key.cookies).toBe('sid=s3cr3t')
})

const seen = (asked: Asked): string => JSON.stringify(asked, (_, value: unknown) => value ?? null)
const cut = (whole: string, at: readonly number[]): string[] => {
  const ends = [...at.toSorted((a, b) => a - b), whole.length]
  return ends.map((end, i) => whole.slice(i === 0 ? 0 : ends[i - 1], end))
}

describe('two different requests', () => {
  const RULES: RouteOptions = { vary: ['x-a', 'x-b'], cookies: { key: ['k', 'l'] } }
  const HEADERS = ['host', 'x-a', 'x-b', 'x-forwarded-host', 'x-forwarded-proto', 'x-original-host']
  const COOKIES = ['k', 'l']
  /** Characters that mean something in a key. */
  const text = fc.string({
    unit: fc.constantFrom('1', '2', ':', '-', 'o', 'v', 'c', 'r', 'q', 's', 'a', '='),
    maxLength: 12,
  })

  /** A request made of pieces, any of which may be absent. */
  function made(
    [path, query, rewritten, content, type, ...others]: readonly (string | undefined)[],
    secure = false,
  ): Asked {
    const headers = HEADERS.map((name, i) => [name, others[i]])
    // Without content it says nothing.
    headers.push(['content-type', content === undefined ? undefined : type])
    const pairs = COOKIES.flatMap((name, i) => {
      const value = others[HEADERS.length + i]
      return value === undefined ? [] : [`${name}=${value}`]
    })
    const cookie = pairs.length === 0 ? undefined : pairs.join('; ')
    return {
      secure,
      target: `/${path ?? ''}${query === undefined ? '' : `?${query}`}`,
      rewritten,
      content: content === undefined ? undefined : Buffer.from(content),
      headers: Object.fromEntries([...headers, ['cookie', cookie]]) as Record<string, string | undefined>,
    }
  }
  const PIECES = 5 + HEADERS.length + COOKIES.length

  const pieces = fc.array(fc.option(text, { nil: undefined }), { minLength: PIECES, maxLength: PIECES })

  test('have different keys', () => {
    fc.assert(
      fc.property(pieces, pieces, fc.boolean(), fc.boolean(), (one, other, ...secure) => {
        const asked = [made(one, secure[0]), made(other, secure[1])] as const
        expect(fullOf(asked[0], RULES) === fullOf(asked[1], RULES)).toBe(seen(asked[0]) === seen(asked[1]))
      }),
      { numRuns: 2000 },
    )
  })

  test('have different keys, also when they differ in one place alone', () => {
    const place = fc.nat({ max: PIECES - 1 })
    fc.assert(
      fc.property(pieces, place, fc.option(text, { nil: undefined }), (one, at, piece) => {
        const asked = [made(one), made(one.with(at, piece))] as const
        expect(fullOf(asked[0], RULES) === fullOf(asked[1], RULES)).toBe(seen(asked[0]) === seen(asked[1]))
      }),
      { numRuns: 2000 },
    )
  })

  test('have different keys, also when they are one text cut in different places', () => {
    const cuts = fc.array(fc.nat({ max: 12 }), { minLength: PIECES - 1, maxLength: PIECES - 1 })
    fc.assert(
      fc.property(text, cuts, cuts, (whole, one, other) => {
        const asked = [made(cut(whole, one)), made(cut(whole, other))] as const
        expect(fullOf(asked[0], RULES) === fullOf(asked[1], RULES)).toBe(seen(asked[0]) === seen(asked[1]))
      }),
      { numRuns: 2000 },
    )
  })

  test('have different variants', () => {
    const selecting = fc.array(fc.option(text, { nil: null }), { maxLength: 4 })
    fc.assert(
      fc.property(text, selecting, selecting, (full, one, other) => {
        const isSame = JSON.stringify(one) === JSON.stringify(other)
        expect(variantKey(full, one) === variantKey(full, other)).toBe(isSame)
      }),
      { numRuns: 2000 },
    )
  })
})

const keeps = (rule: QueryRule, name: string): boolean =>
  typeof rule === 'boolean' ? rule : 'ignore' in rule ? !rule.ignore.includes(name) : rule.includes(name)
const keepsCookie = (rule: CookieRule, name: string): boolean =>
  typeof rule === 'object' && 'key' in rule && rule.key.includes(name)

describe('what a rule hides', () => {
  const queryRules = fc.constantFrom<QueryRule[]>(true, false, [], ['a'], ['b', 'a'], { ignore: ['a'] }, { ignore: [] })
  const cookieRules = fc.constantFrom<CookieRule[]>('ignore', { bypass: ['z'] }, { key: ['a'] }, { key: ['b', 'a'] })
  const pair = fc.tuple(fc.constantFrom('a', 'b', 'c', '', 'A', '%61'), fc.constantFrom('', '=', '=1', '=a', '=b=2'))
  const pairs = fc.array(pair, { maxLength: 5 })
  type Pairs = readonly (readonly [name: string, rest: string])[]

  const asked = (query: Pairs, cookies: Pairs): Asked => ({
    target: `/${query.length === 0 ? '' : `?${query.map((one) => one.join('')).join('&')}`}`,
    headers: cookies.length === 0 ? {} : { cookie: cookies.map((one) => one.join('')).join('; ') },
  })

  test('is neither in the key nor in what a shared render sees, and is said to be hidden', () => {
    fc.assert(
      fc.property(queryRules, cookieRules, pairs, pairs, (query, cookies, parameters, jar) => {
        const kept = parameters.filter(([name]) => keeps(query, name))
        const keptCookies = jar.filter(([name]) => keepsCookie(cookies, name))
        const key = keyFor(asked(parameters, jar), { query, cookies })
        const { hides, ...shared } = keyFor(asked(kept, keptCookies), { query, cookies })
        expect(key).toMatchObject(shared)
        const isHiding = kept.length < parameters.length || keptCookies.length < jar.length
        expect(key.hides).toBe(hides || isHiding)
      }),
      { numRuns: 2000 },
    )
  })

  test('is all that requests with one key may differ in', () => {
    fc.assert(
      fc.property(queryRules, cookieRules, pairs, pairs, pairs, pairs, (query, cookies, ...lists) => {
        const [one, other] = [asked(lists[0], lists[1]), asked(lists[2], lists[3])].map((request_) =>
          keyFor(request_, { query, cookies }),
        ) as [ReturnType<typeof keyFor>, ReturnType<typeof keyFor>]
        fc.pre(one.full === other.full)
        expect({ ...one, hides: false }).toEqual({ ...other, hides: false })
      }),
    )
  })

  test('sorting is no hiding', () => {
    expect(keyFor({ target: '/?b=1&a=2' }, { query: ['a', 'b'] }).hides).toBe(false)
  })
})

describe('storeKey', () => {
  test('is readable', () => {
    expect(storeKey('cacheback:v2:', 'a.test:81', '/x/1,a.css', 'full')).toMatch(
      /^cacheback:v2:a\.test:81\/x\/1,a\.css~[\w-]{27}$/,
    )
  })

  test('is escaped', () => {
    const key = storeKey('c::', 'a.test', '/*?{x}[y]~"\\ \r\n\u001b\u00e9\u0101\'`^|<>#', 'full')
    expect(key.slice(0, key.indexOf('~'))).toBe(
      'c::a.test/%2a%3f%7bx%7d%5by%5d%7e%22%5c%20%0d%0a%1b%e9%0101%27%60%5e%7c%3c%3e%23',
    )
  })

  test('is short, printable and safe, whatever it is made of', () => {
    const any = fc.array(fc.nat({ max: 0xffff }), { maxLength: 300 }).map((codes) => String.fromCharCode(...codes))
    fc.assert(
      fc.property(any, any, any, (host, path, full) => {
        const key = storeKey('cacheback:1.2.3:', host, path, full)
        expect(key).toMatch(/^cacheback:1\.2\.3:[^\s"'\\*?[\]{}~]{0,184}~[\w-]{27}$/)
        expect(key).toMatch(/^[!-~]+$/)
      }),
    )
  })

  test('differs wherever the full key does, however alike the readable part', () => {
    const long = 'x'.repeat(300)
    const keys = ['a', 'b', 'a ', ''].map((full) => storeKey('c::', 'a.test', `/${long}`, full))
    expect(new Set(keys).size).toBe(keys.length)
    expect(new Set(keys.map((key) => key.length))).toEqual(new Set([228]))
  })
})
