import {
  type CacheEvent,
  type Cacheback,
  type CachebackOptions,
  type EventName,
  Job,
  createCacheback,
} from '@cacheback/core'
import { createClient } from '@redis/client'
import { Queue } from 'bullmq'
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { Clock } from '../support/clock.ts'
import { startRedis } from '../support/redis.ts'
import { onClock, redisKeyv, sharedRedis } from '../support/stores.ts'
import { freshName, queueAt, soon } from './site.ts'

const EVENTS = ['refresh', 'refresh-failed', 'refresh-dropped', 'refresh-sent', 'queue-error'] as const

interface Process {
  readonly cache: Cacheback
  /** How often this has happened, for this reason where one is named. */
  readonly count: (event: EventName, reason?: string) => number
}

const STORES = {
  keyv: async () => redisKeyv(inject('redisSocket'), 'functions'),
  shared: async (clock: Clock) => onClock(await sharedRedis(inject('redisSocket'), 'functions:'), clock),
}

async function open(
  name: string,
  clock: Clock,
  store: keyof typeof STORES = 'shared',
  more: CachebackOptions = {},
): Promise<Process> {
  const cache = createCacheback({
    name,
    store: await STORES[store](clock),
    storeTimeoutMs: { get: 1000, set: 1000 },
    now: () => clock.now,
    refresh: { queue: queueAt(inject('redisSocket')) },
    ...more,
  })
  onTestFinished(() => cache.close())
  // A connection that began later is ready: so is the cache's own. Before that, nothing is sent.
  if (more.refresh === undefined) await openQueue(name)
  const events: (CacheEvent & { readonly event: EventName })[] = []
  for (const event of EVENTS) cache.on(event, (told) => void events.push({ ...told, event }))
  return {
    cache,
    count: (event, reason) =>
      events.filter((told) => told.event === event && (reason === undefined || told.reason === reason)).length,
  }
}

/** Somebody who can write to the queue. */
async function openQueue(name: string, path = inject('redisSocket')): Promise<Queue> {
  const client = createClient({ socket: { path, tls: false } })
  await client.connect()
  const queue = new Queue(name, { connection: client })
  onTestFinished(async () => {
    await queue.close()
    client.destroy()
  })
  await queue.waitUntilReady()
  return queue
}

const by = (role: string) => vi.fn<(id?: string) => Promise<string>>(async (id) => `${role} ${id}`)

