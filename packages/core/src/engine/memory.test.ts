import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PARTS, PLACE, request } from '../../../../test/support/unit.ts'
import type { Selecting } from '../policy/vary.ts'
import { Memory } from './memory.ts'
import { StoredResponse } from './stored-response.ts'

const stored = (order: number, selecting: Selecting = [], key = 'k', bytes = 0): StoredResponse =>
  new StoredResponse({ ...PARTS, key, selecting, body: Buffer.alloc(bytes) }, order)

function make(maxBytes = 1024 * 1024) {
  const evicted: string[] = []
  const memory = new Memory(maxBytes, ({ parts }) => evicted.push(parts.key))
  const orders = (key = 'k'): number[] => memory.variants(key).map(({ order }) => order)
  return { memory, evicted, orders }
}

test('finds by key and selecting headers, absent ones included', () => {
  const { memory } = make()
  memory.put(stored(1, ['a', 'x']))
  memory.put(stored(2, ['a', '']))
  memory.put(stored(3, ['a', null]))
  const found = [{ a: 'x' }, { a: '' }, {}, { a: 'y' }].map((headers) => memory.find('k', request(headers))?.order)
  expect(found).toEqual([1, 2, 3, undefined])
  expect(memory.find('other', request())).toBeUndefined()
})

describe('an older render never replaces a newer one', () => {
  test.each<[title: string, newer: Selecting, older: Selecting]>([
    ['the same variant', ['a', 'x'], ['a', 'x']],
    ['both without Vary', [], []],
    ['without Vary after one with', ['a', 'x'], []],
    ['with Vary after one without', [], ['a', 'x']],
  ])('%s', (_, newer, older) => {
    const { memory } = make()
    memory.put(stored(2, newer))
    expect(memory.put(stored(1, older))).toBe(false)
    expect(memory.find('k', request({ a: 'x' }))?.order).toBe(2)
  })

  test('nor comes before it where both fit', () => {
    const { memory, orders } = make()
    memory.put(stored(2, ['a', 'x']))
    memory.put(stored(1, ['b', 'y']))
    expect(memory.find('k', request({ a: 'x', b: 'y' }))?.order).toBe(2)
    expect(orders()).toEqual([2, 1])
  })
})

describe('a newer response', () => {
  test.each<[title: string, before: Selecting[], then: Selecting, orders: number[]]>([
    ['replaces the same variant', [['a', 'x']], ['a', 'x'], [9]],
    [
      'stands beside other variants',
      [
        ['a', 'x'],
        ['a', 'y'],
      ],
      ['a', 'z'],
      [9, 1, 0],
    ],
    ['stands beside variants by other headers', [['a', 'x']], ['b', 'x'], [9, 0]],
    [
      'without Vary replaces all',
      [
        ['a', 'x'],
        ['a', 'y'],
        ['b', 'z'],
      ],
      [],
      [9],
    ],
    ['with Vary replaces one without', [[]], ['a', 'x'], [9]],
  ])('%s', (_, before, then, orders) => {
    const { memory, orders: held } = make()
    before.forEach((selecting, i) => memory.put(stored(i, selecting)))
    expect(memory.put(stored(9, then))).toBe(true)
    expect(held()).toEqual(orders)
    expect(memory.entries).toBe(orders.length)
  })
})

test('32 variants of a URL are kept, the youngest', () => {
  const { memory, orders } = make()
  for (let i = 0; i < 72; i += 1) memory.put(stored(i, ['a', String(i)]))
  expect(orders()).toEqual(Array.from({ length: 32 }, (_, i) => 71 - i))
  expect(memory.entries).toBe(32)
  expect(memory.bytes).toBe([...memory.all()].reduce((sum, { size }) => sum + size, 0))
})

