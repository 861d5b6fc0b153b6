import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Place, ReadSelector } from '../policy/selector.ts'
import { type Mark, PurgeMarks } from './purge-marks.ts'
import { type StoredParts, StoredResponse } from './stored-response.ts'

const PLACE: Place = {
  host: '',
  hosts: [],
  path: '/',
  query: '',
  queryRule: true,
  search: undefined,
  route: undefined,
  tags: [],
}
const TIMES = { bornAt: 0, freshUntil: 0, staleUntil: 0, errorUntil: 0 }
const PARTS: Omit<StoredParts, 'place' | 'epoch'> = {
  key: 'k',
  selecting: [],
  status: 200,
  reason: undefined,
  fields: [],
  body: Buffer.alloc(0),
  freshness: TIMES,
  receivedAt: 0,
  authorized: false,
  keepUntil: 0,
  isHeuristic: false,
  hasOwnEtag: false,
}

const tag = (name: string): ReadSelector => ({ kind: 'tag', name })
const mark = (number: number, name: string, soft = false): Mark => ({ number, soft, selector: tag(name) })
const place = (...tags: string[]): Place => ({ ...PLACE, tags })
const rendered = (epoch: number, ...tags: string[]): StoredResponse =>
  new StoredResponse({ ...PARTS, place: place(...tags), epoch }, 1)

function make(...known: Mark[]): PurgeMarks {
  const marks = new PurgeMarks()
  marks.merge(known)
  return marks
}

describe('the number of a purge', () => {
  test('is its time, and above all before it', () => {
    const marks = new PurgeMarks()
    expect(marks.latest).toBe(0)
    const numbers = [1000, 1000, 500, 2000].map((now) => marks.add(tag('a'), false, now).number)
    expect(numbers).toEqual([1000, 1001, 1002, 2000])
    expect(marks.latest).toBe(2000)
  })

  test('is above those of other processes, whatever their clocks say', () => {
    const marks = make(mark(9000, 'a'))
    expect([marks.latest, marks.add(tag('b'), false, 1000).number]).toEqual([9000, 9001])
  })
})

describe('what was rendered at an epoch', () => {
  const marks = [mark(10, 'a'), mark(20, 'b', true), mark(30, 'a', true), mark(40, 'c')]

  test.each<[epoch: number, name: string, verdict: 'removed' | 'stale' | undefined]>([
    [0, 'a', 'removed'],
    [9, 'a', 'removed'],
    // The newest purge known when the render began does not concern it.
    [10, 'a', 'stale'],
    [29, 'a', 'stale'],
    [30, 'a', undefined],
    [0, 'b', 'stale'],
    [20, 'b', undefined],
    [39, 'c', 'removed'],
    [40, 'c', undefined],
    [0, 'd', undefined],
  ])('%d, with tag %s: %s', (epoch, name, verdict) => {
    expect(make(...marks).verdict(place(name), epoch)).toBe(verdict)
  })

  test('a hard purge outdoes a soft one, before or after it', () => {
    expect(make(mark(1, 'a'), mark(2, 'a', true)).verdict(place('a'), 0)).toBe('removed')
    expect(make(mark(1, 'a', true), mark(2, 'a')).verdict(place('a'), 0)).toBe('removed')
  })
})

