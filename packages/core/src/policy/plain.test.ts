import fc from 'fast-check'
import { expect, test } from 'vitest'
import { request } from '../../../../test/support/unit.ts'
import type { RouteOptions } from '../options.ts'
import { resolveRules } from '../settings.ts'
import { bypassReason } from './eligible.ts'
import { CONDITIONS } from './conditions.ts'
import { readCookies } from './cookies.ts'
import { readDemands } from './demands.ts'
import { keyOf, keyOfPlain, plainKey } from './key.ts'
import { tellingNames } from './plain.ts'
import { keyedQuery } from './query.ts'

const NAMES = [
  'Accept',
  'accept-encoding',
  'Accept-Language',
  'Authorization',
  'Cache-Control',
  'Connection',
  'Content-Length',
  'Cookie',
  'Forwarded',
  'If-Match',
  'If-Modified-Since',
  'If-None-Match',
  'If-Range',
  'If-Unmodified-Since',
  'Pragma',
  'Range',
  'Transfer-Encoding',
  'Upgrade',
  'User-Agent',
  'X-API-Key',
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'X-HTTP-Method-Override',
  'X-Original-URL',
  'X-Plan',
  '__proto__',
]
const OPTIONS: RouteOptions[] = [
  {},
  { credentials: ['X-Own-Token'] },
  { cookies: 'ignore', query: { ignore: ['utm'] } },
  { cookies: { key: ['plan'] }, query: ['a', 'b'] },
  { cookies: { bypass: ['sid'] }, query: false, requestCacheControl: true },
]

test('the key of a plain request is the key that every way gives it, and nothing keeps it from the cache', () => {
  const names = fc.uniqueArray(fc.constantFrom(...NAMES, 'X-Own-Token'), { maxLength: 6 })
  const target = fc.tuple(fc.constantFrom('/', '/a', '//b', '/%2e'), fc.constantFrom('', '?', '?a=1', '?b=2&a=1&utm=3'))
  let plain = 0
  fc.assert(
    fc.property(names, target, fc.constantFrom(...OPTIONS), (fields, [path, query], options) => {
      const rules = resolveRules([options])
      const telling = tellingNames(rules)
      if (fields.some((name) => telling.has(name.toLowerCase()))) return
      plain += 1
      const headers: Record<string, string> = { host: 'a.test' }
      for (const name of fields) headers[name.toLowerCase()] = '1'
      const asked = request(headers, { target: path + query })
      expect(bypassReason(asked, rules)).toBeUndefined()
      const keyed = keyedQuery(rules.query, query)
      const plainly = { full: plainKey('a.test', path, keyed), host: 'a.test', path, rawQuery: query, query: keyed }
      expect(keyOfPlain(plainly, rules, asked)).toEqual(keyOf(asked, rules))
      expect(readDemands(asked.headers) === undefined || !rules.requestCacheControl).toBe(true)
      expect(readCookies(rules.cookies, asked.headers.cookie).bypass).toBe(false)
      expect(CONDITIONS.some((name) => name in headers)).toBe(false)
      for (const name of ['authorization', 'range', 'if-range']) expect(name in headers).toBe(false)
    }),
    { numRuns: 2000 },
  )
  expect(plain).toBeGreaterThan(100)
})
