import type { IncomingMessage } from 'node:http'
import { expect } from 'vitest'
import type { Description, Exchange } from '../support/app.ts'
import { text } from '../support/reply.ts'
import { anyStore, scenario } from '../support/scenario.ts'
import { type Attack, attacks, dress, expectApart, expectHarmless, swr } from './attack.ts'
import { FakeStore } from '../support/stores.ts'
import { openRedis } from './redis-keys.ts'
import { CLOSE, get, HOST, lines, send } from './raw.ts'

// Deception: a page for one made to look like a page for all; and keys that look alike (rows 15 to 27).

const DISGUISES = [
  '/me/x.css',
  '/me;.css',
  '/me%00.css',
  '/me%2f..%2fx.css',
  '/me%3f.css',
  '/me%23.css',
  '/me#x.css',
  '/me?x.css',
  '/me/%2e%2e/x.js',
  '/static/..%2fme',
  '/me%0a.css',
  '/favicon.ico/me',
]

/** Careless: every page says that it is for all, a personal one too. */
const account = ({ headers }: Exchange) => {
  const name = headers.cookie ?? headers.authorization ?? headers['x-api-key']
  return text(name === undefined ? 'please log in' : `the account of ${String(name)}`, swr)
}

/** The victim is led to such a URL; whoever comes next gets the page for strangers. */
const victims = (
  targets: readonly string[],
  options: Description['options'],
  field: string,
  more: Partial<Attack> = {},
): Attack[] =>
  attacks(
    { options: { maxAge: 60, ...options }, routes: { '*': account } },
    targets.map((target) => [`${target} with ${field}`, get(target, field), { clean: get(target), ...more }]),
  )

scenario('DECEIVE-01', 'a personal page stays personal, whatever its URL looks like', anyStore, async (stage) => {
  const some = DISGUISES.slice(0, 3)
  await expectHarmless(stage, [
    ...victims(DISGUISES, {}, 'Cookie: sid=alice'),
    ...victims(some, {}, 'Authorization: Bearer alice'),
    ...victims(some, {}, 'X-Api-Key: alice'),
    ...victims(some, { cookies: { bypass: ['sid'] } }, 'Cookie: sid=alice'),
    // Where cookies play no part, nobody is anybody.
    ...victims(some, { cookies: 'ignore' }, 'Cookie: sid=alice', { gets: 'clean' }),
  ])
})

/** The lines of a request that these scenarios are about, as a handler finds them in `rawHeaders`. */
const SHOWN = ['x-a', 'x-b', 'cookie', '__proto__', 'constructor', 'tostring', 'hasownproperty']
function shownOf({ rawHeaders }: IncomingMessage): string {
  const shown: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    if (SHOWN.includes(name)) shown.push(name, rawHeaders[i + 1]!)
  }
  return JSON.stringify(shown)
}

const echo: Description = {
  routes: { '*': ({ url, req }) => text(`${req.method} ${url} ${shownOf(req)}`, swr) },
}
const urls = (...targets: string[]): string[] => targets.map((target) => get(target))

function apart(id: string, title: string, app: Description, requests: readonly string[]): void {
  scenario(id, title, anyStore, async (stage) => void (await expectApart(stage, app, requests)))
}

apart('DECEIVE-02', 'an encoded slash is no slash', echo, urls('/a/b', '/a%2Fb', '/a%2fb', '/a%252Fb', '/a//b'))

const tagged: Description = { ...echo, options: { tags: () => ['page'] } }

scenario(
  'DECEIVE-03',
  'spellings of one path are pages of their own, which a tag purges together',
  anyStore,
  async (stage) => {
    const spellings = urls('/p', '/%70', '/P', '/p/', '/./p', '/p;', '/p?')
    const site = await expectApart(stage, tagged, spellings)
    await site.cache.purge({ url: '/p' })
    expect((await send(site, get('/p'))).cacheStatus).not.toContain('hit')
    await site.cache.purge({ tag: 'page' })
    for (const spelling of spellings) expect((await send(site, spelling)).cacheStatus, spelling).not.toContain('hit')
  },
)

