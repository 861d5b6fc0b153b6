import { stat } from 'node:fs'

import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { FOREIGN } from '../stores/frame.ts'
import type { Store } from '../stores/store.ts'
import { DeadlineError } from './deadline.ts'
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
  const resets: number[] = []
  const reset = (): void => void resets.push(clock.now)
  const store = { get: call('get'), set: call('set'), delete: call('delete'), reset, ...(close && { close }) } as Store
  const guarded = new GuardedStore(store, {
    timeoutMs: { get: 50, set: 250 },
    monotonicNow: () => clock.now,
    probeKey: 'probe',
    onError: (reason, durationMs) => errors.push([reason, durationMs]),
    onBreaker: (state) => breaker.push(state),
  })
  return { guarded, fake, calls, errors, breaker, clock, resets }
}

const asIs = (frame: Uint8Array): Uint8Array => frame
const hang = (): Promise<never> => new Promise(() => undefined)
const reject = (): Promise<never> => Promise.reject(new Error('broken'))
const throwAtOnce = (): never => {
  throw new Error('broken')
}
const FRAME = new Uint8Array([1, 2])

test('calls go through to the store', async () => {
  const { guarded, fake, calls, errors } = make()
  fake.answer = async () => FRAME
  expect(await guarded.get('a', asIs)).toBe(FRAME)
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
  await expect(guarded.get('a', asIs)).rejects.toThrow('broken')
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
      get: () => guarded.get('a', asIs),
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
    const read = guarded.get('a', asIs).catch(() => 'given up')
    await vi.advanceTimersByTimeAsync(51)
    expect(await read).toBe('given up')
    end(late)
    await vi.advanceTimersByTimeAsync(1)
    expect(errors).toHaveLength(1)
  })

  test.each<[title: string, end: (late: PromiseWithResolvers<unknown>) => void]>([
    ['lands', (late) => late.resolve(undefined)],
    ['fails, perhaps after it has landed', (late) => late.reject(new Error('late'))],
  ])('a write that outlives its deadline is read by nobody, and is deleted when it %s', async (_, end) => {
    const late = Promise.withResolvers<unknown>()
    const { guarded, fake, calls } = make(() => late.promise)
    const written = guarded.set('a', FRAME, 1).catch(() => 'given up')
    await vi.advanceTimersByTimeAsync(251)
    expect(await written).toBe('given up')
    fake.answer = async () => FRAME
    expect(await guarded.get('a', asIs)).toBeUndefined()
    expect(calls.slice(1)).toEqual([])
    // Another call that succeeds: the store is there, so what is in doubt is deleted.
    expect(await guarded.get('b', asIs)).toBe(FRAME)
    await vi.advanceTimersByTimeAsync(1)
    expect(calls.slice(1)).toEqual([
      ['get', 'b'],
      ['delete', 'a'],
    ])
    // It may have landed after that.
    end(late)
    await vi.advanceTimersByTimeAsync(1)
    expect(calls.slice(3)).toEqual([['delete', 'a']])
    expect(await guarded.get('a', asIs)).toBe(FRAME)
  })

  test('a deletion that lands after its deadline was one: its key is in doubt no more, and is not deleted again', async () => {
    const late = Promise.withResolvers<unknown>()
    const { guarded, fake, calls } = make(() => late.promise)
    const deleted = guarded.delete('a').catch(() => 'given up')
    await vi.advanceTimersByTimeAsync(251)
    expect(await deleted).toBe('given up')
    fake.answer = async () => FRAME
    expect(await guarded.get('a', asIs)).toBeUndefined()
    late.resolve(undefined)
    await vi.advanceTimersByTimeAsync(1)
    expect(await guarded.get('a', asIs)).toBe(FRAME)
    await guarded.get('b', asIs)
    await vi.advanceTimersByTimeAsync(1)
    expect(calls.map(([name]) => name)).toEqual(['delete', 'get', 'get'])
  })

  test('changes that all land after their deadlines: deletions come to an end, and the store stays in service', async () => {
    const { guarded, fake, calls, breaker, clock } = make()
    const readOn = async (ms: number): Promise<void> => {
      for (let i = 0; i < ms; i += 20) {
        await guarded.get('read', asIs)
        clock.now += 20
        await vi.advanceTimersByTimeAsync(20)
      }
    }
    // 300 ms for a change, and nothing for a read.
    fake.answer = () =>
      calls.at(-1)![0] === 'get'
        ? Promise.resolve(FRAME)
        : new Promise((resolve) => setTimeout(resolve, 300, undefined))
    for (let i = 0; i < 30; i += 1) {
      guarded.set(`${i}`, FRAME, 1000).catch(() => undefined)
      await readOn(20)
    }
    await readOn(30_000)
    const deletions = (): number => calls.filter(([name]) => name === 'delete').length
    const before = deletions()
    await readOn(10_000)
    expect(deletions()).toBe(before)
    for (let i = 0; i < 30; i += 1) expect(await guarded.get(`${i}`, asIs)).toBe(FRAME)
    expect([guarded.breakerState, breaker]).toEqual(['closed', []])
  })

  test('no timer is left behind', async () => {
    const { guarded, fake } = make()
    await guarded.get('a', asIs)
    fake.answer = reject
    await guarded.get('a', asIs).catch(() => undefined)
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
  const read = guarded.get('a', asIs)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 80)
  await read
  expect(errors).toEqual([])
})

