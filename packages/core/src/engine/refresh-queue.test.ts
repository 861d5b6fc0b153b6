import { afterEach, expect, test, vi } from 'vitest'
import { RefreshQueue } from './refresh-queue.ts'

afterEach(() => void vi.useRealTimers())

/** Jobs that run until they are told to end. */
function makeJobs() {
  const started: string[] = []
  const signals = new Map<string, AbortSignal>()
  const ends = new Map<string, PromiseWithResolvers<void>>()
  const job = (name: string) => (signal: AbortSignal) => {
    started.push(name)
    signals.set(name, signal)
    const end = Promise.withResolvers<void>()
    ends.set(name, end)
    return end.promise
  }
  return { job, started, signals, ends }
}

const turn = (): Promise<unknown> => new Promise(setImmediate)
/** A job that ends makes room for one that begins a turn later. */
const settle = (): Promise<unknown> => turn().then(turn)
const make = (limits: Partial<ConstructorParameters<typeof RefreshQueue>[0]> = {}): RefreshQueue =>
  new RefreshQueue({ concurrency: 2, queueLimit: 3, timeoutMs: 30_000, ...limits })

test('so many run, so many wait, the rest is refused', async () => {
  const queue = make()
  const { job, started, ends } = makeJobs()
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
  expect(names.map((name) => queue.add(name, job(name)))).toEqual([true, true, true, true, true, false, false])
  await settle()
  expect([started, queue.running, queue.queued]).toEqual([['a', 'b'], 2, 3])
  expect(names.map((name) => queue.has(name))).toEqual([true, true, true, true, true, false, false])

  ends.get('a')!.resolve()
  await settle()
  expect([started, queue.running, queue.queued]).toEqual([['a', 'b', 'c'], 2, 2])
  expect([queue.has('a'), queue.add('f', job('f')), queue.add('g', job('g'))]).toEqual([false, true, false])
})

test('a job begins in a turn of its own: who has come at the same time goes first', async () => {
  const queue = make()
  const { job, started } = makeJobs()
  queue.add('a', job('a'))
  for (let i = 0; i < 10; i += 1) await Promise.resolve()
  expect([started, queue.running]).toEqual([[], 1])
  await turn()
  expect(started).toEqual(['a'])
})

test('a job that has not begun when its queue is closed never does', async () => {
  const queue = make()
  const { job, started } = makeJobs()
  queue.add('a', job('a'))
  await Promise.resolve()
  queue.close()
  await queue.idle()
  expect(started).toEqual([])
})

test('a limit of 0: nothing waits', async () => {
  const queue = make({ concurrency: 1, queueLimit: 0 })
  const { job } = makeJobs()
  expect([queue.add('a', job('a')), queue.add('b', job('b'))]).toEqual([true, false])
  await settle()
  expect(queue.add('b', job('b'))).toBe(false)
})

test('a key is there while its job waits or runs, so that there is one of it', async () => {
  const queue = make({ concurrency: 1 })
  const { job, ends } = makeJobs()
  queue.add('a', job('a'))
  queue.add('b', job('b'))
  expect([queue.has('a'), queue.has('b')]).toEqual([true, true])
  await settle()
  ends.get('a')!.resolve()
  await settle()
  expect([queue.has('a'), queue.has('b')]).toEqual([false, true])
  ends.get('b')!.resolve()
  await queue.idle()
  expect([queue.has('b'), queue.running, queue.queued]).toEqual([false, 0, 0])
})

test('at its deadline a job is aborted, and holds its slot until it has really ended', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const queue = make({ concurrency: 1 })
  const { job, started, signals, ends } = makeJobs()
  queue.add('a', job('a'))
  queue.add('b', job('b'))
  await settle()
  await vi.advanceTimersByTimeAsync(29_999)
  expect(signals.get('a')!.aborted).toBe(false)
  await vi.advanceTimersByTimeAsync(1)
  expect(signals.get('a')!.aborted).toBe(true)
  await settle()
  expect([started, queue.running, queue.has('a')]).toEqual([['a'], 1, true])
  ends.get('a')!.resolve()
  await settle()
  expect([started, queue.running, queue.has('a')]).toEqual([['a', 'b'], 1, false])
  // The deadline counts from the start of a job, not from its place in the queue.
  expect(signals.get('b')!.aborted).toBe(false)
  ends.get('b')!.resolve()
  await settle()
  expect(vi.getTimerCount()).toBe(0)
})

test.each([
  ['rejects', () => Promise.reject(new Error('no'))],
  [
    'throws',
    () => {
      throw new Error('no')
    },
  ],
])('a job that %s frees its slot and its key', async (_, job) => {
  const queue = make({ concurrency: 1, queueLimit: 1 })
  queue.add('a', job)
  await queue.idle()
  expect([queue.has('a'), queue.running, queue.queued]).toEqual([false, 0, 0])
})

test('close aborts what runs and drops what waits', async () => {
  const queue = make({ concurrency: 1 })
  const { job, started, signals, ends } = makeJobs()
  queue.add('a', job('a'))
  queue.add('b', job('b'))
  await settle()
  queue.close()
  expect([signals.get('a')!.aborted, queue.queued, queue.has('a'), queue.has('b')]).toEqual([true, 0, false, false])
  ends.get('a')!.resolve()
  await queue.idle()
  expect(started).toEqual(['a'])
})
