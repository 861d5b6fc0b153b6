import { createServer } from 'node:http'
import { duplexPair } from 'node:stream'

import { describe, expect, test } from 'vitest'
import {
  type FieldLines,
  type RequestHead,
  isNamed,
  requestValue,
  unstoredFields,
  valueOf,
  valuesOf,
  withoutField,
} from './fields.ts'
import { request } from '../../../../test/support/unit.ts'
import { DEFAULT_OMIT } from '../options.ts'

test('a field has values, a combined value, or none', () => {
  const fields = ['Vary', 'a', 'ETag', '"x"', 'vary', 'b, c', 'X-Empty', '']
  expect(valuesOf(fields, 'vary')).toEqual(['a', 'b, c'])
  expect(valueOf(fields, 'vary')).toBe('a, b, c')
  expect(valueOf(fields, 'etag')).toBe('"x"')
  expect(valueOf(fields, 'x-empty')).toBe('')
  expect(valueOf(fields, 'x')).toBeUndefined()
  // Values are no names.
  expect(valueOf(['X', 'etag', 'Y', 'z'], 'etag')).toBeUndefined()
})

test('a field is left out, every line of it', () => {
  const fields = ['Vary', 'a', 'ETag', 'vary', 'vary', 'b', 'X', 'y']
  expect(withoutField(fields, 'vary')).toEqual(['ETag', 'vary', 'X', 'y'])
  expect(withoutField(fields, 'x-a')).toEqual(fields)
})

/** What Node's own parser makes of header lines. */
async function parsed(...lines: string[]): Promise<RequestHead> {
  const [client, server] = duplexPair()
  const { promise, resolve } = Promise.withResolvers<RequestHead>()
  createServer(({ headers, rawHeaders }, res) => {
    res.destroy()
    resolve(request({}, { headers, rawHeaders }))
  }).emit('connection', server)
  client.write(`GET / HTTP/1.1\r\n${['Host: a.test', ...lines].join('\r\n')}\r\n\r\n`)
  return promise
}

describe('requestValue', () => {
  test('tells absent from empty', async () => {
    const asked = await parsed('X-A:', 'X-B: b')
    expect(['x-a', 'x-b', 'x-c'].map((name) => requestValue(asked, name))).toEqual(['', 'b', null])
  })

  test('takes nothing from the prototype', async () => {
    const asked = await parsed()
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
    expect(names.map((name) => requestValue(asked, name))).toEqual([null, null, null, null])
    expect(requestValue(await parsed('Constructor: a'), 'constructor')).toBe('a')
  })

  // Of some of these Node keeps the first line alone, of one (`__proto__`) none.
  test.each([
    ...'accept accept-encoding accept-language origin dnt x-anything x-forwarded-host forwarded'.split(' '),
    ...'user-agent referer from content-type max-forwards age etag expires'.split(' '),
    ...'server location retry-after last-modified if-modified-since __proto__'.split(' '),
  ])('reads every line of %s', async (name) => {
    expect(requestValue(await parsed(`${name}: a`, `X: y`, `${name}: b`), name)).toBe('a, b')
  })
})

const UNSTORED = [
  ...'connection keep-alive proxy-authenticate proxy-authentication-info proxy-connection te trailer'.split(' '),
  ...'transfer-encoding upgrade content-length age'.split(' '),
  ...'x-request-id x-response-time server-timing traceparent x-ratelimit-limit ratelimit ratelimit-policy'.split(' '),
]

const STORED = [
  ...'content-type etag date vary cache-control x-ratelimit ratelimits x-request-id-2'.split(' '),
  // What caches before the app have said goes on being true (RFC 9211 §2).
  'cache-status',
]

describe('unstoredFields', () => {
  test.each<[fields: FieldLines, name: string, isUnstored: boolean]>([
    ...UNSTORED.map((name): [FieldLines, string, true] => [[], name, true]),
    ...STORED.map((name): [FieldLines, string, false] => [[], name, false]),
    [['Connection', 'close, X-Secret'], 'x-secret', true],
    [['Connection', 'close', 'connection', 'x-a ,X-B'], 'x-b', true],
    [['Connection', 'close'], 'x-secret', false],
    // What rules over storing cannot be named away.
    [['Connection', 'cache-control, set-cookie, vary'], 'cache-control', false],
    [['Connection', 'cache-control, set-cookie, vary'], 'set-cookie', false],
    [['Connection', 'cache-control, set-cookie, vary'], 'vary', false],
  ])('with %j: %s, %s', (fields, name, isUnstored) => {
    expect(unstoredFields(fields, DEFAULT_OMIT)(name)).toBe(isUnstored)
  })
})

test('a name is known however it is spelled, and by nothing that only looks like it in the small letters of its code', () => {
  for (const spelled of ['x-a_b', 'X-A_B', 'X-a_B']) expect(isNamed(spelled, 'x-a_b')).toBe(true)
  for (const other of ['x-a', 'x-a_bc', 'x-a?b', '8-a_b', 'x\u000da_b', 'x-a\u007fb', 'x-a_\u0002']) {
    expect(isNamed(other, 'x-a_b')).toBe(false)
  }
})