describe('the bound in bytes', () => {
  test('the least recently used goes first, and is told', () => {
    const { memory, evicted } = make(stored(0, [], 'a').size * 3)
    for (const key of ['a', 'b', 'c']) memory.put(stored(1, [], key))
    memory.find('a', request())
    memory.put(stored(2, [], 'd'))
    expect(evicted).toEqual(['b'])
    expect(['a', 'b', 'c', 'd'].map((key) => memory.variants(key).length)).toEqual([1, 0, 1, 1])
  })

  test('looking through all of it is no use', () => {
    const { memory, evicted } = make(stored(0, [], 'a').size * 2)
    memory.put(stored(1, [], 'a'))
    memory.put(stored(1, [], 'b'))
    expect([...memory.all()].map(({ parts }) => parts.key).toSorted()).toEqual(['a', 'b'])
    memory.put(stored(1, [], 'c'))
    expect(evicted).toEqual(['a'])
  })

  test('what is too big for it is not kept, and neither is what it has replaced', () => {
    const { memory } = make(2000)
    memory.put(stored(1))
    memory.put(stored(2, [], 'k', 2000))
    expect([memory.variants('k'), memory.bytes, memory.entries]).toEqual([[], 0, 0])
  })

  test('a URL with many big variants keeps the youngest of them', () => {
    const { memory, orders } = make(6000)
    for (let i = 0; i < 10; i += 1) memory.put(stored(i, ['a', String(i)], 'k', 1000))
    expect(orders()).toEqual([9, 8, 7])
  })

  test('holds, and the counts are right, whatever comes', () => {
    const put = fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      selecting: fc.constantFrom<Selecting[]>([], ['x', '1'], ['x', '2'], ['y', '1'], ['x', null]),
      bytes: fc.nat({ max: 6000 }),
      order: fc.nat({ max: 20 }),
      remove: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(put, { maxLength: 60 }), (puts) => {
        const { memory } = make(10_000)
        for (const { key, selecting, bytes, order, remove } of puts) {
          const response = stored(order, selecting, key, bytes)
          memory.put(response)
          if (remove) memory.remove(response)
          const held = [...memory.all()]
          expect(memory.bytes).toBe(held.reduce((sum, { size }) => sum + size, 0))
          expect(memory.bytes).toBeLessThanOrEqual(10_000)
          expect(memory.entries).toBe(held.length)
          expect(memory.holdsPath('/')).toBe(held.length > 0)
        }
      }),
    )
  })

  test('0: nothing is kept', () => {
    const { memory } = make(0)
    expect(memory.put(stored(1))).toBe(true)
    memory.remove(stored(1))
    memory.removeWhere(() => true)
    memory.clear()
    expect([memory.variants('k'), memory.bytes, memory.entries, [...memory.all()]]).toEqual([[], 0, 0, []])
    expect([memory.isOn, make().memory.isOn]).toEqual([false, true])
  })
})

describe('removing', () => {
  test('takes that response alone', () => {
    const { memory, orders, evicted } = make()
    const [one, other] = [stored(1, ['a', 'x']), stored(2, ['a', 'y'])]
    memory.put(one)
    memory.put(other)
    memory.remove(one)
    expect(orders()).toEqual([2])
    // Not another response that has come in its place.
    memory.remove(stored(2, ['a', 'y']))
    expect(orders()).toEqual([2])
    memory.remove(other)
    expect([memory.entries, memory.bytes, evicted]).toEqual([0, 0, []])
  })

  test('takes all that match, of all keys', () => {
    const { memory, evicted } = make()
    for (const key of ['a', 'b']) for (const order of [1, 2, 3]) memory.put(stored(order, ['x', String(order)], key))
    memory.removeWhere(({ order }) => order !== 2)
    expect([...memory.all()].map(({ order }) => order)).toEqual([2, 2])
    memory.clear()
    expect([memory.entries, memory.bytes, evicted]).toEqual([0, 0, []])
  })
})

const at = (path: string, key: string, order = 1, selecting: Selecting = [], bytes = 0): StoredResponse =>
  new StoredResponse({ ...PARTS, key, selecting, place: { ...PLACE, path }, body: Buffer.alloc(bytes) }, order)
const ordersAt = (memory: Memory, path: string): number[] =>
  memory
    .atPath(path)
    .map(({ order }) => order)
    .toSorted((a, b) => a - b)

describe('what is kept of a path', () => {
  test('is all its keys and variants, and nothing of another path', () => {
    const { memory } = make()
    memory.put(at('/a', 'a?1', 1))
    memory.put(at('/a', 'a?2', 2, ['x', '1']))
    memory.put(at('/a', 'a?2', 3, ['x', '2']))
    memory.put(at('/a/b', 'ab', 4))
    expect([ordersAt(memory, '/a'), ordersAt(memory, '/a/b'), ordersAt(memory, '/')]).toEqual([[1, 2, 3], [4], []])
  })

  test('is without what has gone, however it went', () => {
    const [one, two] = [at('/a', 'a?1', 1), at('/a', 'a?2', 2)]
    const { memory, evicted } = make(one.size * 3)
    memory.put(one)
    memory.put(two)
    memory.remove(one)
    expect(ordersAt(memory, '/a')).toEqual([2])
    memory.put(at('/a', 'a?2', 3))
    expect(ordersAt(memory, '/a')).toEqual([3])
    memory.removeWhere(({ order }) => order === 3)
    expect([ordersAt(memory, '/a'), memory.holdsPath('/a')]).toEqual([[], false])
    memory.put(at('/a', 'a?1', 4))
    memory.put(at('/b', 'b', 5, [], one.size))
    memory.put(at('/c', 'c', 6, [], one.size))
    expect([evicted, ordersAt(memory, '/a'), memory.holdsPath('/a')]).toEqual([['a?1', 'b'], [], false])
    memory.clear()
    expect([ordersAt(memory, '/c'), memory.holdsPath('/c')]).toEqual([[], false])
  })

  test('is looked at without being used', () => {
    const { memory, evicted } = make(at('/a', 'a').size * 2)
    memory.put(at('/a', 'a'))
    memory.put(at('/b', 'b'))
    memory.atPath('/a')
    memory.put(at('/c', 'c'))
    expect(evicted).toEqual(['a'])
  })

  test('is nothing where nothing is kept', () => {
    const { memory } = make(0)
    memory.put(at('/a', 'a'))
    expect(memory.atPath('/a')).toEqual([])
  })
})
