import { expect, test } from 'vitest'
import { request } from '../../../../test/support/unit.ts'
import { DEFAULT_CREDENTIALS, type RouteOptions } from '../options.ts'
import { resolveRules } from '../settings.ts'
import { bypassReason } from './eligible.ts'

type Lines = readonly string[]

interface Asked {
  readonly method?: string
  readonly target?: string
  readonly lines?: Lines
}

function reasonOf(
  { method = 'GET', target = '/x', lines = [] }: Asked,
  options: RouteOptions = {},
): string | undefined {
  const rawHeaders = ['Host', 'a.test', ...lines]
  const pairs = rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1]!]] : []))
  const headers = Object.fromEntries(pairs) as Record<string, string>
  return bypassReason(request(headers, { method, target, rawHeaders }), resolveRules([options]))
}

const field = (name: string, value = 'x'): Asked => ({ lines: [name, value] })

test.each<[asked: Asked, reason: string | undefined]>([
  [{}, undefined],
  [{ method: 'HEAD' }, undefined],
  ...['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY', 'PURGE', 'get', ''].map(
    (method): [Asked, string] => [{ method }, 'method'],
  ),

  [field('Content-Length', '0'), undefined],
  [field('Content-Length', '1'), 'body'],
  [field('Content-Length', '00'), 'body'],
  [field('Transfer-Encoding', 'chunked'), 'body'],

  [{ target: '/' }, undefined],
  [{ target: '//a.test/x' }, undefined],
  [{ target: '/p#x' }, undefined],
  [{ target: '/%2e%2e/x' }, undefined],
  [{ target: 'http://b.test/x' }, 'target'],
  [{ target: '*' }, 'target'],
  [{ target: '' }, 'target'],
  [{ target: `/${'x'.repeat(8191)}` }, undefined],
  [{ target: `/${'x'.repeat(8192)}` }, 'url-length'],

  [field('Host', 'b.test'), 'host'],
  [field('HOST', 'a.test'), 'host'],

  ...['X-Original-URL', 'X-Rewrite-URL', 'X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'].flatMap(
    (name): [Asked, string][] => [
      [field(name), 'override'],
      [field(name, ''), 'override'],
    ],
  ),
  ...DEFAULT_CREDENTIALS.map((name): [Asked, string] => [field(name), 'credential']),
  [field('X-API-Key', ''), 'credential'],
  // Not refused here: RFC 9111 §3.5 has rules for it.
  [field('Authorization'), undefined],
  [field('Cookie'), undefined],

  [field('Upgrade', 'websocket'), 'upgrade'],
  [field('If-Match', '"a"'), 'condition'],
  [field('If-Unmodified-Since', 'x'), 'condition'],
  [field('If-None-Match', '"a"'), undefined],
  [field('If-Modified-Since', 'x'), undefined],

  [field('Accept', 'text/event-stream'), 'event-stream'],
  [field('Accept', 'text/html, text/event-stream;q=0.5'), 'event-stream'],
  [field('Accept', 'Text/Event-Stream'), 'event-stream'],
  [field('Accept', '*/*'), undefined],

  // What a client may say of its own accord changes nothing.
  [field('Cache-Control', 'no-cache'), undefined],
  [field('Pragma', 'no-cache'), undefined],
  [field('X-Cacheback-Refresh', '1'), undefined],
])('%j: %s', (asked, reason) => {
  expect(reasonOf(asked)).toBe(reason)
})

test.each<[asked: Asked, reason: string | undefined]>([
  [{ method: 'QUERY' }, undefined],
  [{ method: 'QUERY', lines: ['Content-Length', '65536'] }, undefined],
  [{ method: 'QUERY', lines: ['Content-Length', '65537'] }, 'body'],
  [{ method: 'QUERY', lines: ['Content-Length', 'x'] }, 'body'],
  [{ method: 'QUERY', lines: ['Transfer-Encoding', 'chunked'] }, 'body'],
  [{ method: 'POST' }, 'method'],
  [{ lines: ['Content-Length', '1'] }, 'body'],
])('where QUERY is asked for, %j: %s', (asked, reason) => {
  expect(reasonOf(asked, { queryMethod: true })).toBe(reason)
})

test('the list of credentials is the option', () => {
  expect(reasonOf(field('X-Mine'), { credentials: ['X-Mine'] })).toBe('credential')
  expect(reasonOf(field('X-API-Key'), { credentials: ['X-Mine'] })).toBeUndefined()
})
