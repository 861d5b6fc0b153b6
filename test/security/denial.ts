import { expect } from 'vitest'
import type { Description, Exchange } from '../support/app.ts'
import { cacheControl, type Fields, text } from '../support/reply.ts'
import { anyStore, scenario } from '../support/scenario.ts'
import { type Attack, attacks, expectHarmless, swr } from './attack.ts'
import { get, send } from './raw.ts'

// Denial by answers that would be everybody's (rows 42 to 45).

/** A page, unless a header makes the app answer with a status of the attacker's choice. */
const spoilable =
  (fields: Fields, of: Fields = fields) =>
  ({ headers }: Exchange) => {
    const status = Number.parseInt(String(headers['x-spoil'] ?? '200'), 10)
    return status === 200 ? text('the page', of) : text('spoilt', fields, status)
  }

const spoil = (status: number): string => get('/x', `X-Spoil: ${status}${'A'.repeat(9000)}`)
const REFUSALS = [400, 401, 403, 404, 405, 406, 408, 410, 411, 412, 413, 414, 415, 416, 417, 421, 426, 429, 431, 451]
const windows = { maxAge: 60, staleWhileRevalidate: 600, staleIfError: 600 }

function each(id: string, title: string, rows: readonly Attack[]): void {
  scenario(id, title, anyStore, async (stage) => {
    await expectHarmless(stage, rows)
  })
}

each(
  'DENIAL-01',
  'a refusal that a header has provoked is nobody else’s answer',
  // 404 would stand in for an expired page, and 5xx give way to one: what the attacker gets is not the point.
  attacks(
    { options: windows, routes: { '/x': spoilable({}) } },
    [...REFUSALS, 500, 503].map((status) => [`${status}`, spoil(status), { gets: 'any' }]),
  ),
)

const forAMoment: Description = {
  routes: { '/x': spoilable(cacheControl('max-age=3600, stale-if-error=3600'), swr) },
}

scenario(
  'DENIAL-02',
  'an error with a lifetime of its own is kept ten seconds at most, and by no refresh',
  anyStore,
  async (stage) => {
    const site = await stage.serve(forAMoment)
    await send(site, spoil(400))
    expect((await send(site, get('/x'))).status).toBe(400)
    stage.clock.advance(11)
    expect((await send(site, get('/x'))).text).toBe('the page')
    for (const seconds of [5, 6, 0]) {
      stage.clock.advance(seconds)
      await send(site, spoil(400))
      expect((await send(site, get('/x'))).text).toBe('the page')
    }
  },
)

const varied: Fields = { vary: 'X-Spoil' }

each('DENIAL-03', 'sealed, or with a Vary, it is kept for nobody', [
  ...attacks({ ...forAMoment, options: { sealed: true } }, [['sealed', spoil(400), { gets: 'clean' }]]),
  ...attacks({ routes: { '/x': spoilable({ ...cacheControl('max-age=3600'), ...varied }, { ...swr, ...varied }) } }, [
    ['Vary', get('/x', 'X-Spoil: 400')],
  ]),
])

const METACHARACTERS: [title: string, line: string][] = [
  ['BEL', 'X-Meta: a\x07b'],
  ['NUL', 'X-Meta: a\x00b'],
  ['DEL', 'X-Meta: a\x7fb'],
  ['a bare CR', 'X-Meta: a\rX-Evil: 1'],
  ['a bare LF', 'X-Meta: a\nX-Evil: 1'],
  ['a fold', 'X-Meta: a\r\n b'],
  ['a space before the colon', 'X-Meta : a'],
  ['no name', ': a'],
  ['more than Node takes', `X-Meta: ${'A'.repeat(20_000)}`],
  ['two lengths', 'Content-Length: 0\r\nContent-Length: 5'],
  ['a length and chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked'],
  ['a coding that nobody knows', 'Transfer-Encoding: evil'],
]

each(
  'DENIAL-04',
  'what no server can read leaves nothing behind',
  attacks(
    { routes: { '/x': text('the page', swr) } },
    METACHARACTERS.map(([title, line]) => [title, get('/x', line), { gets: 'any' }]),
  ),
)

const away: Fields = { location: 'https://evil.test/' }

each('DENIAL-05', 'an empty answer, a redirect or an error that was forced is nobody else’s', [
  ...attacks(
    { options: windows, routes: { '/x': spoilable(away, {}) } },
    [204, 304, 301, 302, 303, 307, 308, 500, 503].map((status) => [`${status}`, spoil(status), { gets: 'any' }]),
  ),
  // Never a page, whatever it says of itself.
  ...attacks(
    { routes: { '/x': spoilable({ ...swr, etag: '"v1"', 'content-range': 'bytes 0-1/2' }, swr) } },
    [206, 304].map((status) => [`${status} with a lifetime`, spoil(status), { gets: 'any' }]),
  ),
  ...attacks(
    { options: { sealed: true }, routes: { '/x': spoilable({ ...swr, ...away }, swr) } },
    [204, 302].map((status) => [`${status} with a lifetime, sealed`, spoil(status), { gets: 'clean' }]),
  ),
  ...attacks(
    { routes: { '/x': spoilable({ ...swr, ...away, ...varied }, { ...swr, ...varied }) } },
    [204, 302].map((status) => [`${status} with a lifetime, Vary`, get('/x', `X-Spoil: ${status}`)]),
  ),
])
