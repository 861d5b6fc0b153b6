import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate } from 'node:timers/promises'

import { CachebackError, Job } from '@cacheback/core'
import { describe, expect, test, vi } from 'vitest'

import { FakeStore, STORES } from '../support/stores.ts'
import { listen, makeStage, settle } from './stage.ts'

describe.each(STORES)('calls × %s', (store) => {
  async function start() {
    const stage = makeStage(store)
    const cache = await stage.open()
    let n = 0
    const fetch = vi.fn<(id?: string) => Promise<number>>(async () => (n += 1))
    return { ...stage, cache, fetch }
  }

  describe('a refresh', () => {
    test('FN-01 that is lost does not leave a value stale for ever: it is tried again after refreshTimeoutMs', async () => {
      const { cache, clock, fetch, gate } = await start()
      const load = cache.wrap(fetch, { name: 'load', maxAge: 10, refreshTimeoutMs: 30_000 })
      const failed = listen(cache, 'refresh-failed')
      await settle(cache, load())
      clock.advance(11)
      const hung = gate()
      fetch.mockImplementationOnce(async () => {
        await hung()
        return -1
      })
      expect(await load()).toBe(1)
      await hung.reached()
      clock.advance(29)
      expect(await load()).toBe(1)
      expect(fetch).toHaveBeenCalledTimes(2)
      clock.advance(1)
      expect(await load()).toBe(1)
      await cache.idle()
      expect(failed).toEqual([expect.objectContaining({ route: 'load', reason: 'timeout' })])
      // Between processes the lost one has to give its lease back first; whoever asks next tries again.
      await expect.poll(() => load()).toBe(2)
      // What the lost one brings at last is older than what is there.
      hung.open()
      await setImmediate()
      await cache.idle()
      expect(await load()).toBe(2)
    })

    test('FN-02 that comes late, with nothing newer there, is kept', async () => {
      const { cache, clock, fetch, gate } = await start()
      const load = cache.wrap(fetch, { name: 'load', maxAge: 10, refreshTimeoutMs: 30 })
      await settle(cache, load())
      clock.advance(11)
      const late = gate()
      fetch.mockImplementationOnce(async () => {
        await late()
        return 50
      })
      // Its place in the queue is free again when its time is over.
      await settle(cache, load())
      expect(cache.stats().refresh).toEqual({ queued: 0, running: 0 })
      late.open()
      await vi.waitFor(async () => expect(await load.peek()).toMatchObject({ value: 50 }))
    })

    test('FN-03 that has waited in the queue is skipped where the value is fresh again', async () => {
      const { open, clock, fetch, gate } = await start()
      const cache = await open({ refresh: { concurrency: 1 } })
      const load = cache.wrap(fetch, { name: 'load', maxAge: 10 })
      await settle(cache, load('slow'))
      await settle(cache, load('ada'))
      clock.advance(11)
      const hold = gate()
      fetch.mockImplementationOnce(async () => {
        await hold()
        return 70
      })
      await load('slow')
      await hold.reached()
      for (let i = 0; i < 3; i += 1) await load('ada')
      expect(cache.stats().refresh).toEqual({ queued: 1, running: 1 })
      await load.set(['ada'], 80)
      hold.open()
      await cache.idle()
      expect(await load('ada')).toBe(80)
      expect(fetch).toHaveBeenCalledTimes(3)
    })

    test('FN-09 that has waited in the queue is skipped where the value was purged meanwhile', async () => {
      const { open, clock, fetch, gate } = await start()
      const cache = await open({ refresh: { concurrency: 1 } })
      const load = cache.wrap(fetch, { name: 'load', maxAge: 10, tags: (id) => [`${id}`] })
      await settle(cache, load('slow'))
      await settle(cache, load('ada'))
      clock.advance(11)
      const hold = gate()
      fetch.mockImplementationOnce(async () => {
        await hold()
        return 70
      })
      await load('slow')
      await hold.reached()
      await load('ada')
      await cache.purge({ tag: 'ada' })
      hold.open()
      await cache.idle()
      expect(fetch).toHaveBeenCalledTimes(3)
      expect(await load.peek('ada')).toBeUndefined()
    })

    test('FN-04 that fails leaves the old value for as long as it may be given', async () => {
      const { cache, clock, fetch } = await start()
      const load = cache.wrap(fetch, { name: 'load', maxAge: 10 })
      await settle(cache, load())
      fetch.mockRejectedValue(new Error('down'))
      for (let day = 0; day < 30; day += 1) {
        clock.advance(86_400)
        expect(await settle(cache, load())).toBe(1)
      }
      expect(cache.stats().events['refresh-failed']).toBe(30)
    })

    test('FN-05 never runs in the async context of the caller', async () => {
      const { cache, clock } = await start()
      const visitor = new AsyncLocalStorage<string>()
      const seen: (string | undefined)[] = []
      const load = cache.wrap(async () => seen.push(visitor.getStore()), { name: 'load', maxAge: 10 })
      const eager = cache.wrap(async () => seen.push(visitor.getStore()), { name: 'eager', fetchOnMiss: false })
      await visitor.run('ada', () => settle(cache, load()))
      clock.advance(11)
      await visitor.run('bob', () => settle(cache, load()))
      await visitor.run('cy', () => settle(cache, load.refresh()))
      await visitor.run('dan', () => settle(cache, load.invalidate()))
      await visitor.run('eve', () => settle(cache, eager()))
      expect(seen).toEqual(['ada', undefined, undefined, undefined, undefined])
    })

    test('FN-06 whose result is not to be stored ends the old value', async () => {
      const { cache, clock, fetch } = await start()
      const load = cache.wrap(fetch, { name: 'load', maxAge: (n) => (n === 2 ? undefined : 10) })
      await settle(cache, load())
      clock.advance(11)
      expect(await settle(cache, load())).toBe(1)
      expect(await settle(cache, load())).toBe(3)
    })

    test.runIf(store === 'keyv')(
      'FN-64 … and not the one that was set meanwhile (Keyv: memory knows of it, and another process can be asked)',
      async () => {
        const { cache, open, clock, fetch, gate } = await start()
        const load = cache.wrap(fetch, { name: 'load', maxAge: (n) => (n === 2 ? undefined : 10) })
        await settle(cache, load())
        clock.advance(11)
        const hold = gate()
        fetch.mockImplementationOnce(async () => {
          await hold()
          return 2
        })
        await load()
        await hold.reached()
        await load.set([], 20)
        hold.open()
        expect(await settle(cache, load())).toBe(20)
        const other = (await open()).wrap(fetch, { name: 'load' })
        expect(await other.peek()).toMatchObject({ value: 20 })
      },
    )

    test('FN-07 that was asked for and throws: the error passes through, the old value stays', async () => {
      const { cache, fetch } = await start()
      const load = cache.wrap(fetch, { name: 'load' })
      await settle(cache, load())
      fetch.mockRejectedValueOnce(new Error('down'))
      await expect(settle(cache, load.refresh())).rejects.toThrow('down')
      expect(await load()).toBe(1)
    })

    test('FN-08 by one process is seen by another before it makes one of its own', async () => {
      const { cache, open, clock, fetch } = await start()
      const second = await open()
      const [here, there] = [cache, second].map((one) => one.wrap(fetch, { name: 'load', maxAge: 10 }))
      await settle(cache, here!())
      await settle(second, there!())
      clock.advance(11)
      await settle(cache, here!())
      const calls = fetch.mock.calls.length
      await settle(second, there!())
      const ownCalls = store === 'memory' ? 1 : 0
      expect(await settle(second, there!())).toBe(calls + ownCalls)
      expect(fetch).toHaveBeenCalledTimes(calls + ownCalls)
    })
  })

  describe('misses', () => {
    test('FN-10 at the same time make one call', async () => {
      const { cache, fetch, gate } = await start()
      const hold = gate()
      fetch.mockImplementation(async () => {
        await hold()
        return 5
      })
      const load = cache.wrap(fetch, { name: 'load' })
      const crowd = Array.from({ length: 100 }, () => load())
      await hold.reached()
      hold.open()
      expect(new Set(await Promise.all(crowd))).toEqual(new Set([5]))
      expect(fetch).toHaveBeenCalledOnce()
    })

    test('FN-11 at the same time share what cannot be stored, and what is thrown', async () => {
      const { cache } = await start()
      let calls = 0
      const make = cache.wrap(async () => ((calls += 1), { now: () => calls }), { name: 'make' })
      const [first, second] = await Promise.all([make(), make()])
      expect(first).toBe(second)
      const fail = cache.wrap(
        async () => {
          calls += 1
          throw new Error('down')
        },
        { name: 'fail' },
      )
      const outcomes = await Promise.allSettled([fail(), fail()])
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
      expect(calls).toBe(2)
      await expect(fail()).rejects.toThrow('down')
      expect(calls).toBe(3)
    })

    test('FN-12 that a hung call keeps waiting make one of their own after refreshTimeoutMs', async () => {
      const { cache, fetch, gate } = await start()
      const hung = gate()
      fetch.mockImplementationOnce(async () => {
        await hung()
        return -1
      })
      const load = cache.wrap(fetch, { name: 'load', refreshTimeoutMs: 20 })
      void load()
      await hung.reached()
      const crowd = await Promise.all([load(), load(), load()])
      expect(crowd).toEqual([1, 1, 1])
      expect(fetch).toHaveBeenCalledTimes(2)
    })

    test('FN-13 for which stale values are too old wait for the refresh under way', async () => {
      const { cache, clock, fetch, gate } = await start()
      const load = cache.wrap(fetch, { name: 'load', maxAge: 10, fetchOnStaleAfter: 20 })
      await settle(cache, load())
      clock.advance(11)
      const hold = gate()
      fetch.mockImplementationOnce(async () => {
        await hold()
        return 2
      })
      await load()
      await hold.reached()
      clock.advance(10)
      const waiting = load()
      await setImmediate()
      hold.open()
      expect(await waiting).toBe(2)
      expect(fetch).toHaveBeenCalledTimes(2)
    })

    test('FN-14 that are made behind and fail are tried again, later', async () => {
      const { cache, clock, fetch } = await start()
      const load = cache.wrap(fetch, { name: 'load', fetchOnMiss: () => false, empty: 0 })
      fetch.mockRejectedValueOnce(new Error('down'))
      expect(await settle(cache, load())).toBe(0)
      expect(await settle(cache, load())).toBe(0)
      expect(fetch).toHaveBeenCalledOnce()
      clock.advance(2)
      await settle(cache, load())
      expect(await load()).toBe(1)
    })
  })

  describe('errors', () => {
    test('FN-20 pass through on a miss, and are not kept', async () => {
      const { cache, fetch } = await start()
      const load = cache.wrap(fetch, { name: 'load' })
      fetch.mockRejectedValueOnce(new Error('down'))
      await expect(settle(cache, load())).rejects.toThrow('down')
      expect(await settle(cache, load())).toBe(1)
    })

    test('FN-21 are kept for a while where that is asked for', async () => {
      const { cache, clock, fetch } = await start()
      const load = cache.wrap(fetch, { name: 'load', errorMaxAge: 5 })
      const error = Object.assign(new RangeError('down'), { code: 'E_DOWN', socket: { send: () => undefined } })
      fetch.mockRejectedValueOnce(error)
      await expect(settle(cache, load())).rejects.toBe(error)
      clock.advance(4)
      const kept = await settle(cache, load()).catch((thrown: unknown) => thrown)
      expect(kept).toBeInstanceOf(RangeError)
      expect(kept).toMatchObject({ message: 'down', code: 'E_DOWN' })
      expect(kept).not.toHaveProperty('socket')
      expect(await settle(cache, load.peek())).toMatchObject({ value: undefined, error: { code: 'E_DOWN' } })
      clock.advance(1)
      expect(await settle(cache, load())).toBe(1)
    })

    test('FN-22 are kept by kind, where the lifetime is a function of them', async () => {
      const { cache, fetch } = await start()
      const load = cache.wrap(fetch, {
        name: 'load',
        errorMaxAge: (error) => (error instanceof RangeError ? 5 : undefined),
      })
      fetch.mockRejectedValueOnce(new TypeError('bug'))
      await expect(settle(cache, load())).rejects.toThrow('bug')
      fetch.mockRejectedValueOnce(new RangeError('gone'))
      await expect(settle(cache, load())).rejects.toThrow('gone')
      await expect(settle(cache, load())).rejects.toThrow('gone')
    })

    test('FN-23 let a stored value stand in, within staleIfError', async () => {
      const { cache, clock, fetch } = await start()
      const options = { maxAge: 10, staleWhileRevalidate: 0, staleIfError: 60, errorMaxAge: 5 }
      const seen: unknown[] = []
      const load = cache.wrap(fetch, {
        name: 'load',
        ...options,
        process: (n, { status, sync }) => {
          seen.push([status, sync])
          return n
        },
      })
      await settle(cache, load())
      fetch.mockRejectedValue(new Error('down'))
      clock.advance(69)
      const stale = listen(cache, 'stale')
      expect(await settle(cache, load())).toBe(1)
      expect(stale).toEqual([expect.objectContaining({ reason: 'stale-if-error', route: 'load' })])
      // The error has not taken its place.
      expect(await settle(cache, load())).toBe(1)
      expect(seen).toEqual([
        ['miss', true],
        ['stale', true],
        ['stale', true],
      ])
      clock.advance(1)
      await expect(settle(cache, load())).rejects.toThrow('down')
    })

    test('FN-24 of a value too old to be given pass through', async () => {
      const { cache, clock, fetch } = await start()
      const load = cache.wrap(fetch, { name: 'load', maxAge: 10, fetchOnStaleAfter: 20 })
      await settle(cache, load())
      fetch.mockRejectedValueOnce(new Error('down'))
      clock.advance(21)
      await expect(settle(cache, load())).rejects.toThrow('down')
      expect(await settle(cache, load())).toBe(2)
    })

    test('FN-25 of synchronous functions are rejections', async () => {
      const { cache } = await start()
      const load = cache.wrap(
        (n: number) => {
          if (n === 0) throw new Error('zero')
          return n
        },
        { name: 'load' },
      )
      await expect(settle(cache, load(0))).rejects.toThrow('zero')
      expect(await settle(cache, load(1))).toBe(1)
    })
  })

  describe('purges', () => {
    test('FN-30 by tag, by name and of everything reach functions, in every process', async () => {
      const { cache, open, clock, fetch } = await start()
      const second = await open()
      const [here, there] = [cache, second].map((one) =>
        one.wrap(fetch, { name: 'load', tags: (id) => [`user:${id}`] }),
      )
      const other = cache.wrap(fetch, { name: 'other' })
      const calls = async (): Promise<number> => {
        await settle(cache, other())
        await settle(second, there!('ada'))
        await settle(cache, here!('ada'))
        clock.advance(2)
        return fetch.mock.calls.length
      }
      const all = await calls()
      expect(await calls()).toBe(all)
      // Of the two functions and two processes the purge concerns what was asked for.
      await cache.purge({ tag: 'user:bob' })
      expect(await calls()).toBe(all)
      await cache.purge({ tag: 'user:ada' })
      expect(await calls()).toBe(all + 1)
      await cache.purge({ route: 'load' })
      expect(await calls()).toBe(all + 2)
      await cache.purge({ all: true })
      expect(await calls()).toBe(all + 4)
      // Paths are of pages.
      await cache.purge({ prefix: '/' })
      await cache.purge({ url: '/load:ada' })
      expect(await calls()).toBe(all + 4)
    })

    test('FN-31 by soft marks make stale', async () => {
      const { cache, fetch } = await start()
      const load = cache.wrap(fetch, { name: 'load' })
      await settle(cache, load())
      await cache.purge({ route: 'load' }, { soft: true })
      expect(await settle(cache, load())).toBe(1)
      expect(await settle(cache, load())).toBe(2)
    })

    test.each(['delete', 'purge'] as const)(
      'FN-32 during a call (%s): its result is given and not stored, and who comes later makes another',
      async (how) => {
        const { cache, fetch, gate } = await start()
        const hold = gate()
        fetch.mockImplementationOnce(async () => {
          await hold()
          return 10
        })
        const load = cache.wrap(fetch, { name: 'load', tags: () => ['t'] })
        const early = load('a?b%')
        await hold.reached()
        await (how === 'delete' ? load.delete('a?b%') : cache.purge({ tag: 't' }))
        expect(await settle(cache, load('a?b%'))).toBe(1)
        hold.open()
        expect(await early).toBe(10)
        await cache.idle()
        expect(await load('a?b%')).toBe(1)
      },
    )

    test('FN-33 during a refresh: what it brings is stale, and the next one is begun', async () => {
      const { cache, clock, fetch, gate } = await start()
      const load = cache.wrap(fetch, { name: 'load', maxAge: 10 })
      await settle(cache, load())
      clock.advance(11)
      const hold = gate()
      fetch.mockImplementationOnce(async () => {
        await hold()
        return 10
      })
      await load()
      await hold.reached()
      // The data have changed: what is under way may have read what was there before.
      await load.invalidate()
      await vi.waitFor(() => expect(fetch).toHaveBeenCalledTimes(3))
      hold.open()
      await cache.idle()
      expect(await load()).toBe(2)
    })

    test('FN-34 a value that was set is not replaced by a call that began before', async () => {
      const { cache, fetch, gate } = await start()
      const hold = gate()
      fetch.mockImplementationOnce(async () => {
        await hold()
        return 10
      })
      const load = cache.wrap(fetch, { name: 'load' })
      const early = load()
      await hold.reached()
      await load.set([], 20)
      hold.open()
      expect(await early).toBe(10)
      await cache.idle()
      expect(await load()).toBe(20)
    })

    test('FN-35 arguments with what URLs are made of are deleted alone', async () => {
      const { cache, fetch } = await start()
      const load = cache.wrap(fetch, { name: 'load' })
      for (const id of ['a?b', 'a?c', 'a', '%3F', 'ü*']) await settle(cache, load(id))
      for (const id of ['a?b', '%3F', 'ü*']) expect(await settle(cache, load.delete(id))).toBe(true)
      const left = await Promise.all(['a?b', 'a?c', 'a', '%3F', 'ü*'].map(async (id) => (await load.peek(id))?.value))
      expect(left).toEqual([undefined, 2, 3, undefined, undefined])
    })
  })

  describe('lifetimes', () => {
    test('FN-40 are functions of the result and the arguments', async () => {
      const { cache, clock, fetch } = await start()
      const load = cache.wrap(fetch, {
        name: 'load',
        maxAge: (n, id) => (id === 'long' ? 100 : n),
        staleWhileRevalidate: (n) => n,
      })
      await settle(cache, load())
      await settle(cache, load('long'))
      const { now } = clock
      expect(await settle(cache, load.peek())).toMatchObject({ freshUntil: now + 1000, usableUntil: now + 2000 })
      expect(await settle(cache, load.peek('long'))).toMatchObject({ freshUntil: now + 100_000 })
    })

    test.each([
      ['no number', () => 'soon' as unknown as number, 'lifetime'],
      ['NaN', () => Number.NaN, 'lifetime'],
      ['negative', () => -1, 'lifetime'],
      [
        'an exception',
        () => {
          throw new Error('bug')
        },
        'lifetime',
      ],
    ])('FN-41 that are %s: the value is given, told and not stored', async (_what, maxAge, reason) => {
      const { cache, fetch } = await start()
      const load = cache.wrap(fetch, { name: 'load', maxAge })
      const errors = listen(cache, 'store-error')
      expect(await settle(cache, load())).toBe(1)
      expect(errors).toEqual([expect.objectContaining({ reason })])
      expect(await load.peek()).toBeUndefined()
    })

    test.each([Number.NaN, Infinity, -1])('FN-43 that a Job gives and that are none (%s): likewise', async (given) => {
      const { cache } = await start()
      class Load extends Job<[], number> {
        async fetch(): Promise<number> {
          return 1
        }
        override freshFor(): number {
          return given
        }
      }
      const load = new Load(cache)
      const errors = listen(cache, 'store-error')
      expect(await settle(cache, load.get())).toBe(1)
      expect(errors).toEqual([expect.objectContaining({ reason: 'lifetime' })])
      expect(await load.peek()).toBeUndefined()
    })

    test('FN-42 tags that cannot be told: the value is given, told and not stored', async () => {
      const { cache, fetch } = await start()
      const load = cache.wrap(fetch, { name: 'load', tags: () => [1] as unknown as string[] })
      const errors = listen(cache, 'store-error')
      expect(await settle(cache, load())).toBe(1)
      expect(errors).toEqual([expect.objectContaining({ reason: 'tags' })])
      expect(await load.peek()).toBeUndefined()
    })
  })

  test('FN-50 process shapes what each caller gets, and nothing of it is stored', async () => {
    const { cache, clock, fetch } = await start()
    const load = cache.wrap(fetch, { name: 'load', maxAge: 10, process: async (n, { status }, id) => [n, status, id] })
    expect(await settle(cache, load('ada'))).toEqual([1, 'miss', 'ada'])
    expect(await settle(cache, load('ada'))).toEqual([1, 'hit', 'ada'])
    clock.advance(11)
    expect(await settle(cache, load('ada'))).toEqual([1, 'stale', 'ada'])
    expect(await settle(cache, load.refresh('ada'))).toBe(3)
  })

  test('FN-56 what a miss gets that does not wait is each caller’s own', async () => {
    const { cache } = await start()
    const load = cache.wrap(async (name: string) => [name], { name: 'load', fetchOnMiss: false, empty: [] as string[] })
    const own = await load('ada')
    own.push('a secret of ada')
    expect(await load('bob')).toEqual([])
    const unclonable = { empty: { of: () => 'a function' } }
    expect(() => cache.wrap(async () => 1, { name: 'other', fetchOnMiss: false, ...unclonable })).toThrow(
      expect.objectContaining({ code: 'CACHEBACK_INVALID_OPTION' }),
    )
  })

  test('FN-51 this is whoever is asked, also for what is made behind', async () => {
    const { cache, clock } = await start()
    const load = cache.wrap(
      async function load(this: { base: number }, n: number) {
        return this.base + n
      },
      {
        maxAge: 10,
        key(n) {
          return [this.base, n]
        },
      },
    )
    const [ten, twenty] = [10, 20].map((base) => ({ base, load }))
    expect(await settle(cache, ten!.load(1))).toBe(11)
    expect(await settle(cache, twenty!.load(1))).toBe(21)
    clock.advance(11)
    ten!.base = 10
    expect(await settle(cache, ten!.load(1))).toBe(11)
    expect(await settle(cache, ten!.load(1))).toBe(11)
  })

  test('FN-52 after close, calls pass uncached, the methods say so, and nothing is left running', async () => {
    const { cache, clock, fetch, gate } = await start()
    const hung = gate()
    const load = cache.wrap(fetch, { name: 'load', maxAge: 10 })
    const eager = cache.wrap(fetch, { name: 'eager', fetchOnMiss: false, empty: 0 })
    await settle(cache, load())
    clock.advance(11)
    fetch.mockImplementationOnce(async () => {
      await hung()
      return -1
    })
    await load()
    await hung.reached()
    await cache.close()
    expect(cache.stats().refresh).toEqual({ queued: 0, running: 0 })
    expect([await load(), await load(), await eager()]).toEqual([2, 3, 0])
    for (const method of [load.refresh, load.invalidate, load.delete, load.peek, () => load.set([], 1)]) {
      await expect(method()).rejects.toMatchObject({ code: 'CACHEBACK_CLOSED' })
    }
  })

  test('FN-55 many refreshes at once end with close', async () => {
    const { open, clock, fetch, gate } = await start()
    const cache = await open({ refresh: { concurrency: 30 } })
    const load = cache.wrap(fetch, { name: 'load', maxAge: 10 })
    const ids = Array.from({ length: 30 }, (_, i) => `${i}`)
    for (const id of ids) await settle(cache, load(id))
    clock.advance(11)
    const hung = gate()
    fetch.mockImplementation(async () => {
      await hung()
      return -1
    })
    for (const id of ids) await load(id)
    await hung.reached(30)
    await setImmediate()
    await cache.close()
    expect(cache.stats().refresh).toEqual({ queued: 0, running: 0 })
  })

  test('FN-53 idle waits for what is made behind', async () => {
    const { cache, gate } = await start()
    const hold = gate()
    const load = cache.wrap(hold, { name: 'load', fetchOnMiss: false })
    await load()
    await hold.reached()
    let isIdle = false
    const idle = cache.idle().then(() => (isIdle = true))
    await setImmediate()
    expect(isIdle).toBe(false)
    hold.open()
    await idle
    expect(await load.peek()).toMatchObject({ value: undefined })
  })

  test('FN-54 a mistake in the options is told where it is made', async () => {
    const { cache, fetch } = await start()
    const codeOf = (fn: unknown, options?: object): string | undefined => {
      try {
        cache.wrap(fn as () => unknown, options)
      } catch (error) {
        return error instanceof CachebackError ? error.code : 'another error'
      }
      return undefined
    }
    expect(codeOf(fetch, { name: 'a', ttl: 1 })).toBe('CACHEBACK_UNKNOWN_OPTION')
    expect(codeOf(fetch, { name: 'a', maxAge: '1' })).toBe('CACHEBACK_INVALID_OPTION')
    expect(codeOf(fetch, { name: 'a', fetchOnMiss: 'no' })).toBe('CACHEBACK_INVALID_OPTION')
    expect(codeOf(fetch, { name: 'a:b' })).toBe('CACHEBACK_INVALID_OPTION')
    expect(codeOf(fetch, { name: '/a' })).toBe('CACHEBACK_INVALID_OPTION')
    expect(codeOf(() => 1)).toBe('CACHEBACK_INVALID_OPTION')
    expect(codeOf(fetch.bind(null))).toBe('CACHEBACK_INVALID_OPTION')
    expect(codeOf('load')).toBe('CACHEBACK_INVALID_OPTION')
    expect(codeOf(fetch, { name: 'a' })).toBeUndefined()
    expect(codeOf(async () => 2, { name: 'a' })).toBe('CACHEBACK_NAME_TAKEN')
  })
})