describe.each(['keyv', 'shared'] as const)('functions over workers × %s', (store) => {
  async function pair(options: object = {}, more: CachebackOptions = {}) {
    const [clock, name] = [new Clock(), freshName()]
    const [web, worker] = [await open(name, clock, store, more), await open(name, clock, store)]
    const fetches = { web: by('web'), worker: by('worker') }
    const load = web.cache.wrap(fetches.web, { name: 'load', maxAge: 10, ...options })
    const loadThere = worker.cache.wrap(fetches.worker, { name: 'load', maxAge: 10, ...options })
    return { clock, name, web, worker, fetches, load, loadThere }
  }

  test('WORKER-80 a stale value is given at once, and made anew by a worker that has no server', async () => {
    const { clock, web, worker, fetches, load } = await pair()
    expect(await load('ada')).toBe('web ada')
    await web.cache.idle()
    clock.advance(11)
    worker.cache.work()
    for (let i = 0; i < 20; i += 1) expect(await load('ada')).toBe('web ada')
    await soon(async () => expect(await load('ada')).toBe('worker ada'))
    expect(fetches.web).toHaveBeenCalledOnce()
    expect(fetches.worker).toHaveBeenCalledExactlyOnceWith('ada')
    expect(web.count('refresh-sent')).toBe(1)
    expect(worker.count('refresh')).toBe(1)
  })

  test('WORKER-81 a miss that does not wait is made by a worker', async () => {
    const { web, worker, fetches, load } = await pair({ fetchOnMiss: false, empty: 'none yet' })
    worker.cache.work()
    expect(await load('ada')).toBe('none yet')
    expect(await load('ada')).toBe('none yet')
    await soon(async () => expect(await load('ada')).toBe('worker ada'))
    expect(fetches.web).not.toHaveBeenCalled()
    expect(web.count('refresh-sent')).toBe(1)
    // And once more, when it has gone.
    await load.delete('ada')
    expect(await load('ada')).toBe('none yet')
    await soon(async () => expect(await load('ada')).toBe('worker ada'))
    expect(fetches.worker).toHaveBeenCalledTimes(2)
  })

  test('WORKER-82 what is fresh already is skipped by the worker', async () => {
    const { clock, web, worker, fetches, load } = await pair()
    await load('ada')
    await web.cache.idle()
    clock.advance(11)
    await load('ada')
    await soon(() => expect(web.count('refresh-sent')).toBe(1))
    await load.set(['ada'], 'set')
    worker.cache.work()
    await soon(() => expect(worker.count('refresh-dropped', 'already-fresh')).toBe(1))
    expect(fetches.worker).not.toHaveBeenCalled()
    expect(await load('ada')).toBe('set')
  })

  test('WORKER-83 invalidate has it made anew by a worker', async () => {
    const { clock, web, worker, fetches, load } = await pair()
    await load('ada')
    await web.cache.idle()
    clock.advance(1)
    worker.cache.work()
    expect(await load.invalidate('ada')).toBe(true)
    await soon(async () => expect(await load('ada')).toBe('worker ada'))
    expect(fetches.web).toHaveBeenCalledOnce()
  })

  test('WORKER-84 a function that throws in the worker is tried again; the old value stays', async () => {
    const { clock, web, worker, fetches, load } = await pair()
    await load('ada')
    await web.cache.idle()
    clock.advance(11)
    fetches.worker.mockRejectedValueOnce(new Error('down'))
    worker.cache.work()
    expect(await load('ada')).toBe('web ada')
    await soon(async () => expect(await load('ada')).toBe('worker ada'))
    expect(worker.count('refresh-failed', 'thrown')).toBe(1)
    expect(fetches.worker).toHaveBeenCalledTimes(2)
  })

  test('WORKER-85 what a worker must not store any more goes, here too', async () => {
    const { clock, web, worker, load } = await pair({
      maxAge: (value: string) => (value === 'web ada' ? 10 : undefined),
    })
    await load('ada')
    await web.cache.idle()
    clock.advance(11)
    worker.cache.work()
    expect(await load('ada')).toBe('web ada')
    await soon(async () => expect(await load.peek('ada')).toBeUndefined())
  })

  test('WORKER-86 arguments arrive as they are; what would not stays in its process', async () => {
    class User {
      readonly id = 7
    }
    const [clock, name] = [new Clock(), freshName()]
    const [web, worker] = [await open(name, clock, store), await open(name, clock, store)]
    const seen: unknown[][] = []
    const wrap = ({ cache }: Process, role: string) =>
      cache.wrap(
        async (...args: unknown[]) => {
          if (role === 'worker') seen.push(args)
          return role
        },
        { name: 'any', maxAge: 10, key: (...args) => args.map((arg) => (arg instanceof User ? arg.id : arg)) },
      )
    const [any] = [wrap(web, 'web'), wrap(worker, 'worker')]
    const plain = [1n, -0, undefined, new Date(5), new Map([['a', new Set([{ b: [1] }])]]), 'ä', Buffer.from('x')]
    const calls: unknown[][] = [plain, [new User()]]
    for (const args of calls) await any(...args)
    await web.cache.idle()
    clock.advance(11)
    worker.cache.work()
    for (const args of calls) expect(await any(...args)).toBe('web')
    await soon(async () => expect(await any(...plain)).toBe('worker'))
    expect(seen).toEqual([plain])
    await web.cache.idle()
    expect(await any(new User())).toBe('web')
    expect(web.count('refresh')).toBe(1)
    expect(web.count('refresh-sent')).toBe(1)
  })

  test('WORKER-87 a Job is made by the worker, with its own instance; a call with a `this` stays', async () => {
    class Tweets extends Job<[who: string], string> {
      readonly #role: string
      constructor(cache: Cacheback, role: string) {
        super(cache, { maxAge: 10 })
        this.#role = role
      }
      fetch(who: string) {
        return `${this.#role} ${who}`
      }
    }
    const [clock, name] = [new Clock(), freshName()]
    const [web, worker] = [await open(name, clock, store), await open(name, clock, store)]
    const [tweets] = [new Tweets(web.cache, 'web'), new Tweets(worker.cache, 'worker')]
    const api = {
      role: 'web',
      load: web.cache.wrap(
        function load(this: { role: string }) {
          return this.role
        },
        { maxAge: 10 },
      ),
    }
    await tweets.get('ada')
    await api.load()
    await web.cache.idle()
    clock.advance(11)
    worker.cache.work()
    await tweets.get('ada')
    await api.load()
    await soon(async () => expect(await tweets.get('ada')).toBe('worker ada'))
    expect(web.count('refresh')).toBe(1)
    expect(web.count('refresh-sent')).toBe(1)
    expect(worker.count('refresh-dropped')).toBe(0)
  })
})

