import { expect, test } from 'vitest'
import { Budget } from './budget.ts'

test('takes up to its limit and not a byte more', () => {
  const budget = new Budget(10)
  expect([budget.take(6), budget.take(5), budget.take(4), budget.take(1)]).toEqual([true, false, true, false])
  expect(budget.used).toBe(10)
  budget.giveBack(6)
  expect([budget.used, budget.take(6)]).toEqual([4, true])
})
