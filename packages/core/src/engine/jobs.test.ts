import { expect, test, vi } from 'vitest'

import type { JobChannel, JobQueue } from './job-queue.ts'
import { Jobs } from './jobs.ts'

type Perform = (job: unknown, signal: AbortSignal) => Promise<void>

const NEVER = new Promise<void>(() => undefined)
const { signal } = new AbortController()

/** A queue whose worker is the test. */
function makeQueue(closing: Promise<void> = Promise.resolve()) {
  const opened: string[] = []
  const performs: Perform[] = []
  const listeners: ((error: unknown) => void)[] = []
  const channel: JobChannel = {
    add: async () => undefined,
    work: (perform) => {
      performs.push(perform)
      return { close: () => closing }
    },
    schedule: () => Promise.reject(new Error('no schedule')),
    close: () => closing,
  }
  const queue: JobQueue = {
    open: (name, onError) => {
      opened.push(name)
      listeners.push(onError)
      return channel
    },
  }
  return {
    queue,
    opened,
    perform: (job: unknown) => performs[0]!(job, signal),
    fail: () => listeners.forEach((tell) => tell(new Error('away'))),
  }
}

function makeJobs() {
  const said: string[] = []
  const jobs = new Jobs({
    name: 'x@1',
    onError: (error) => said.push((error as Error).message),
    onRefused: (reason) => said.push(reason),
  })
  return { jobs, said }
}

test('a job goes to the handler of its kind, and is running until that has ended', async () => {
  const { jobs, said } = makeJobs()
  const { queue, perform, opened } = makeQueue()
  const seen: unknown[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  jobs.handle('response', async (payload) => void seen.push(['response', payload]))
  jobs.handle('function', (payload) => (seen.push(['function', payload]), promise))
  jobs.work(queue, { concurrency: 1 })
  await perform({ kind: 'response', payload: 1 })
  const running = perform({ kind: 'function', payload: { name: 'f' } })
  expect(jobs.isIdle).toBe(false)
  resolve()
  await running
  await jobs.idle()
  expect(seen).toEqual([
    ['response', 1],
    ['function', { name: 'f' }],
  ])
  expect(said).toEqual([])
  expect(opened).toEqual(['x@1'])
})

test.each([undefined, null, 'x', {}, { kind: 1 }, { kind: 'unknown' }, { kind: 'toString' }])(
  '%j is refused, and not tried again',
  async (job) => {
    const { jobs, said } = makeJobs()
    const { queue, perform } = makeQueue()
    jobs.work(queue, { concurrency: 1 })
    await perform(job)
    expect(said).toEqual(['job-kind'])
  },
)

test('a handler that fails says so to the queue, which tries again', async () => {
  const { jobs } = makeJobs()
  const { queue, perform } = makeQueue()
  jobs.handle('x', () => Promise.reject(new Error('status-500')))
  jobs.work(queue, { concurrency: 1 })
  await expect(perform({ kind: 'x' })).rejects.toThrow('status-500')
  await jobs.idle()
})

test('a queue is opened once; its errors are told until it is closed', async () => {
  const { jobs, said } = makeJobs()
  const { queue, opened, fail } = makeQueue()
  expect(jobs.channelOf(queue)).toBe(jobs.channelOf(queue))
  expect(opened).toHaveLength(1)
  fail()
  jobs.schedule(queue, [])
  await vi.waitFor(() => expect(said).toEqual(['away', 'no schedule']))
  await jobs.close()
  fail()
  expect(said).toHaveLength(2)
})

test('a queue that does not close is left behind after a second', async () => {
  vi.useFakeTimers()
  try {
    const { jobs } = makeJobs()
    const { queue } = makeQueue(NEVER)
    jobs.work(queue, { concurrency: 1 })
    const closed = jobs.close()
    await vi.advanceTimersByTimeAsync(2000)
    await closed
  } finally {
    vi.useRealTimers()
  }
})