test('1000 calls are under way at most; more are refused and are no fault of the store', async () => {
  const { guarded, fake, calls, errors } = make()
  const answer = Promise.withResolvers<undefined>()
  fake.answer = () => answer.promise
  const reads = Array.from({ length: 1000 }, () => guarded.get('a', asIs))
  await expect(guarded.get('a', asIs)).rejects.toThrow('busy')
  await expect(guarded.set('b', FRAME, 1)).rejects.toThrow('busy')
  expect([calls.length, errors, guarded.breakerState]).toEqual([1000, [], 'closed'])
  answer.resolve(undefined)
  await Promise.all(reads)
  await guarded.get('a', asIs)
  expect(calls[1000]).toEqual(['get', 'a'])
})

test('after three failures the store is left alone for a second, then asked once, while nobody waits', async () => {
  const { guarded, fake, calls, errors, breaker, clock } = make(reject)
  for (let i = 0; i < 3; i += 1) await guarded.get('a', asIs).catch(() => undefined)
  expect([guarded.breakerState, breaker]).toEqual(['open', ['open']])
  await expect(guarded.get('a', asIs)).rejects.toThrow('breaker-open')
  await expect(guarded.delete('b')).rejects.toThrow('breaker-open')
  clock.now += 999
  await expect(guarded.get('a', asIs)).rejects.toThrow('breaker-open')
  expect([calls.length, errors.length]).toEqual([3, 3])

  clock.now += 1
  const probe = Promise.withResolvers<undefined>()
  fake.answer = () => probe.promise
  await expect(guarded.get('a', asIs)).rejects.toThrow('breaker-open')
  await expect(guarded.get('a', asIs)).rejects.toThrow('breaker-open')
  expect([calls.slice(3), guarded.breakerState]).toEqual([[['get', 'probe']], 'half-open'])
  probe.resolve(undefined)
  await vi.waitFor(() => expect([guarded.breakerState, breaker]).toEqual(['closed', ['open', 'closed']]))
  // What could not be deleted is deleted now.
  await vi.waitFor(() => expect(calls.slice(4)).toEqual([['delete', 'b']]))
})

