import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { Dispatch, type Dispatched } from './dispatch.ts'
import type { JobChannel, RefreshJob } from './job-queue.ts'

const JOB: RefreshJob = { kind: 'x', id: 'i', payload: {} }

/** A channel that does with a job what the test says, and a dispatcher before it. */
function makeDispatch(add: () => Promise<void> = async () => undefined) {
  const said: string[] = []
  const added: RefreshJob[] = []
  const channel: JobChannel = {
    add: (job) => (added.push(job), add()),
    work: () => ({ close: async () => undefined }),
    schedule: async () => undefined,
    close: async () => undefined,
  }
  const clock = { now: 0 }
  const dispatch = new Dispatch(channel, {
    name: 'x',
    lostAfterMs: 60_000,
    monotonicNow: () => clock.now,
    onSent: ({ key }) => said.push(`sent ${key}`),
    onLost: ({ key }) => said.push(`lost ${key}`),
    onError: (reason) => said.push(reason),
  })
  const refresh = (key: string, knownAt = 0, look?: () => Promise<boolean>): Dispatched => ({
    key,
    knownAt,
    job: JOB,
    describe: () => ({ key, route: undefined }),
    look,
    otherwise: () => said.push(`here ${key}`),
  })
  return { dispatch, refresh, said, added, clock }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  vi.spyOn(process, 'emitWarning').mockReturnValue()
})

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('a refresh', () => {
  test('is under way from when it is sent until it is lost, and then sent again', async () => {
    const { dispatch, refresh, said, added, clock } = makeDispatch()
    expect(dispatch.isUnderWay('a', 0)).toBe(false)
    dispatch.send(refresh('a'))
    expect(dispatch.isUnderWay('a', 0)).toBe(true)
    expect(dispatch.isUnderWay('b', 0)).toBe(false)
    await dispatch.idle()
    clock.now = 59_999
    expect(dispatch.isUnderWay('a', 0)).toBe(true)
    clock.now = 60_000
    expect(dispatch.isUnderWay('a', 0)).toBe(false)
    dispatch.send(refresh('a'))
    await dispatch.idle()
    expect(said).toEqual(['sent a', 'lost a', 'sent a'])
    expect(added).toEqual([JOB, JOB])
  })

  test('of something newer is another one', async () => {
    const { dispatch, refresh, said } = makeDispatch()
    dispatch.send(refresh('a', 1))
    expect(dispatch.isUnderWay('a', 2)).toBe(false)
    dispatch.send(refresh('a', 2))
    await dispatch.idle()
    expect(said).toEqual(['sent a', 'sent a'])
  })

  test('that is refused, or throws, is made here, and not under way', async () => {
    for (const add of [
      () => Promise.reject(new Error('no')),
      () => {
        throw new Error('no')
      },
    ]) {
      const { dispatch, refresh, said } = makeDispatch(add)
      dispatch.send(refresh('a'))
      await dispatch.idle()
      expect(said).toEqual(['send-failed', 'here a'])
      expect(dispatch.isUnderWay('a', 0)).toBe(false)
    }
  })

  test('that is not taken within half a second is made here', async () => {
    const { dispatch, refresh, said } = makeDispatch(() => new Promise(() => undefined))
    dispatch.send(refresh('a'))
    await vi.advanceTimersByTimeAsync(499)
    expect(said).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    await dispatch.idle()
    expect(said).toEqual(['send-timeout', 'here a'])
  })

  test('is made here at once after three have not been taken, but for a probe each second', async () => {
    let isAway = true
    const { dispatch, refresh, said, added, clock } = makeDispatch(async () => {
      if (isAway) throw new Error('away')
    })
    for (const key of ['a', 'b', 'c', 'd', 'e']) {
      dispatch.send(refresh(key))
      await dispatch.idle()
    }
    expect(added).toHaveLength(3)
    expect(said.filter((what) => what.startsWith('here'))).toHaveLength(5)
    isAway = false
    clock.now = 1000
    dispatch.send(refresh('f'))
    await dispatch.idle()
    dispatch.send(refresh('g'))
    await dispatch.idle()
    expect(said.slice(-2)).toEqual(['sent f', 'sent g'])
  })

  test('is looked for more and more rarely until it is there', async () => {
    const looks: number[] = []
    const { dispatch, refresh, clock } = makeDispatch()
    const look = async (): Promise<boolean> => {
      looks.push(clock.now)
      if (looks.length === 2) throw new Error('the store is away')
      return looks.length === 4
    }
    dispatch.send(refresh('a', 0, look))
    for (; clock.now < 3000; clock.now += 25) await vi.advanceTimersByTimeAsync(25)
    expect(looks).toHaveLength(4)
    const gaps = looks.slice(1).map((at, i) => at - looks[i]!)
    expect(gaps).toEqual(gaps.toSorted((a, b) => a - b))
    expect(looks[0]).toBeLessThan(150)
    expect(dispatch.isUnderWay('a', 0)).toBe(false)
  })

  test('is not looked for when it is lost, nor when the cache is closed', async () => {
    let looks = 0
    const look = async (): Promise<boolean> => (looks++, false)
    const { dispatch, refresh, clock } = makeDispatch()
    dispatch.send(refresh('a', 0, look))
    await dispatch.idle()
    clock.now = 60_000
    await vi.advanceTimersByTimeAsync(10_000)
    expect(looks).toBe(1)
    dispatch.send(refresh('b', 0, look))
    await dispatch.idle()
    dispatch.close()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(looks).toBe(1)
    dispatch.send(refresh('c'))
    expect(dispatch.isIdle).toBe(true)
  })
})