describe('a stored response', () => {
  test('is fenced by a purge during its render, and lives when it was begun after it, in the same millisecond', () => {
    const marks = new PurgeMarks()
    const before = marks.latest
    marks.add(tag('a'), false, 1000)
    expect(marks.admits(rendered(before, 'a'))).toBe(false)
    expect(marks.admits(rendered(marks.latest, 'a'))).toBe(true)
    marks.add(tag('a'), false, 1000)
    expect(marks.admits(rendered(1000, 'a'))).toBe(false)
  })

  test('becomes stale by a soft purge and stays so', () => {
    const marks = new PurgeMarks()
    const response = rendered(0, 'a')
    expect([marks.admits(response), response.expiredByPurge]).toEqual([true, false])
    marks.add(tag('a'), true, 1000)
    expect([marks.admits(response), response.expiredByPurge]).toEqual([true, true])
    marks.add(tag('b'), true, 2000)
    expect([marks.admits(response), response.expiredByPurge]).toEqual([true, true])
    marks.add(tag('a'), false, 3000)
    expect(marks.admits(response)).toBe(false)
  })

  test('is taken by every purge that comes, one after the other', () => {
    const marks = new PurgeMarks()
    const response = rendered(0, 'x')
    for (const name of ['a', 'b', 'c']) {
      marks.add(tag(name), false, 1000)
      expect(marks.admits(response)).toBe(true)
    }
    marks.add(tag('x'), false, 1000)
    expect([marks.admits(response), marks.admits(response)]).toEqual([false, false])
  })

  // Another process has purged a moment before this one, which hears of it a moment later.
  test.each([999, 1000])('is taken by a purge that is heard of late (number %d)', (number) => {
    const marks = new PurgeMarks()
    const [taken, other] = [rendered(0, 'x'), rendered(0, 'y')]
    marks.add(tag('a'), false, 1000)
    expect([marks.admits(taken), marks.admits(other)]).toEqual([true, true])
    marks.merge([mark(number, 'x')])
    expect([marks.admits(taken), marks.admits(other)]).toEqual([false, true])
  })
})

describe('marks of several processes', () => {
  test('are kept in order, and the newest of the same alone', () => {
    const marks = make(mark(30, 'c'), mark(10, 'a'))
    marks.merge([mark(20, 'b'), mark(40, 'a')])
    expect(marks.all).toEqual([mark(20, 'b'), mark(30, 'c'), mark(40, 'a')])
    // Soft and hard are not the same.
    marks.merge([mark(50, 'a', true)])
    expect(marks.all).toHaveLength(4)
  })

  const anyMark = fc
    .tuple(fc.nat({ max: 50 }), fc.constantFrom('a', 'b', 'c', 'd'), fc.boolean())
    .map(([number, name, soft]) => mark(number, name, soft))
  const some = fc.uniqueArray(anyMark, { maxLength: 20, selector: ({ number }) => number })

  test('come to the same, in whatever order and however often they are heard of', () => {
    fc.assert(
      fc.property(some, fc.nat({ max: 20 }), (all, cut) => {
        const once = make(...all)
        const parts = make(...all.slice(cut))
        parts.merge(all.slice(0, cut + 2))
        parts.merge(all)
        expect(parts.all).toEqual(once.all)
        expect(parts.latest).toBe(once.latest)
      }),
    )
  })

  test('mean what each of them meant alone', () => {
    const harder = { removed: 2, stale: 1, none: 0 } as const
    fc.assert(
      fc.property(some, fc.nat({ max: 50 }), fc.constantFrom('a', 'b'), (all, epoch, name) => {
        const alone = all.map((one) => make(one).verdict(place(name), epoch) ?? 'none')
        const worst = alone.toSorted((a, b) => harder[b] - harder[a])[0] ?? 'none'
        expect(make(...all).verdict(place(name), epoch) ?? 'none').toBe(worst)
      }),
    )
  })
})

describe('over a thousand marks', () => {
  test('become one of all, which takes what came before and not what comes after', () => {
    const marks = new PurgeMarks()
    for (let i = 1; i <= 1000; i += 1) marks.add(tag(`t${i}`), true, i)
    expect(marks.all).toHaveLength(1000)
    expect(marks.verdict(place('x'), 0)).toBeUndefined()
    marks.add(tag('one more'), true, 1001)
    expect(marks.all).toEqual([{ number: 1001, soft: false, selector: { kind: 'all' } }])
    expect([marks.admits(rendered(1000, 'x')), marks.admits(rendered(1001, 'x'))]).toEqual([false, true])
    marks.add(tag('x'), false, 5)
    expect([marks.latest, marks.admits(rendered(1001, 'x')), marks.admits(rendered(1001, 'y'))]).toEqual([
      1002,
      false,
      true,
    ])
  })

  test('of the same are one', () => {
    const marks = new PurgeMarks()
    for (let i = 1; i <= 5000; i += 1) marks.add(tag('a'), false, i)
    expect(marks.all).toEqual([mark(5000, 'a')])
  })
})