describe('what is in doubt', () => {
  test.each<['set' | 'delete']>([['set'], ['delete']])('a %s that failed', async (name) => {
    const { guarded, fake, calls } = make(reject)
    const change = { set: () => guarded.set('a', FRAME, 1), delete: () => guarded.delete('a') }
    await expect(change[name]()).rejects.toThrow('broken')
    fake.answer = async () => FRAME
    expect(await guarded.get('a', asIs)).toBeUndefined()
    expect(await guarded.get('b', asIs)).toBe(FRAME)
    await vi.waitFor(() => expect(calls.at(-1)).toEqual(['delete', 'a']))
    await vi.waitFor(async () => expect(await guarded.get('a', asIs)).toBe(FRAME))
  })

  test('a read that was under way when the doubt came up brings nothing', async () => {
    const { guarded, fake } = make()
    const reply = Promise.withResolvers<Uint8Array>()
    fake.answer = () => reply.promise
    const read = guarded.get('a', asIs)
    fake.answer = reject
    await guarded.delete('a').catch(() => undefined)
    reply.resolve(FRAME)
    expect(await read).toBeUndefined()
  })

  test('a deletion that fails leaves the rest for the next time', async () => {
    const { guarded, fake, calls } = make(reject)
    for (const key of ['a', 'b']) await guarded.delete(key).catch(() => undefined)
    fake.answer = () => (calls.at(-1)![0] === 'delete' ? reject() : Promise.resolve())
    await guarded.get('c', asIs)
    await vi.waitFor(() => expect(calls).toHaveLength(5))
    for (const key of ['a', 'b']) expect(await guarded.get(key, asIs)).toBeUndefined()
    expect(calls).toHaveLength(5)
  })

  test('a record that is written again until it succeeds is not', async () => {
    const { guarded, fake, calls } = make(reject)
    await expect(guarded.setRecord('a', FRAME, 1)).rejects.toThrow('broken')
    fake.answer = async () => FRAME
    expect(await guarded.get('a', asIs)).toBe(FRAME)
    expect(calls.map(([name]) => name)).toEqual(['set', 'get'])
  })
})

test('a store whose changes return no promise has made them when they return', async () => {
  const calls: string[] = []
  const store = {
    get: async () => FRAME,
    set: (key: string) => void calls.push(`set ${key}`),
    delete: (key: string) => calls.push(`delete ${key}`) > 0,
  } as unknown as Store
  const onError = vi.fn<(reason: string) => void>()
  const guard = { timeoutMs: { get: 50, set: 250 }, monotonicNow: () => 0, probeKey: 'p', onError, onBreaker() {} }
  const guarded = new GuardedStore(store, guard)
  await guarded.set('a', FRAME, 1000)
  await guarded.setRecord('b', FRAME, 1000)
  await guarded.delete('c')
  for (const key of ['a', 'b', 'c']) expect(await guarded.get(key, asIs)).toBe(FRAME)
  expect([calls, onError.mock.calls]).toEqual([['set a', 'set b', 'delete c'], []])
})

const foreign = () => FOREIGN
const unreadable = async (): Promise<never> => {
  throw new SyntaxError('PONG')
}

