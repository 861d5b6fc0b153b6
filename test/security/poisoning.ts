import { text as contentOf } from 'node:stream/consumers'
import type { Description, Middleware } from '../support/app.ts'
import { empty, text } from '../support/reply.ts'
import { anyStore, scenario } from '../support/scenario.ts'
import { type Attack, attacks, expectHarmless, mirror, swr } from './attack.ts'
import { CLOSE, get, HOST, lines } from './raw.ts'

// Poison: something that is not in the key changes what is stored for everybody (rows 1 to 9 of the attacks).

function poison(id: string, title: string, rows: readonly Attack[]): void {
  scenario(id, title, anyStore, async (stage) => {
    await expectHarmless(stage, rows)
  })
}

const FORWARDED = [
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-scheme',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-ssl',
  'x-original-host',
  'forwarded',
]
const behindProxy: Description = { trustProxy: true, routes: { '/x': mirror(FORWARDED) } }

poison('POISON-01', 'a forwarded origin changes the page of nobody else', [
  ...attacks(
    behindProxy,
    [
      'X-Forwarded-Host: evil.test',
      'x-FORWARDED-host:evil.test',
      'X-Forwarded-Host:\tevil.test \t',
      'X-Forwarded-Host:',
      'X-Forwarded-Host: example.test, evil.test',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Proto: evil',
      'X-Forwarded-Scheme: evil',
      'X-Forwarded-Port: 666',
      'X-Forwarded-Prefix: /evil',
      'X-Forwarded-Ssl: on',
      'X-Original-Host: evil.test',
      'Forwarded: host=evil.test',
      'Forwarded: proto=evil',
      'Forwarded: "evil',
    ].map((line) => [line, get('/x', line)] as const),
  ),
  ...attacks(behindProxy, [
    ['two lines', get('/x', 'X-Forwarded-Host: example.test', 'X-Forwarded-Host: evil.test')],
    ['two fields', get('/x', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: evil.test')],
    // Without the part that is about the visitor, which is nobody's key.
    ['with for=', get('/x', 'Forwarded: for=192.0.2.60;host="evil.test";proto=https'), { gets: 'any' }],
  ]),
  ...attacks({ routes: { '/x': mirror(FORWARDED) } }, [
    ['believed by nobody', get('/x', 'X-Forwarded-Host: evil.test', 'X-Forwarded-Proto: evil')],
  ]),
])

const overridable: Description = {
  routes: {
    '*': ({ url, headers }) =>
      text(`page of ${String(headers['x-original-url'] ?? headers['x-rewrite-url'] ?? url)}`, swr),
  },
}

poison(
  'POISON-02',
  'a header that asks for another URL reaches no stored page',
  attacks(
    overridable,
    ['X-Original-URL: /admin', 'x-original-url:/admin', 'X-Rewrite-URL: /admin', 'X-Original-URL:'].map((line) => [
      line,
      get('/x', line),
    ]),
  ),
)

/** What method-override does, behind the cache. */
const methodOverride: Middleware = ({ req }) => {
  const names = ['x-http-method-override', 'x-http-method', 'x-method-override']
  const asked = names.map((name) => req.headers[name]).find((value) => typeof value === 'string')
  const inQuery = /[?&]_method=(\w+)/.exec(req.url ?? '')?.[1]
  const method = asked ?? inQuery
  if (method !== undefined) req.method = method.toUpperCase()
}
const answersByMethod: Description = {
  inside: methodOverride,
  routes: { '*': ({ req }) => (req.method === 'HEAD' ? empty(200, swr) : text(`${req.method} done`, swr)) },
}

poison('POISON-03', 'a header that asks for another method reaches no stored page', [
  ...attacks(
    answersByMethod,
    [
      'X-HTTP-Method-Override: HEAD',
      'X-HTTP-Method: DELETE',
      'X-Method-Override: POST',
      'x-http-method-override: PUT',
    ].map((line) => [line, get('/x', line)]),
  ),
  ...attacks(answersByMethod, [['in the query', get('/x?_method=HEAD')]]),
])

/** Headers by which frameworks of today send another representation of the same URL. */
const REPRESENTATIONS = [
  'rsc',
  'next-router-prefetch',
  'x-nextjs-data',
  'x-middleware-prefetch',
  'x-react-router-spa-mode',
  'hx-request',
]
const REFLECTED = ['accept', 'accept-language', 'accept-encoding', 'origin', 'user-agent', 'referer', 'x-anything']

/** The same attack against the three cures: the app says Vary, the option vary names the header, sealed hides it. */
function cured(names: readonly string[]): Attack[] {
  const each = names.map((name) => [name, get('/x', `${name}: evil`)] as const)
  const hidden = each.filter(([name]) => !OWN_TO_RENDERS.has(name))
  const says: Description = { routes: { '/x': mirror(names, { ...swr, vary: names }) } }
  const named: Description = { options: { vary: names }, routes: { '/x': mirror(names) } }
  const sealed: Description = { options: { sealed: true }, routes: { '/x': mirror(hidden.map(([name]) => name)) } }
  return [
    ...attacks(says, each),
    ...attacks(named, each),
    ...attacks(
      sealed,
      hidden.map(([name, bytes]) => [name, bytes, { gets: 'clean' }]),
    ),
  ]
}
/** A detached render brings its own: the page is the same for all, and not the one of an app without a cache. */
const OWN_TO_RENDERS = new Set(['accept', 'user-agent'])

poison('POISON-04', 'a header that asks for another representation reaches no stored page', cured(REPRESENTATIONS))

/** Every Host line: which of two an app believes is its own affair. */
const byHost: Description = {
  routes: {
    '*': ({ url, origin, req }) => {
      const hosts = req.rawHeaders.filter((_, i) => req.rawHeaders[i - 1]?.toLowerCase() === 'host' && i % 2 === 1)
      return text(JSON.stringify({ url, origin, hosts }), swr)
    },
  },
}

poison('POISON-05', 'another Host, two of them, or a target with a host of its own reach no stored page', [
  ...attacks(
    byHost,
    ['example.test:80@evil.test', 'EXAMPLE.test', 'example.test.', 'example.test:80', 'evil.test', ''].map((host) => [
      `Host: ${host}`,
      lines('GET /x HTTP/1.1', [`Host: ${host}`, CLOSE]),
    ]),
  ),
  ...attacks(byHost, [
    ['two hosts', lines('GET /x HTTP/1.1', [HOST, 'Host: evil.test', CLOSE])],
    ['two hosts, the other way', lines('GET /x HTTP/1.1', ['Host: evil.test', HOST, CLOSE])],
    ['the same host twice', lines('GET /x HTTP/1.1', [HOST, HOST, CLOSE])],
    ['no host', lines('GET /x HTTP/1.0', [])],
    ['absolute form of another host', get('http://evil.test/x')],
    ['absolute form and another Host', lines('GET http://example.test/x HTTP/1.1', ['Host: evil.test', CLOSE])],
    ['a path like an authority', get('//evil.test/x')],
    ['no path at all', get('http://example.test')],
  ]),
])

const query = (rule: true | false | string[] | { ignore: string[] }): Description => ({
  options: { query: rule },
  // As lax as parsers of queries come: ; separates like &, brackets and percent signs mean what PHP or Rails think.
  routes: {
    '/x': ({ url }) => {
      const parameters = new URLSearchParams(url.split('?').slice(1).join('?').replaceAll(';', '&'))
      return text(JSON.stringify([...parameters].map(([name, value]) => [name.replace('[]', ''), value])), swr)
    },
  },
})

poison('POISON-06', 'a parameter that is not in the key reaches no handler', [
  ...attacks(query({ ignore: ['utm_content'] }), [
    ['ignored', get("/x?utm_content='><script>evil</script>"), { gets: 'clean' }],
    ['ignored twice', get('/x?utm_content=1&utm_content=evil'), { gets: 'clean' }],
    ['beside another', get('/x?a=1&utm_content=evil'), { clean: get('/x?a=1'), gets: 'clean' }],
  ]),
  ...attacks(query(['a']), [['not named', get('/x?evil=1'), { gets: 'clean' }]]),
  ...attacks(query(false), [['none is', get('/x?evil=1'), { gets: 'clean' }]]),
])

poison('POISON-07', 'a parameter cannot be cloaked as another', [
  ...attacks(query({ ignore: ['utm'] }), [
    ['behind ;', get('/x?utm=x;callback=evil'), { gets: 'clean' }],
    [
      'behind ; once more',
      get('/x?callback=good&utm=x;callback=evil'),
      { clean: get('/x?callback=good'), gets: 'clean' },
    ],
    ['encoded name', get('/x?%75tm=evil')],
    ['another case', get('/x?UTM=evil')],
    ['with brackets', get('/x?utm[]=evil')],
    ['behind a second ?', get('/x?utm=1?callback=evil'), { gets: 'clean' }],
    ['the name alone', get('/x?utm'), { gets: 'clean' }],
    ['encoded &', get('/x?a=1%26callback=evil'), { clean: get('/x?a=1') }],
  ]),
  ...attacks(query(['a']), [
    ['twice', get('/x?a=1&a=evil'), { clean: get('/x?a=1') }],
    ['as a list', get('/x?a=1&a[]=evil'), { clean: get('/x?a=1'), gets: 'clean' }],
    ['encoded name, keyed', get('/x?a=1&%61=evil'), { clean: get('/x?a=1'), gets: 'clean' }],
    ['behind ;, keyed', get('/x?a=1;a=evil'), { clean: get('/x?a=1') }],
  ]),
  ...attacks(query(true), [
    ['order', get('/x?a=evil&a=1'), { clean: get('/x?a=1&a=evil') }],
    ['encoded name, raw', get('/x?%61=1'), { clean: get('/x?a=1') }],
  ]),
])

const readsBody: Description = {
  routes: { '/x': async ({ req }) => text(`said ${await contentOf(req)}`, swr) },
}

poison(
  'POISON-08',
  'a GET with a body reaches no stored page',
  attacks(readsBody, [
    ['with a length', lines('GET /x HTTP/1.1', [HOST, CLOSE, 'Content-Length: 4'], 'evil')],
    ['chunked', lines('GET /x HTTP/1.1', [HOST, CLOSE, 'Transfer-Encoding: chunked'], '4\r\nevil\r\n0\r\n\r\n')],
    ['a length that is no plain number', lines('GET /x HTTP/1.1', [HOST, CLOSE, 'Content-Length: 0004'], 'evil')],
    [
      'a form',
      lines(
        'GET /x HTTP/1.1',
        [HOST, CLOSE, 'Content-Type: application/x-www-form-urlencoded', 'Content-Length: 6'],
        'a=evil',
      ),
    ],
    [
      'a request inside',
      lines('GET /x HTTP/1.1', [HOST, CLOSE, 'Content-Length: 34'], 'GET /evil HTTP/1.1\r\nHost: evil\r\n\r\n'),
    ],
  ]),
)

poison('POISON-09', 'a header that the app reflects reaches no stored page', [
  ...cured(REFLECTED),
  ...attacks({ routes: { '/x': mirror(['cookie']) } }, [['a cookie, by default', get('/x', 'Cookie: evil=1')]]),
  ...attacks({ options: { cookies: 'ignore' }, routes: { '/x': mirror(['cookie']) } }, [
    ['a cookie, ignored', get('/x', 'Cookie: evil=1'), { gets: 'clean' }],
  ]),
  ...attacks({ options: { cookies: { bypass: ['sid'] } }, routes: { '/x': mirror(['cookie']) } }, [
    ['a cookie that is not named', get('/x', 'Cookie: evil=1'), { gets: 'clean' }],
    ['a cookie that is named', get('/x', 'Cookie: evil=1; sid=2')],
  ]),
  ...attacks({ options: { cookies: { key: ['theme'] } }, routes: { '/x': mirror(['cookie']) } }, [
    ['a cookie beside the keyed one', get('/x', 'Cookie: evil=1'), { gets: 'clean' }],
    ['another value of the keyed one', get('/x', 'Cookie: theme=evil')],
    ['the keyed one twice', get('/x', 'Cookie: theme=a; theme=evil'), { clean: get('/x', 'Cookie: theme=a') }],
    ['two lines', get('/x', 'Cookie: theme=a', 'Cookie: theme=evil'), { clean: get('/x', 'Cookie: theme=a') }],
  ]),
])
