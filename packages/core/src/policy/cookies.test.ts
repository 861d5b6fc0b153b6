import { expect, test } from 'vitest'
import type { CookieRule } from '../options.ts'
import { readCookies } from './cookies.ts'

const bypass: CookieRule = { bypass: ['sid'] }
const key: CookieRule = { key: ['theme', 'lang'] }

test.each<[rule: CookieRule, header: string | undefined, bypass: boolean, keyed: string, hides: boolean]>([
  ['bypass', undefined, false, '', false],
  ['bypass', '', true, '', true],
  ['bypass', 'a=1', true, '', true],

  ['ignore', undefined, false, '', false],
  ['ignore', 'a=1', false, '', true],

  [bypass, undefined, false, '', false],
  [bypass, 'a=1', false, '', true],
  [bypass, 'sid=1', true, '', true],
  [bypass, 'a=1; sid=1', true, '', true],
  [bypass, 'a=1;sid=1', true, '', true],
  [bypass, 'sid', true, '', true],
  [bypass, ' sid =1', true, '', true],
  [bypass, 'SID=1; xsid=1; sidx=1; a=sid', false, '', true],

  [key, undefined, false, '', false],
  [key, 'a=1', false, '', true],
  [key, 'lang=de', false, 'lang=de', false],
  [key, 'lang=de; theme=dark', false, 'lang=de; theme=dark', false],
  // Another order is the same key, and so the handler sees the key's.
  [key, 'theme=dark; lang=de', false, 'lang=de; theme=dark', true],
  [key, 'lang=de; a=1', false, 'lang=de', true],
  [key, 'lang=de;theme=dark', false, 'lang=de; theme=dark', true],
  [key, 'lang=', false, 'lang=', false],
  [key, 'lang', false, 'lang', false],
  [key, 'lang=a=b', false, 'lang=a=b', false],
  // Of two a handler may take the first or the last: both are keyed, in their order.
  [key, 'lang=de; lang=en', false, 'lang=de; lang=en', false],
  [key, 'lang=en; lang=de', false, 'lang=en; lang=de', false],
  [key, 'Lang=de; %6cang=de', false, '', true],
  // An empty Cookie is not the same as none, so it is hidden.
  [key, '', false, '', true],
  [{ key: ['lang', 'lang'] }, 'lang=de', false, 'lang=de', false],
])('%j of %j', (rule, header, bypasses, keyed, hides) => {
  expect(readCookies(rule, header)).toEqual({ bypass: bypasses, keyed, hides })
})
