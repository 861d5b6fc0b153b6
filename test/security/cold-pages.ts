import fastifyEtag from '@fastify/etag'
import koaEtag from '@koa/etag'
import koaConditional from 'koa-conditional-get'
import { expect } from 'vitest'
import type { Description, Native } from '../support/app.ts'
import { empty, file, text } from '../support/reply.ts'
import { anyStore, scenario } from '../support/scenario.ts'
import { type Attack, attacks, expectHarmless, swr } from './attack.ts'
import { CLOSE, get, HOST, lines, send } from './raw.ts'

// Poison on a cold page: conditions, ranges and HEAD (rows 10 to 12 of the attacks), and what bypasses.

function poison(id: string, title: string, rows: readonly Attack[]): void {
  scenario(id, title, anyStore, async (stage) => {
    await expectHarmless(stage, rows)
  })
}

const validators: Native = {
  fastify: (app) => app.register(fastifyEtag),
  koa: (app) => app.use(koaConditional()).use(koaEtag()),
}
const CONDITIONS = [
  'If-None-Match: *',
  'If-None-Match: "v1"',
  'If-None-Match: W/"v1", "v1"',
  'If-Match: "no"',
  'If-Modified-Since: Fri, 31 Dec 2100 23:59:59 GMT',
  'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT',
  'If-Range: "v1"',
]
const conditional: Description[] = [
  { after: validators, routes: { '/x': text('the page', swr) } },
  { after: validators, routes: { '/x': text('the page', { ...swr, etag: '"v1"' }) } },
  { routes: { '/x': file('page.txt', swr) } },
]

poison(
  'POISON-10',
  'a condition leaves neither an empty page nor a refusal behind',
  conditional.flatMap((app, i) =>
    // A 304 of the cache has fields of its own; that it is right stands in the contract.
    attacks(
      app,
      CONDITIONS.map((line) => [`${i}: ${line}`, get('/x', line), { gets: 'any' }] as const),
    ),
  ),
)

poison(
  'POISON-11',
  'a range leaves no part behind',
  conditional.flatMap((app, i) =>
    attacks(
      app,
      ['bytes=0-1', 'bytes=-1', 'bytes=999999-', 'bytes=0-0,2-3'].map(
        (range) => [`${i}: ${range}`, get('/x', `Range: ${range}`), { gets: 'any' }] as const,
      ),
    ),
  ),
)

poison('POISON-12', 'a HEAD leaves no empty page behind', [
  ...attacks({ routes: { '/x': text('the page', swr) } }, [['text', lines('HEAD /x HTTP/1.1', [HOST, CLOSE])]]),
  // It answers what a page without a body looks like.
  ...attacks({ routes: { '*': ({ req }) => (req.method === 'HEAD' ? empty(200, swr) : text('the page', swr)) } }, [
    ['empty by its own doing', lines('HEAD /x HTTP/1.1', [HOST, CLOSE]), { gets: 'any' }],
  ]),
  ...attacks({ routes: { '/x': file('page.txt', swr) } }, [
    ['a file', lines('HEAD /x HTTP/1.1', [HOST, CLOSE]), { gets: 'any' }],
  ]),
])

const BYPASSES: [reason: string, bytes: string][] = [
  ['override', get('/x', 'X-Original-URL: /admin')],
  ['override', get('/x', 'X-HTTP-Method-Override: POST')],
  ['host', lines('GET /x HTTP/1.1', [HOST, HOST, CLOSE])],
  ['target', get('http://example.test/x')],
  ['body', lines('GET /x HTTP/1.1', [HOST, CLOSE, 'Content-Length: 1'], 'x')],
  ['condition', get('/x', 'If-Match: "v1"')],
  ['credential', get('/x', 'X-Api-Key: 1')],
  ['cookie', get('/x', 'Cookie: a=1')],
  ['upgrade', lines('GET /x HTTP/1.1', [HOST, 'Connection: close, upgrade', 'Upgrade: evil'])],
  ['url-length', get(`/${'x'.repeat(9000)}`)],
]

scenario(
  'POISON-16',
  'what could be another request than it seems keeps out of the cache, and is told so',
  anyStore,
  async ({ serve }) => {
    const site = await serve({ routes: { '*': ({ n }) => text(`render ${n}`, swr) } })
    for (const [i, [reason, bytes]] of BYPASSES.entries()) {
      const got = await send(site, bytes)
      expect(got, reason).toMatchObject({
        text: `render ${i + 1}`,
        cacheStatus: `cacheback; fwd=bypass; detail=${reason}`,
      })
    }
    expect(site.cache.stats().memory.entries).toBe(0)
  },
)
