import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { PARTS, PLACE } from '../../../../test/support/unit.ts'
import { KeptHead } from './kept-head.ts'
import type { StoredHead } from './stored-parts.ts'

const { fields: _fields, body: _body, ...HEAD } = PARTS

const instant = fc.oneof(fc.integer({ min: 0, max: 2 ** 42 }), fc.double({ min: 0, max: 2 ** 42, noNaN: true }))
const later = fc.oneof(fc.integer({ min: 0, max: 2 ** 36 }), fc.constant(Infinity))
/** Few values of each, so that heads have much in common, and are yet not the same. */
const heads = fc.record({
  key: fc.string(),
  status: fc.constantFrom(200, 404),
  reason: fc.constantFrom(undefined, 'Fine'),
  isHeuristic: fc.boolean(),
  authorized: fc.boolean(),
  isWhole: fc.boolean(),
  isInner: fc.boolean(),
  hasOwnEtag: fc.boolean(),
  epoch: fc.nat(3),
  receivedAt: instant,
  keepMs: later,
  bornAt: fc.integer({ min: 0, max: 2 ** 42 }),
  freshMs: later,
  staleMs: later,
  errorMs: later,
  route: fc.constantFrom(undefined, '/a', '/b', ''),
  host: fc.constantFrom('a.test', 'b.test'),
  hosts: fc.constantFrom(['a.test'], ['b.test']),
  path: fc.constantFrom('/', '/x'),
  query: fc.constantFrom('', '?a=1'),
  queryRule: fc.constantFrom(true, false),
  search: fc.constantFrom(undefined, 'params'),
  tags: fc.constantFrom([], ['t']),
})

describe('a head as memory keeps it', () => {
  test('says what it was made of, whatever it shares with others', () => {
    fc.assert(
      fc.property(fc.array(heads, { maxLength: 20 }), (made) => {
        const given = made.map((one): StoredHead => {
          const { route, host, hosts, path, query, queryRule, search, tags, ...rest } = one
          const { bornAt, freshMs, staleMs, errorMs, keepMs, ...head } = rest
          const { receivedAt } = head
          return {
            ...head,
            selecting: [],
            keepUntil: Math.floor(receivedAt) + keepMs + (receivedAt % 1),
            place: { route, host, hosts, path, query, queryRule, search, tags },
            freshness: {
              bornAt,
              freshUntil: bornAt + freshMs,
              staleUntil: bornAt + freshMs + staleMs,
              errorUntil: bornAt + freshMs + errorMs,
            },
          }
        })
        const kept = given.map((head) => new KeptHead(head))
        for (const [index, head] of given.entries()) {
          const { keepUntil, ...whole } = kept[index]!.whole
          const { keepUntil: expected, ...rest } = head
          expect(whole).toEqual(rest)
          // To a thousandth of a millisecond.
          expect(keepUntil === expected || Math.abs(keepUntil - expected) < 0.001).toBe(true)
        }
      }),
    )
  })

  test('a window that is empty stays empty, also where times are no whole numbers', () => {
    const freshness = { bornAt: 0.1, freshUntil: 0.3, staleUntil: 0.3, errorUntil: 0.7 }
    const kept = new KeptHead({ ...HEAD, freshness })
    expect(kept.freshness.staleUntil).toBe(kept.freshness.freshUntil)
  })

  test('what the place says is its own', () => {
    const tags = ['a']
    const kept = new KeptHead({ ...HEAD, place: { ...PLACE, path: '/x', query: '?q', tags } })
    expect(kept.place).toMatchObject({ ...PLACE, path: '/x', query: '?q', tags })
  })
})
