import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PARTS, PLACE } from '../../../../test/support/unit.ts'
import { decodePurges, encodePurges } from '../stores/frame.ts'
import type { Freshness } from '../policy/freshness.ts'
import type { Place, ReadSelector } from '../policy/selector.ts'
import { type Mark, PurgeMarks } from './purge-marks.ts'
import { StoredResponse } from './stored-response.ts'

/** After all marks but those of a fast clock. */
const NOW = 1_000_000
type Verdict = ReturnType<PurgeMarks['verdict']>

const url = (path: string): ReadSelector => ({ kind: 'url', host: 'a.test', path })
const tag = (name: string): ReadSelector => ({ kind: 'tag', name })
const mark = (number: number, name: string, soft = false): Mark => ({ number, soft, selector: tag(name) })
const of = (selector: ReadSelector, number: number, soft = false): Mark => ({ number, soft, selector })
const at = (path: string, query = ''): Place => ({ ...PLACE, path, query })
const longPath = (i: number): string => `/${'x'.repeat(10_000)}${i}`
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

  test.each<[epoch: number, name: string, verdict: Verdict]>([
    [0, 'a', 'removed'],
    [9, 'a', 'removed'],
    // The newest purge known when the render began does not concern it.
    [10, 'a', 30],
    [29, 'a', 30],
    [30, 'a', undefined],
    [0, 'b', 20],
    [20, 'b', undefined],
    [39, 'c', 'removed'],
    [40, 'c', undefined],
    [0, 'd', undefined],
  ])('%d, with tag %s: %s', (epoch, name, verdict) => {
    expect(make(...marks).verdict(place(name), epoch)).toBe(verdict)
  })

  // It has been stale since then, however often it has been purged again.
  test('of several soft purges the oldest counts, of those that it does not know', () => {
    const several = make(mark(10, 'a', true), mark(20, 'b', true), mark(30, 'c', true))
    const verdicts = [0, 9, 10, 19, 20, 30].map((epoch) => several.verdict(place('a', 'b', 'c'), epoch))
    expect(verdicts).toEqual([10, 10, 20, 20, 30, undefined])
    expect(several.verdict(place('c', 'b'), 0)).toBe(20)
  })

  test('a hard purge outdoes a soft one, before or after it', () => {
    expect(make(mark(1, 'a'), mark(2, 'a', true)).verdict(place('a'), 0)).toBe('removed')
    expect(make(mark(1, 'a', true), mark(2, 'a')).verdict(place('a'), 0)).toBe('removed')
  })
})

/** The times after a look at this moment; undefined where it may not be used. */
const after = (marks: PurgeMarks, response: StoredResponse, now: number): Freshness | undefined =>
  marks.admits(response, now) ? response.freshness : undefined

