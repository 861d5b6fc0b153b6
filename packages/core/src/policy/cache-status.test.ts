import { expect, test } from 'vitest'
import { type Handling, WARNINGS, cacheStatus } from './cache-status.ts'

test.each<[handling: Handling, member: string]>([
  [{ hit: true, ttl: 12 }, 'cacheback; hit; ttl=12'],
  [{ hit: true, ttl: -5 }, 'cacheback; hit; ttl=-5'],
  [{ fwd: 'uri-miss' }, 'cacheback; fwd=uri-miss'],
  [{ fwd: 'uri-miss', stored: true }, 'cacheback; fwd=uri-miss; stored'],
  [{ fwd: 'vary-miss', stored: false }, 'cacheback; fwd=vary-miss'],
  [{ fwd: 'uri-miss', stored: true, collapsed: true }, 'cacheback; fwd=uri-miss; stored; collapsed'],
  [{ fwd: 'bypass', detail: 'cookie' }, 'cacheback; fwd=bypass; detail=cookie'],
  [{ fwd: 'method' }, 'cacheback; fwd=method'],
  [
    { fwd: 'stale', fwdStatus: 503, detail: 'stale-if-error' },
    'cacheback; fwd=stale; fwd-status=503; detail=stale-if-error',
  ],
])('%j', (handling, member) => {
  expect(cacheStatus('cacheback', handling)).toBe(member)
})

test('the key is a string', () => {
  expect(cacheStatus('pages', { hit: true, ttl: 1 }, 'pages::a/x~1')).toBe('pages; hit; ttl=1; key="pages::a/x~1"')
  expect(cacheStatus('pages', { fwd: 'bypass', detail: 'x' }, 'k')).toBe('pages; fwd=bypass; key="k"; detail=x')
})

test('warnings are those of RFC 7234', () => {
  expect(Object.values(WARNINGS)).toEqual([
    '110 - "Response is Stale"',
    '111 - "Revalidation Failed"',
    '113 - "Heuristic Expiration"',
    '112 - "Disconnected Operation"',
  ])
})
