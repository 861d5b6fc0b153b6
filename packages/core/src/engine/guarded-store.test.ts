import { stat } from 'node:fs'

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Store } from '../stores/store.ts'
import { GuardedStore } from './guarded-store.ts'

/** A store that answers as it is told. */
function make(answer: () => Promise<unknown> = async () => undefined, close?: () => Promise<void>) {
  const clock = { now: 5_000_000 }
  const calls: unknown[][] = []
  const errors: [reason: string, durationMs: number][] = []
  const breaker: string[] = []
  const fake = { answer }
  const call =
    (name: string) =>
    (...args: unknown[]): Promise<unknown> => {
      calls.push([name, ...args])
      return fake.answer()
    }
  const store = { get: call('get'), set: call('set'), delete: call('delete'), ...(close && { close }) } as Store
  const guarded = new GuardedStore(store, {
    timeoutMs: { get: 50, set: 250 },
    monotonicNow: () => clock.now,
    onError: (reason, durationMs) => errors.push([reason, durationMs]),
    onBreaker: (state) => breaker.push(state),
  })
  return { guarded, fake, calls, errors, breaker, clock }
}

const hang = (): Promise<never> => new Promise(() => undefined)
const reject = (): Promise<never> => Promise.reject(new Error('broken'))
const throwAtOnce = (): never => {
  throw new Error('broken')
}
const FRAME = new Uint8Array([1, 2])

test('calls go through to the store', async () => {
  const { guarded, fake, calls, errors } = make()
  fake.answer = async () => FRAME
  expect(await guarded.get('a')).toBe(FRAME)
  await guarded.set('a', FRAME, 1500)
  await guarded.delete('a')
  expect(calls).toEqual([
    ['get', 'a'],
    ['set', 'a', FRAME, 1500],
    ['delete', 'a'],
  ])
  expect([errors, guarded.breakerState]).toEqual([[], 'closed'])
})

describe('a lifetime', () => {
  test.each([
    [1, 1],
    [0.2, 1],
    [1500.5, 1501],
  ])('of %d ms is written as %d', async (ttlMs, written) => {
    const { guarded, calls } = make()
    await guarded.set('a', FRAME, ttlMs)
    expect(calls).toEqual([['set', 'a', FRAME, written]])
  })

  test.each([0, -1, -0.5, NaN, Infinity, -Infinity, 2 ** 53])('of %d ms is refused', async (ttlMs) => {
    const { guarded, calls, errors } = make()
    await expect(guarded.set('a', FRAME, ttlMs)).rejects.toThrow('lifetime')
    expect([calls, errors, guarded.breakerState]).toEqual([[], [], 'closed'])
  })
})

test.each([
  ['rejects', reject],
  ['throws', throwAtOnce],
])('a store that %s is heard of', async (_, answer) => {
  const { guarded, errors } = make(answer)
  await expect(guarded.get('a')).rejects.toThrow('broken')
  await expect(guarded.set('a', FRAME, 1)).rejects.toThrow('broken')
  expect(errors).toEqual([
    ['get-failed', 0],
    ['set-failed', 0],
  ])
})

