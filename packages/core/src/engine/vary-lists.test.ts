import { expect, test } from 'vitest'
import { VaryLists } from './vary-lists.ts'

test('the lists of a key, the newest first, four at most', () => {
  const lists = new VaryLists()
  expect(lists.of('k')).toEqual([])
  for (const name of ['a', 'b', 'c']) lists.note('k', [name])
  expect(lists.of('k')).toEqual([['c'], ['b'], ['a']])
  lists.note('k', ['a'])
  expect(lists.of('k')).toEqual([['a'], ['c'], ['b']])
  lists.note('k', ['d'])
  lists.note('k', ['a', 'b'])
  expect(lists.of('k')).toEqual([['a', 'b'], ['d'], ['a'], ['c']])
  expect(lists.of('other')).toEqual([])
})

test('a response without Vary stands for all', () => {
  const lists = new VaryLists()
  lists.note('k', ['a'])
  lists.note('other', ['a'])
  lists.note('k', [])
  expect(lists.of('k')).toEqual([])
  expect(lists.of('other')).toEqual([['a']])
})