apart(
  'DECEIVE-04',
  'queries are compared as bytes: what decodes to the same is not the same',
  echo,
  urls('/x?a=%ff', '/x?a=%fe', '/x?a=%FF', '/x?a=%EF%BF%BD', '/x?a=%ed%a0%80', '/x?a=%ed%b0%80', '/x?a=+', '/x?a=%20'),
)

const selecting: Description = { ...echo, options: { vary: ['x-a', 'x-b'], cookies: { key: ['a', 'b'] } } }

apart('DECEIVE-05', 'no delimiter lets one part of a key flow into the next', selecting, [
  get('/x', 'X-A: x|y', 'X-B: z'),
  get('/x', 'X-A: x', 'X-B: y|z'),
  // Whatever would stand between a name and a value, a client can write as well.
  ...['|', ',', ':', ';', '/', ' ', '', '~', '%00', '1:'].flatMap((mark) => [
    get('/x', `X-A: x${mark}x-b${mark}y`, 'X-B: z'),
    get('/x', 'X-A: x', `X-B: y${mark}x-b${mark}z`),
  ]),
  get('/x', 'X-A: 1:x1:y'),
  get('/x', 'X-A: x::y'),
  get('/x', 'X-A: x', 'X-B: y'),
  get('/x', 'X-B: xy'),
  get('/x', 'X-A:'),
  get('/x', 'Cookie: a=x; b=y'),
  get('/x', 'Cookie: a=x%3b b=y'),
  get('/x~v4:3:x-a', 'X-B: y'),
  get('/x?v4:3:x-a'),
])

scenario(
  'DECEIVE-06',
  'a URL that looks like commands writes one key into Redis, and nothing else',
  { stores: ['redis'], because: 'looks at the keys of a Redis' },
  async ({ serve }) => {
    const redis = await openRedis()
    const site = await serve({ ...echo, options: { store: redis.keyv, memory: false } })
    for (const target of ['/%0d%0aSET%20x%201%0d%0a', '/*3%0d%0a$3', '/{a}*?[b]', '/%00', '/\'"\\']) {
      const before = await redis.keys()
      await send(site, get(target))
      expect((await send(site, get(target))).cacheStatus, target).toContain('; hit')
      const written = (await redis.keys()).filter((key) => !before.includes(key))
      expect(written.filter((key) => !key.endsWith(':purges')).length, target).toBe(1)
      // Nothing that Redis, its patterns and cluster, or a shell, takes for something else.
      for (const key of written) expect(key).toMatch(/^[\w./%:;=@&,+$!()~-]+$/)
    }
  },
)

apart('DECEIVE-07', 'absent and empty are two things', { ...echo, options: { vary: ['x-a'] } }, [
  ...urls('/x', '/x?', '/x?a', '/x?a=', '/x?&', '/x?='),
  get('/x', 'X-A:'),
])

apart(
  'DECEIVE-08',
  'names that mean something to objects mean nothing to a key',
  { ...echo, options: { vary: ['__proto__', 'constructor', 'toString', 'hasOwnProperty'] } },
  [
    ...urls('/x', '/x?__proto__=1', '/x?constructor=1', '/x?__proto__[a]=1', '/__proto__', '/constructor'),
    get('/x', '__proto__: 1'),
    get('/x', '__proto__: 2'),
    get('/x', 'constructor: 1'),
    get('/x', 'constructor: 2'),
    get('/x', 'toString: 1'),
    get('/x', 'hasOwnProperty: 1'),
  ],
)