describe('deadlines', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate'] }))
  afterEach(() => void vi.useRealTimers())

  test.each<['get' | 'set' | 'delete', number]>([
    ['get', 50],
    ['set', 250],
    ['delete', 250],
  ])('a %s that hangs is given up after %d ms', async (name, ms) => {
    const { guarded, errors, clock } = make(hang)
    const settled = vi.fn<(error: unknown) => void>()
    const call = {
      get: () => guarded.get('a'),
      set: () => guarded.set('a', FRAME, 1),
      delete: () => guarded.delete('a'),
    }
    call[name]().catch(settled)
    clock.now += ms
    await vi.advanceTimersByTimeAsync(ms - 1)
    expect(settled).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(2)
    expect(settled).toHaveBeenCalledOnce()
    expect(errors).toEqual([[`${name}-timeout`, ms]])
  })

  test.each([
    ['answer', (late: PromiseWithResolvers<unknown>) => late.resolve(FRAME)],
    ['error', (late: PromiseWithResolvers<unknown>) => late.reject(new Error('late'))],
  ])('an %s that comes too late changes nothing', async (_, end) => {
    const late = Promise.withResolvers<unknown>()
    const { guarded, errors } = make(() => late.promise)
    const read = guarded.get('a').catch(() => 'given up')
    await vi.advanceTimersByTimeAsync(51)
    expect(await read).toBe('given up')
    end(late)
    await vi.advanceTimersByTimeAsync(1)
    expect(errors).toHaveLength(1)
  })

  test.each<[title: string, end: (late: PromiseWithResolvers<unknown>) => void]>([
    ['lands', (late) => late.resolve(undefined)],
    ['fails, perhaps after it has landed', (late) => late.reject(new Error('late'))],
  ])('a write that outlives its deadline is deleted again when it %s', async (_, end) => {
    const late = Promise.withResolvers<unknown>()
    const { guarded, fake, calls, errors } = make(() => late.promise)
    const written = guarded.set('a', FRAME, 1).catch(() => 'given up')
    await vi.advanceTimersByTimeAsync(251)
    expect(await written).toBe('given up')
    fake.answer = async () => undefined
    for (const key of ['a', 'b']) await guarded.delete(key)
    const deleted = ['a', 'b'].map((key) => ['delete', key])
    expect(calls.slice(1)).toEqual(deleted)
    // Whether that one succeeds nobody waits to hear.
    fake.answer = reject
    end(late)
    await vi.advanceTimersByTimeAsync(1)
    expect(calls.slice(1)).toEqual([...deleted, ['delete', 'a']])
    expect(errors.map(([reason]) => reason)).toEqual(['set-timeout'])
    // It is deleted once.
    fake.answer = async () => undefined
    await guarded.delete('a')
    await vi.advanceTimersByTimeAsync(1)
    expect(calls).toHaveLength(5)
  })

  test('no timer is left behind', async () => {
    const { guarded, fake } = make()
    await guarded.get('a')
    fake.answer = reject
    await guarded.get('a').catch(() => undefined)
    expect(vi.getTimerCount()).toBe(0)
  })

  test.each<[title: string, close: (() => Promise<void>) | undefined]>([
    ['ends well', async () => undefined],
    ['rejects', reject],
    ['throws', throwAtOnce],
    ['hangs', hang],
    ['is not there', undefined],
  ])('close never rejects and takes a second at most: the store’s %s', async (_, close) => {
    const { guarded } = make(undefined, close)
    const closed = guarded.close()
    await vi.advanceTimersByTimeAsync(1001)
    await expect(closed).resolves.toBeUndefined()
  })
})

test('an answer that was there while the event loop was blocked counts', async () => {
  const { guarded, errors } = make(() => {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    stat('.', () => resolve(undefined))
    return promise
  })
  const read = guarded.get('a')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 80)
  await read
  expect(errors).toEqual([])
})

test('1000 calls are under way at most; more are refused and are no fault of the store', async () => {
  const { guarded, fake, calls, errors } = make()
  const answer = Promise.withResolvers<undefined>()
  fake.answer = () => answer.promise
  const reads = Array.from({ length: 1000 }, () => guarded.get('a'))
  await expect(guarded.get('a')).rejects.toThrow('busy')
  await expect(guarded.set('a', FRAME, 1)).rejects.toThrow('busy')
  expect([calls.length, errors, guarded.breakerState]).toEqual([1000, [], 'closed'])
  answer.resolve(undefined)
  await Promise.all(reads)
  await guarded.get('a')
  expect(calls).toHaveLength(1001)
})

test('after three failures the store is left alone for a second, then tried once', async () => {
  const { guarded, fake, calls, errors, breaker, clock } = make(reject)
  for (let i = 0; i < 3; i += 1) await guarded.get('a').catch(() => undefined)
  expect([guarded.breakerState, breaker]).toEqual(['open', ['open']])
  await expect(guarded.get('a')).rejects.toThrow('breaker-open')
  await expect(guarded.delete('a')).rejects.toThrow('breaker-open')
  clock.now += 999
  await expect(guarded.get('a')).rejects.toThrow('breaker-open')
  expect([calls.length, errors.length]).toEqual([3, 3])

  clock.now += 1
  const probe = Promise.withResolvers<undefined>()
  fake.answer = () => probe.promise
  const read = guarded.get('a')
  await expect(guarded.get('a')).rejects.toThrow('breaker-open')
  expect([calls.length, guarded.breakerState]).toEqual([4, 'half-open'])
  probe.resolve(undefined)
  await read
  expect([guarded.breakerState, breaker]).toEqual(['closed', ['open', 'closed']])
})