describe('a connection that cannot be trusted is dropped', () => {
  test('when a reply belongs to another request; once a second at most', async () => {
    const { guarded, errors, clock, resets } = make(async () => FRAME)
    expect(await guarded.get('a', foreign)).toBeUndefined()
    await guarded.get('a', foreign)
    clock.now += 999
    await guarded.get('a', foreign)
    expect(resets).toHaveLength(1)
    clock.now += 1
    await guarded.get('a', foreign)
    expect(resets).toHaveLength(2)
    expect(errors).toEqual(Array.from({ length: 4 }, () => ['foreign-reply', 0]))
  })

  test.each<[title: string, call: (guarded: GuardedStore) => Promise<unknown>]>([
    ['a call of a shared store', (guarded) => guarded.ask('claim', 'get', unreadable)],
    ['a write', (guarded) => guarded.set('a', FRAME, 1000)],
    ['a removal', (guarded) => guarded.delete('a')],
  ])('when the reply to %s cannot be read', async (_, call) => {
    const { guarded, resets } = make(unreadable)
    await expect(call(guarded)).rejects.toThrow(SyntaxError)
    expect(resets).toHaveLength(1)
  })

  test('when a reply that cannot be read comes after its deadline', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate'] })
    onTestFinished(() => void vi.useRealTimers())
    const { guarded, resets } = make()
    const reply = Promise.withResolvers<never>()
    const error = guarded.ask('claim', 'get', () => reply.promise).catch((reason: unknown) => reason)
    await vi.advanceTimersByTimeAsync(51)
    expect(await error).toBeInstanceOf(DeadlineError)
    expect(resets).toEqual([])
    reply.reject(new SyntaxError('PONG'))
    await vi.advanceTimersByTimeAsync(1)
    expect(resets).toHaveLength(1)
  })

  test('when the codec of the store cannot read a reply', async () => {
    const { guarded, errors, resets } = make(unreadable)
    for (let i = 0; i < 3; i += 1) expect(await guarded.get('a', asIs)).toBeUndefined()
    expect([resets.length, guarded.breakerState, errors[0]]).toEqual([1, 'closed', ['foreign-reply', 0]])
  })

  test('when it is seen too late for the one who asked', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate'] })
    onTestFinished(() => void vi.useRealTimers())
    const reply = Promise.withResolvers<Uint8Array>()
    const { guarded, resets } = make(() => reply.promise)
    const read = guarded.get('a', foreign).catch(() => 'given up')
    await vi.advanceTimersByTimeAsync(51)
    expect([await read, resets]).toEqual(['given up', []])
    reply.resolve(FRAME)
    await vi.advanceTimersByTimeAsync(1)
    expect(resets).toHaveLength(1)
  })

  test.each<[title: string, answer: () => Promise<unknown>, resets: number]>([
    ['has not been answered', hang, 1],
    ['has failed', reject, 1],
    ['was answered, though late', async () => undefined, 0],
  ])('when the probe before this one %s', async (_, answer, times) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate'] })
    onTestFinished(() => void vi.useRealTimers())
    const { guarded, fake, clock, resets } = make(reject)
    for (let i = 0; i < 3; i += 1) await guarded.get('a', asIs).catch(() => undefined)
    const late = Promise.withResolvers<unknown>()
    const askAfterASecond = async (): Promise<void> => {
      clock.now += 1000
      await guarded.get('a', asIs).catch(() => undefined)
      await vi.advanceTimersByTimeAsync(51)
    }
    fake.answer = times === 0 ? () => late.promise : answer
    await askAfterASecond()
    expect(resets).toEqual([])
    late.resolve(undefined)
    await vi.advanceTimersByTimeAsync(1)
    fake.answer = hang
    await askAfterASecond()
    expect(resets).toHaveLength(times)
  })

  test('when a probe brings what nobody has stored: at once, and the new one is kept', async () => {
    const { guarded, fake, clock, resets } = make(reject)
    for (let i = 0; i < 3; i += 1) await guarded.get('a', asIs).catch(() => undefined)
    fake.answer = async () => FRAME
    clock.now += 1000
    await guarded.get('a', asIs).catch(() => undefined)
    await vi.waitFor(() => expect(resets).toHaveLength(1))
    fake.answer = async () => undefined
    clock.now += 1000
    await guarded.get('a', asIs).catch(() => undefined)
    await vi.waitFor(() => expect(guarded.breakerState).toBe('closed'))
    expect(resets).toHaveLength(1)
  })

  test('a store that cannot, or that throws, goes on being guarded', async () => {
    const store = { get: async () => FRAME, reset: throwAtOnce } as unknown as Store
    const guard = {
      timeoutMs: { get: 50, set: 250 },
      monotonicNow: () => 0,
      probeKey: 'p',
      onError() {},
      onBreaker() {},
    }
    expect(await new GuardedStore(store, guard).get('a', foreign)).toBeUndefined()
    expect(await new GuardedStore({ ...store, reset: undefined } as never, guard).get('a', foreign)).toBeUndefined()
  })
})

test('a request that the blocked event loop could not even send has its time again, once', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate'] })
  onTestFinished(() => void vi.useRealTimers())
  const { guarded, errors, clock } = make(hang)
  const read = guarded.get('a', asIs).catch(() => 'given up')
  clock.now += 500
  await vi.advanceTimersByTimeAsync(51)
  expect(errors).toEqual([])
  clock.now += 500
  await vi.advanceTimersByTimeAsync(51)
  expect(await read).toBe('given up')
})