test('WORKER-88 a scheduled call is made again and again, until it is not named any more', async () => {
  const [clock, name] = [new Clock(), freshName()]
  const [web, worker] = [await open(name, clock), await open(name, clock)]
  const fetch = by('worker')
  const call = worker.cache.wrap(fetch, { name: 'load' })
  const working = worker.cache.work({ schedule: [{ call, args: ['ada'], every: 1 }] })
  await soon(() => expect(fetch.mock.calls.length).toBeGreaterThanOrEqual(2))
  expect(new Set(fetch.mock.calls.map(([id]) => id))).toEqual(new Set(['ada']))
  expect(await web.cache.wrap(by('web'), { name: 'load' })('ada')).toBe('worker ada')
  const elsewhere = web.cache.wrap(by('web'), { name: 'elsewhere' })
  for (const item of [
    { call: elsewhere, every: 1 },
    { call: fetch, every: 1 },
    { call, args: [() => 1], every: 1 },
    { call, args: 'ada', every: 1 },
  ]) {
    expect(() => worker.cache.work({ schedule: [item as never] })).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/INVALID_OPTION|UNKEYABLE/) as string }),
    )
  }
  await working.close()
  worker.cache.work({ schedule: [] })
})

const GOOD = { name: 'load', full: 'function:load:ada', epoch: 0, always: false }
const base64 = (bytes: readonly number[]): string => Buffer.from(bytes).toString('base64')
/** What V8 writes for ['ada']. */
const ADA = base64([255, 15, 65, 1, 34, 3, 97, 100, 97, 36, 0, 1])

const HOSTILE: readonly (readonly [what: string, payload: unknown])[] = [
  ['nothing', null],
  ['no name', { ...GOOD, name: undefined, args: ADA }],
  ['a name longer than any', { ...GOOD, name: 'x'.repeat(10_000), args: ADA }],
  ['a name of Object.prototype', { ...GOOD, name: 'constructor', args: ADA }],
  ['a function that is not there', { ...GOOD, name: 'other', args: ADA }],
  ['no arguments', GOOD],
  ['arguments that are no text', { ...GOOD, args: ['ada'] }],
  ['arguments that are no base64', { ...GOOD, args: '<>' }],
  ['arguments that are no value', { ...GOOD, args: base64([1, 2, 3]) }],
  [
    'an array of a billion holes',
    { ...GOOD, args: base64([255, 15, 97, 128, 148, 235, 220, 3, 64, 0, 128, 148, 235, 220, 3]) },
  ],
  ['arguments that are no array', { ...GOOD, args: base64([255, 15, 34, 3, 97, 100, 97]) }],
  ['arguments larger than any', { ...GOOD, args: 'A'.repeat(200_000) }],
  ['another key', { ...GOOD, full: 'function:load:bob', args: ADA }],
  ['a key of a page', { ...GOOD, full: 'http:12:example.test5:/page0:', args: ADA }],
  ['a key longer than any', { ...GOOD, full: 'x'.repeat(10_000), args: ADA }],
  ['a purge that is none', { ...GOOD, epoch: 1e300, args: ADA }],
  ['a schedule that is none', { ...GOOD, always: 1, args: ADA }],
]