describe('a stored response', () => {
  test('is fenced by a purge during its render, and lives when it was begun after it, in the same millisecond', () => {
    const marks = new PurgeMarks()
    const before = marks.latest
    marks.add(tag('a'), false, 1000)
    expect(marks.admits(rendered(before, 'a'), NOW)).toBe(false)
    expect(marks.admits(rendered(marks.latest, 'a'), NOW)).toBe(true)
    marks.add(tag('a'), false, 1000)
    expect(marks.admits(rendered(1000, 'a'), NOW)).toBe(false)
  })

  /** Fresh for 10 s, stale for 5 more, in place of an error for 20 more. */
  const TIMES: Freshness = { bornAt: 0, freshUntil: 10_000, staleUntil: 15_000, errorUntil: 30_000 }
  const lasting = (...tags: string[]): StoredResponse =>
    new StoredResponse({ ...PARTS, freshness: TIMES, place: place(...tags) }, 1)

  test('becomes stale by a soft purge, when that was, and stays so', () => {
    const marks = new PurgeMarks()
    const response = lasting('a')
    expect(after(marks, response, 500)).toMatchObject(TIMES)
    marks.add(tag('a'), true, 1000)
    const ended = { bornAt: 0, freshUntil: 1000, staleUntil: 6000, errorUntil: 21_000 }
    expect(after(marks, response, 4000)).toEqual(ended)
    marks.add(tag('b'), true, 2000)
    expect(after(marks, response, 4000)).toEqual(ended)
    // Neither does another one lengthen its windows.
    marks.add(tag('a'), true, 3000)
    expect(after(marks, response, 4000)).toEqual(ended)
    marks.add(tag('a'), false, 3001)
    expect(after(marks, response, 4000)).toBeUndefined()
  })

  test('is not stale by a purge that it was rendered after', () => {
    const marks = make(mark(1000, 'a', true))
    const response = new StoredResponse({ ...PARTS, freshness: TIMES, place: place('a'), epoch: 1000 }, 1)
    expect(after(marks, response, 2000)).toMatchObject(TIMES)
  })

  test('is stale from an earlier moment by an earlier purge that is heard of later', () => {
    const marks = make(mark(2000, 'a', true))
    const response = lasting('a', 'b')
    expect(after(marks, response, 2000)?.freshUntil).toBe(2000)
    marks.merge([mark(1500, 'b', true)])
    expect(after(marks, response, 2000)).toEqual({
      bornAt: 0,
      freshUntil: 1500,
      staleUntil: 6500,
      errorUntil: 21_500,
    })
  })

  // The clock of the process that has purged is ahead, or several purges came in the same millisecond.
  test('is stale from now on by a purge of the future', () => {
    const marks = make(mark(9000, 'a', true))
    const response = lasting('a')
    expect(after(marks, response, 2000)?.freshUntil).toBe(2000)
    marks.merge([mark(9500, 'b')])
    expect(after(marks, response, 3000)?.freshUntil).toBe(2000)
  })

  test('is taken by every purge that comes, one after the other', () => {
    const marks = new PurgeMarks()
    const response = rendered(0, 'x')
    for (const name of ['a', 'b', 'c']) {
      marks.add(tag(name), false, 1000)
      expect(marks.admits(response, NOW)).toBe(true)
    }
    marks.add(tag('x'), false, 1000)
    expect([marks.admits(response, NOW), marks.admits(response, NOW)]).toEqual([false, false])
  })

  // Another process has purged a moment before this one, which hears of it a moment later.
  test.each([999, 1000])('is taken by a purge that is heard of late (number %d)', (number) => {
    const marks = new PurgeMarks()
    const [taken, other] = [rendered(0, 'x'), rendered(0, 'y')]
    marks.add(tag('a'), false, 1000)
    expect([marks.admits(taken, NOW), marks.admits(other, NOW)]).toEqual([true, true])
    marks.merge([mark(number, 'x')])
    expect([marks.admits(taken, NOW), marks.admits(other, NOW)]).toEqual([false, true])
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
    const names = fc.subarray(['a', 'b', 'c'])
    fc.assert(
      fc.property(some, fc.nat({ max: 50 }), names, (all, epoch, tags) => {
        const alone = all.map((one) => ({ ...one, verdict: make(one).verdict(place(...tags), epoch) }))
        const soft = alone.filter(({ verdict }) => typeof verdict === 'number')
        // Of the same selector the newest alone is known, of several the oldest counts.
        const newest = Object.values(Object.groupBy(soft, ({ selector }) => JSON.stringify(selector))).map((same) =>
          Math.max(...same!.map(({ number }) => number)),
        )
        const worst: Verdict = newest.length === 0 ? undefined : Math.min(...newest)
        const isRemoved = alone.some(({ verdict }) => verdict === 'removed')
        expect(make(...all).verdict(place(...tags), epoch)).toBe(isRemoved ? 'removed' : worst)
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
    expect([marks.admits(rendered(1000, 'x'), NOW), marks.admits(rendered(1001, 'x'), NOW)]).toEqual([false, true])
    marks.add(tag('x'), false, 5)
    expect([marks.latest, marks.admits(rendered(1001, 'x'), NOW), marks.admits(rendered(1001, 'y'), NOW)]).toEqual([
      1002,
      false,
      true,
    ])
  })

  test('become one of all also where their selectors are long', () => {
    const long = 'x'.repeat(10_000)
    const marks = new PurgeMarks()
    for (let i = 1; i <= 52; i += 1) marks.add(tag(`${long}${i}`), false, i)
    expect(marks.all).toHaveLength(52)
    marks.add(tag(`${long}53`), false, 53)
    expect(marks.all).toEqual([{ number: 53, soft: false, selector: { kind: 'all' } }])
  })

  test('of the same are one', () => {
    const marks = new PurgeMarks()
    for (let i = 1; i <= 5000; i += 1) marks.add(tag('a'), false, i)
    expect(marks.all).toEqual([mark(5000, 'a')])
  })
})

describe('invalidations by unsafe requests', () => {
  test('over five hundred lose the oldest, and never become one of all', () => {
    const marks = new PurgeMarks()
    for (let i = 1; i <= 1200; i += 1) {
      marks.add(url(`/?x=${i}`), false, i, true)
      expect(marks.all).toHaveLength(Math.min(i, 500))
    }
    expect(marks.all[0]).toEqual({ number: 701, soft: false, selector: url('/?x=701'), unsafe: true })
    expect(marks.latest).toBe(1200)
    const verdicts = ['?x=700', '?x=701', '?x=1200', ''].map((query) => marks.verdict(at('/', query), 0))
    expect(verdicts).toEqual([undefined, 'removed', 'removed', undefined])
  })

  test('lose the oldest also where their URLs are long', () => {
    const marks = new PurgeMarks()
    for (let i = 1; i <= 40; i += 1) marks.add(url(longPath(i)), false, i, true)
    expect(marks.all.map(({ number }) => number)).toEqual(Array.from({ length: 13 }, (_, i) => 28 + i))
    expect([marks.verdict(at(longPath(27)), 0), marks.verdict(at(longPath(28)), 0)]).toEqual([undefined, 'removed'])
  })

  test('push out no purge of the application', () => {
    const marks = new PurgeMarks()
    for (let i = 1; i <= 1000; i += 1) marks.add(tag(`t${i}`), false, i)
    for (let i = 1; i <= 600; i += 1) marks.add(url(`/${i}`), false, 1000 + i, true)
    expect(marks.all).toHaveLength(1500)
    expect(marks.verdict(place('t1'), 0)).toBe('removed')
    expect(marks.verdict(place('x'), 0)).toBeUndefined()
  })

  test('are bounded the same when they come from other processes', () => {
    const known = new PurgeMarks()
    for (let i = 1; i <= 500; i += 1) known.add(url(`/${i}`), false, i, true)
    const marks = new PurgeMarks()
    for (let i = 1; i <= 500; i += 1) marks.add(url(`/more/${i}`), false, 1000 + i, true)
    marks.merge(known.all)
    expect(marks.all.map(({ number }) => number)).toEqual(Array.from({ length: 500 }, (_, i) => 1001 + i))
  })
})

describe('marks of a single URL', () => {
  test('count for that path and query alone', () => {
    const marks = make(of(url('/a'), 1), of(url('/a?x=1'), 2, true), of(url('/b?x=1'), 3))
    const looked: [path: string, query: string, verdict: Verdict][] = [
      ['/a', '', 'removed'],
      ['/a', '?x=1', 2],
      ['/a', '?x=2', undefined],
      ['/b', '', undefined],
      ['/b', '?x=1', 'removed'],
      ['/', '', undefined],
    ]
    const verdicts = looked.map(([path, query]) => [path, query, marks.verdict(at(path, query), 0)])
    expect(verdicts).toEqual(looked)
  })

  test('count beside all the others, before or after them', () => {
    const both = { ...place('t'), path: '/a' }
    expect(make(of(url('/a'), 1, true), of(tag('t'), 2)).verdict(both, 0)).toBe('removed')
    expect(make(of(tag('t'), 1, true), of(url('/a'), 2)).verdict(both, 0)).toBe('removed')
    expect(make(of(url('/a'), 1), of(tag('t'), 2, true)).verdict(both, 0)).toBe('removed')
    const soft = make(
      of(url('/a'), 3, true),
      of(tag('t'), 5, true),
      of({ kind: 'prefix', host: undefined, path: '/' }, 7),
    )
    expect([0, 7].map((epoch) => soft.verdict(both, epoch))).toEqual(['removed', undefined])
    const two = make(of(url('/a'), 3, true), of(tag('t'), 5, true))
    expect([0, 3, 5].map((epoch) => two.verdict(both, epoch))).toEqual([3, 5, undefined])
  })
})

describe('marks that come in', () => {
  test('are returned where they were not known, and nobody is looked at again where all were', () => {
    const marks = make(mark(10, 'a'), mark(20, 'b'))
    const response = rendered(0, 'x')
    const checked = (): number => {
      expect(marks.admits(response, NOW)).toBe(true)
      return response.checkedAgainst
    }
    const before = checked()
    expect(marks.merge([])).toEqual([])
    expect(marks.merge([mark(10, 'a'), mark(20, 'b')])).toEqual([])
    // An older one of the same says nothing new.
    expect(marks.merge([mark(5, 'a')])).toEqual([])
    expect(checked()).toBe(before)
    expect(marks.merge([mark(10, 'a'), mark(15, 'c'), mark(30, 'b')])).toEqual([mark(15, 'c'), mark(30, 'b')])
    const raised = checked()
    expect(raised).not.toBe(before)
    expect(marks.merge(marks.all)).toEqual([])
    expect(checked()).toBe(raised)
    marks.add(tag('a'), false, 40)
    expect(checked()).not.toBe(raised)
  })
})

test.each<[title: string, unsafe: boolean]>([
  ['purges', false],
  ['invalidations by unsafe requests', true],
])('the record of many %s with long names in any script can be read again', (_, unsafe) => {
  const marks = new PurgeMarks()
  for (let i = 0; i < 1000; i += 1) marks.add(tag(`${'記事'.repeat(200)}${i}`), false, NOW, unsafe)
  const frame = encodePurges(marks.all)
  expect(frame.length).toBeLessThan(1024 * 1024)
  expect(decodePurges(frame)).toEqual(marks.all)
  expect(marks.all.length).toBeGreaterThan(0)
})