scenario('DECEIVE-09', 'likewise in a Vary of the app, and in what is named by an option', anyStore, async (stage) => {
  const names = ['__proto__', 'constructor', 'toString']
  for (const name of names) {
    await expectApart(stage, { routes: { '/x': ({ req }) => text(shownOf(req), { ...swr, vary: name }) } }, [
      get('/x', `${name}: 1`),
      get('/x', `${name}: 2`),
    ])
    const byName: Description = {
      options: { query: [name], cookies: { key: [name] } },
      routes: { '/x': ({ url, headers }) => text(`${url} ${headers.cookie}`, swr) },
    }
    await expectApart(stage, byName, [get('/x'), get(`/x?${name}=1`), get('/x', `Cookie: ${name}=1`)])
  }
})

const byTarget: Description = { routes: { '*': ({ url }) => text(`page of ${url}`, swr) } }

scenario('DECEIVE-10', 'a raw # is a part of the URL', anyStore, async (stage) => {
  const rows = attacks(byTarget, [
    ['in the path', get('/p#x'), { clean: get('/p') }],
    ['before a query', get('/p#?a=1'), { clean: get('/p?a=1') }],
    ['in the query', get('/p?a=1#b'), { clean: get('/p?a=1') }],
  ])
  await expectHarmless(stage, rows)
})

const METHODS = ['HEAD', 'OPTIONS', 'QUERY', 'POST', 'DELETE', 'PROPFIND', 'get', 'GETX']
const answersAll: Description = {
  // That an unsafe request removes the page is another matter.
  options: { invalidateOnUnsafe: false },
  routes: {
    '*': {
      methods: ['GET', 'OPTIONS', 'POST', 'PUT', 'DELETE', 'PATCH'],
      answer: ({ req }) => text(`answer to ${req.method}`, swr),
    },
  },
}

scenario('DECEIVE-11', 'what another method gets is never what a GET gets', anyStore, async (stage) => {
  const rows = METHODS.map((method): [string, string, Partial<Attack>] => [
    method,
    lines(`${method} /x HTTP/1.1`, [HOST, CLOSE, 'Content-Length: 0']),
    // Node ends what it does not know itself.
    { gets: 'any' },
  ])
  await expectHarmless(stage, attacks(answersAll, rows))
  // With QUERY in the cache its content is a part of the key.
  const queried = { ...answersAll, options: { queryMethod: true, invalidateOnUnsafe: false } }
  const query = lines('QUERY /x HTTP/1.1', [HOST, CLOSE, 'Content-Type: text/plain', 'Content-Length: 4'], 'evil')
  await expectHarmless(stage, attacks(queried, [['QUERY, cached', query, { gets: 'any' }]]))
})

scenario('DECEIVE-12', 'schemes and hosts behind one server are sites of their own', anyStore, async (stage) => {
  const named: Description = {
    routes: { '/x': ({ req, headers }) => text(`${'encrypted' in req.socket} ${headers.host}`, swr) },
  }
  const hosts = ['a.test', 'b.test', 'a.test:443', 'xn--a.test', '[::1]', '127.0.0.1'].map((host) =>
    lines('GET /x HTTP/1.1', [`Host: ${host}`, CLOSE]),
  )
  const site = await expectApart(stage, named, hosts)
  // Behind TLS from here on: nothing of what is stored answers, and a refresh is one by TLS.
  dress(site, { encrypted: true, authorized: false, getPeerCertificate: () => ({}) })
  for (const host of hosts) {
    for (const seconds of [0, 11, 0]) {
      stage.clock.advance(seconds)
      expect((await send(site, host)).text).toMatch(/^true /)
    }
  }
})

scenario(
  'DECEIVE-13',
  'caches of another name or version in one store do not read each other',
  anyStore,
  async ({ serve }) => {
    const store = new FakeStore()
    const names = [{}, { name: 'a' }, { name: 'a', version: 'b' }, { name: 'a.b' }, { name: 'a', version: 'b.c' }]
    for (const [i, options] of names.entries()) {
      const site = await serve({ options: { ...options, store, memory: false }, routes: { '/x': text(`${i}`, swr) } })
      for (let visit = 0; visit < 2; visit++) expect((await send(site, get('/x'))).text).toBe(`${i}`)
    }
  },
)