test('WORKER-89 a job of a call that is none of ours is an event, and nothing else', async () => {
  const [clock, name] = [new Clock(), freshName()]
  const worker = await open(name, clock)
  const fetch = by('worker')
  worker.cache.wrap(fetch, { name: 'load' })
  const queue = await openQueue(name)
  worker.cache.work({ concurrency: 2 })
  const options = { removeOnComplete: true, removeOnFail: true }
  for (const [, payload] of HOSTILE) await queue.add('function', payload, options)
  await soon(() => expect(worker.count('refresh-dropped')).toBe(HOSTILE.length))
  expect(worker.count('refresh-dropped', 'job-name')).toBe(2)
  expect(worker.count('refresh-dropped', 'job-key')).toBe(2)
  expect(fetch).not.toHaveBeenCalled()
  // And then one that is.
  await queue.add('function', { ...GOOD, args: ADA }, options)
  await soon(() => expect(fetch).toHaveBeenCalledExactlyOnceWith('ada'))
})

// What their tests say of the task queue (docs/from-django-cacheback.md).
describe('as in django-cacheback × BullMQ', () => {
  test('DJ-27 async refresh: a worker calls the function, and only the worker', async () => {
    const [clock, name] = [new Clock(), freshName()]
    const [web, worker] = [await open(name, clock), await open(name, clock)]
    const [here, there] = [by('web'), by('worker')]
    const load = web.cache.wrap(here, { name: 'load', fetchOnMiss: false })
    worker.cache.wrap(there, { name: 'load' })
    worker.cache.work()
    expect(await load('ada')).toBeUndefined()
    await soon(async () => expect(await load('ada')).toBe('worker ada'))
    expect(here).not.toHaveBeenCalled()
  })

  test('DJ-28 async refresh, and the queue is down: the function is called in this process', async () => {
    const clock = new Clock()
    const refresh = { queue: queueAt('/nowhere/redis.sock') }
    const { cache, count } = await open(freshName(), clock, 'shared', { refresh })
    const fetch = by('web')
    const load = cache.wrap(fetch, { name: 'load', fetchOnMiss: false })
    const startedAt = performance.now()
    expect(await load('ada')).toBeUndefined()
    expect(performance.now() - startedAt).toBeLessThan(400)
    await soon(async () => expect(await load('ada')).toBe('web ada'))
    expect(fetch).toHaveBeenCalledOnce()
    expect(count('queue-error', 'send-failed')).toBe(1)
  })

  test('DJ-29 async refresh, and both the queue and the function fail: told, no exception', async () => {
    const clock = new Clock()
    const refresh = { queue: queueAt('/nowhere/redis.sock') }
    const { cache, count } = await open(freshName(), clock, 'shared', { refresh })
    const fetch = by('web').mockRejectedValue(new Error('down'))
    const load = cache.wrap(fetch, { name: 'load', fetchOnMiss: false })
    expect(await load('ada')).toBeUndefined()
    await soon(() => expect(count('refresh-failed', 'thrown')).toBe(1))
    expect(await load('ada')).toBeUndefined()
  })

  test('DJ-30 a queue that hangs: the function is called in this process after half a second', async () => {
    const redis = await startRedis()
    onTestFinished(redis.stop)
    const clock = new Clock()
    const refresh = { queue: queueAt(redis.socketPath) }
    const name = freshName()
    const { cache, count } = await open(name, clock, 'shared', { refresh })
    await openQueue(name, redis.socketPath)
    const load = cache.wrap(by('web'), { name: 'load', fetchOnMiss: false })
    await load('bob')
    await soon(() => expect(count('refresh-sent')).toBe(1))
    redis.pause()
    expect(await load('ada')).toBeUndefined()
    await soon(async () => expect(await load('ada')).toBe('web ada'))
    expect(count('queue-error', 'send-timeout')).toBe(1)
  })

  test('DJ-31 an unknown queue is refused when the cache is made; an unknown job by the worker', async () => {
    expect(() => createCacheback({ refresh: { queue: 'celery' as never } })).toThrow(
      expect.objectContaining({ code: 'CACHEBACK_INVALID_OPTION' }),
    )
    const [clock, name] = [new Clock(), freshName()]
    const [web, worker] = [await open(name, clock), await open(name, clock)]
    const load = web.cache.wrap(by('web'), { name: 'load', fetchOnMiss: false })
    worker.cache.wrap(by('worker'), { name: 'another' })
    worker.cache.work()
    expect(await load('ada')).toBeUndefined()
    await soon(() => expect(worker.count('refresh-dropped', 'job-name')).toBe(1))
  })
})