test('FN-60 a fresh call does no I/O, but for the purges once a second', async () => {
  const { open, clock } = makeStage('memory')
  const store = new FakeStore()
  const cache = await open({ store })
  const load = cache.wrap(async (n: number) => n, { name: 'load' })
  await settle(cache, load(1))
  const before = { ...store.calls }
  for (let i = 0; i < 100; i += 1) expect(await load(1)).toBe(1)
  expect(store.calls).toEqual(before)
  clock.advance(1)
  for (let i = 0; i < 100; i += 1) expect(await load(1)).toBe(1)
  expect(store.calls).toEqual({ ...before, get: before.get + 1 })
})

test.each([false, undefined] as const)(
  'FN-63 what is deleted lies in the store no longer (memory: %s)',
  async (memory) => {
    const { open } = makeStage('memory')
    const store = new FakeStore()
    const cache = await open({ store, memory })
    const load = cache.wrap(async (n: number) => n, { name: 'load' })
    await settle(cache, load(1))
    expect([...store.frames.keys()].filter((key) => key.includes('load'))).toHaveLength(1)
    await settle(cache, load.delete(1))
    expect([...store.frames.keys()].filter((key) => key.includes('load'))).toHaveLength(0)
  },
)

test('FN-61 without an answer of the store, functions go on', async () => {
  const { open } = makeStage('memory')
  const store = new FakeStore()
  store.fault = 'hang'
  const cache = await open({ store, storeTimeoutMs: { get: 10, set: 10 } })
  const load = cache.wrap(async (n: number) => n, { name: 'load' })
  expect(await settle(cache, load(1))).toBe(1)
  expect(await settle(cache, load(1))).toBe(1)
  await expect(load.delete(1)).rejects.toThrow(/./)
  expect(await load.peek(1)).toBeUndefined()
})

test('FN-62 pages and functions share memory, queue and counters, and never a key', async () => {
  const { open } = makeStage('memory')
  const cache = await open()
  const load = cache.wrap(async () => 'x'.repeat(100), { name: 'http' })
  await settle(cache, load())
  expect(cache.stats().memory.entries).toBe(1)
  expect(await cache.inspect('http://a.test/')).toBeUndefined()
  await cache.purge({ url: '/' })
  expect(await load.peek()).toBeDefined()
})
