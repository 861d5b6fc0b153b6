import { type CallInfo, Job } from '@cacheback/core'
import { describe, expect, test, vi } from 'vitest'

import { FakeStore, STORES } from '../support/stores.ts'
import { listen, makeStage, settle } from './stage.ts'

// What django-cacheback's own tests say, one by one, in their order (docs/from-django-cacheback.md has the names).
describe.each(STORES)('as in django-cacheback × %s', (store) => {
  async function start() {
    const { clock, open, gate } = makeStage(store)
    const cache = await open()
    let n = 0
    const fetch = vi.fn<(who: string, page?: number) => Promise<{ who: string; n: number }>>(async (who) => {
      n += 1
      return { who, n }
    })
    return { clock, open, gate, cache, fetch }
  }

  test('DJ-01 get, a miss, sync: the function is called in place', async () => {
    const { cache, fetch } = await start()
    const tweets = cache.wrap(fetch, { name: 'tweets' })
    expect(await settle(cache, tweets('ada'))).toEqual({ who: 'ada', n: 1 })
    expect(fetch).toHaveBeenCalledExactlyOnceWith('ada')
    expect(cache.stats().events).toMatchObject({ miss: 1, store: 1, hit: 0 })
  })

  test('DJ-02 get, a miss, async: empty at once, and the function is called behind', async () => {
    const { cache, fetch, gate } = await start()
    const hold = gate()
    fetch.mockImplementation(async (who) => {
      await hold()
      return { who, n: 1 }
    })
    const tweets = cache.wrap(fetch, { name: 'tweets', fetchOnMiss: false, empty: 'none yet' })
    expect(await tweets('ada')).toBe('none yet')
    await hold.reached()
    // While it is under way nobody starts another.
    expect(await tweets('ada')).toBe('none yet')
    hold.open()
    await cache.idle()
    expect(await tweets('ada')).toEqual({ who: 'ada', n: 1 })
    expect(fetch).toHaveBeenCalledOnce()
  })

  test('DJ-03 get, a miss, async without empty: undefined', async () => {
    const { cache, fetch } = await start()
    const tweets = cache.wrap(fetch, { name: 'tweets', fetchOnMiss: false })
    expect(await settle(cache, tweets('ada'))).toBeUndefined()
    expect(await tweets('ada')).toEqual({ who: 'ada', n: 1 })
  })

  test('DJ-04 another cache of another name has values of its own', async () => {
    const { cache, open, fetch } = await start()
    const other = await open({ name: 'other' })
    const [tweets, others] = [cache, other].map((one) => one.wrap(fetch, { name: 'tweets' }))
    await settle(cache, tweets!('ada'))
    expect(await settle(other, others!('ada'))).toEqual({ who: 'ada', n: 2 })
  })

  test('DJ-05 get, stale, sync: one that is too old is waited for', async () => {
    const { cache, clock, fetch } = await start()
    const tweets = cache.wrap(fetch, { name: 'tweets', maxAge: 10, fetchOnStaleAfter: 60 })
    await settle(cache, tweets('ada'))
    clock.advance(61)
    expect(await settle(cache, tweets('ada'))).toEqual({ who: 'ada', n: 2 })
    expect(fetch).toHaveBeenCalledTimes(2)
  })

  test('DJ-06 get, stale, async: the old value at once, the next one behind', async () => {
    const { cache, clock, fetch, gate } = await start()
    const tweets = cache.wrap(fetch, { name: 'tweets', maxAge: 10 })
    await settle(cache, tweets('ada'))
    clock.advance(11)
    const hold = gate()
    fetch.mockImplementation(async (who) => {
      await hold()
      return { who, n: 2 }
    })
    expect(await tweets('ada')).toEqual({ who: 'ada', n: 1 })
    await hold.reached()
    for (let i = 0; i < 5; i += 1) expect(await tweets('ada')).toEqual({ who: 'ada', n: 1 })
    hold.open()
    await cache.idle()
    expect(await tweets('ada')).toEqual({ who: 'ada', n: 2 })
    expect(fetch).toHaveBeenCalledTimes(2)
    expect(cache.stats().events).toMatchObject({ stale: 6, refresh: 1, miss: 1 })
  })

  test('DJ-07 get, a hit: the function is not called', async () => {
    const { cache, clock, fetch } = await start()
    const tweets = cache.wrap(fetch, { name: 'tweets' })
    await settle(cache, tweets('ada'))
    clock.advance(599)
    expect(await settle(cache, tweets('ada'))).toEqual({ who: 'ada', n: 1 })
    expect(fetch).toHaveBeenCalledOnce()
    // The default lifetime is theirs.
    clock.advance(2)
    await settle(cache, tweets('ada'))
    expect(fetch).toHaveBeenCalledTimes(2)
  })

  test('DJ-08 invalidate on a miss does nothing', async () => {
    const { cache, fetch } = await start()
    const tweets = cache.wrap(fetch, { name: 'tweets' })
    expect(await settle(cache, tweets.invalidate('ada'))).toBe(false)
    expect(fetch).not.toHaveBeenCalled()
  })

  test('DJ-09 invalidate on a hit: stale now, and made anew behind', async () => {
    const { cache, fetch, gate } = await start()
    const tweets = cache.wrap(fetch, { name: 'tweets' })
    await settle(cache, tweets('ada'))
    const hold = gate()
    fetch.mockImplementation(async (who) => {
      await hold()
      return { who, n: 2 }
    })
    expect(await tweets.invalidate('ada')).toBe(true)
    await hold.reached()
    expect(await tweets('ada')).toEqual({ who: 'ada', n: 1 })
    expect(cache.stats().events.stale).toBe(1)
    hold.open()
    await cache.idle()
    expect(await tweets('ada')).toEqual({ who: 'ada', n: 2 })
    expect(fetch).toHaveBeenCalledTimes(2)
  })

  test('DJ-10 delete on a miss does nothing', async () => {
    const { cache, fetch } = await start()
    const tweets = cache.wrap(fetch, { name: 'tweets' })
    expect(await settle(cache, tweets.delete('ada'))).toBe(false)
    expect(fetch).not.toHaveBeenCalled()
  })

  test('DJ-11 delete on a hit: the next call is a miss', async () => {
    const { cache, open, fetch } = await start()
    const tweets = cache.wrap(fetch, { name: 'tweets' })
    await settle(cache, tweets('ada'))
    await settle(cache, tweets('bob'))
    expect(await settle(cache, tweets.delete('ada'))).toBe(true)
    expect(await tweets.peek('ada')).toBeUndefined()
    const restarted = (await open()).wrap(fetch, { name: 'tweets' })
    expect(await restarted.peek('ada')).toBeUndefined()
    expect(await settle(cache, tweets('ada'))).toEqual({ who: 'ada', n: 3 })
    expect(await settle(cache, tweets('bob'))).toEqual({ who: 'bob', n: 2 })
  })

  test('DJ-12 store: what the function returns is there for others', async () => {
    const { cache, open, fetch } = await start()
    const tweets = cache.wrap(fetch, { name: 'tweets' })
    await settle(cache, tweets('ada'))
    const second = await open()
    const again = second.wrap(fetch, { name: 'tweets' })
    const n = store === 'memory' ? 2 : 1
    expect(await settle(second, again('ada'))).toEqual({ who: 'ada', n })
  })

  test('DJ-13 store verified, failing: a value that was lost is told, and given all the same', async () => {
    const { open, fetch } = await start()
    const fake = new FakeStore()
    const cache = await open({ store: fake, memory: false })
    const tweets = cache.wrap(fetch, { name: 'tweets' })
    const errors = listen(cache, 'store-error')
    await settle(cache, tweets.peek('ada'))
    fake.set = () => Promise.reject(new Error('full'))
    expect(await settle(cache, tweets('ada'))).toEqual({ who: 'ada', n: 1 })
    expect(errors).toEqual([expect.objectContaining({ reason: 'set-failed' })])
    expect(cache.stats().events['store-error']).toBe(1)
  })

  test('DJ-14 store, what nobody can store: told, given, and not stored', async () => {
    const { cache } = await start()
    const errors = listen(cache, 'store-error')
    const make = cache.wrap(async () => ({ now: () => 1 }), { name: 'make' })
    const [first, second] = [await settle(cache, make()), await settle(cache, make())]
    expect(first.now()).toBe(1)
    expect(second).not.toBe(first)
    expect(errors.map(({ reason, route }) => [reason, route])).toEqual([
      ['not-cloneable', 'make'],
      ['not-cloneable', 'make'],
    ])
    expect(await make.peek()).toBeUndefined()
  })

  test('DJ-15 refresh: the function is called now, and what it returns is stored', async () => {
    const { cache, fetch } = await start()
    const tweets = cache.wrap(fetch, { name: 'tweets' })
    await settle(cache, tweets('ada'))
    expect(await settle(cache, tweets.refresh('ada'))).toEqual({ who: 'ada', n: 2 })
    expect(await settle(cache, tweets('ada'))).toEqual({ who: 'ada', n: 2 })
    expect(fetch).toHaveBeenCalledTimes(2)
  })

  test('DJ-16 async refresh, and the function fails: told, no exception, the old value stays', async () => {
    const { cache, clock, fetch } = await start()
    const tweets = cache.wrap(fetch, { name: 'tweets', maxAge: 10 })
    await settle(cache, tweets('ada'))
    clock.advance(11)
    const failure = new Error('down')
    fetch.mockRejectedValueOnce(failure)
    const failed = listen(cache, 'refresh-failed')
    expect(await settle(cache, tweets('ada'))).toEqual({ who: 'ada', n: 1 })
    expect(failed).toEqual([expect.objectContaining({ route: 'tweets', reason: 'thrown', error: failure })])
    // Not again at once, and then again.
    await settle(cache, tweets('ada'))
    expect(fetch).toHaveBeenCalledTimes(2)
    clock.advance(2)
    await settle(cache, tweets('ada'))
    expect(await settle(cache, tweets('ada'))).toEqual({ who: 'ada', n: 2 })
  })

  test('DJ-17 the queue is full: told, and tried again by the next call', async () => {
    const { open, clock, fetch, gate } = await start()
    const cache = await open({ refresh: { concurrency: 1, queueLimit: 0 } })
    const tweets = cache.wrap(fetch, { name: 'tweets', maxAge: 10 })
    await settle(cache, tweets('ada'))
    await settle(cache, tweets('bob'))
    clock.advance(11)
    const hold = gate()
    fetch.mockImplementationOnce(async (who) => {
      await hold()
      return { who, n: 3 }
    })
    await tweets('ada')
    await hold.reached()
    const dropped = listen(cache, 'refresh-dropped')
    await tweets('bob')
    expect(dropped).toEqual([expect.objectContaining({ route: 'tweets', reason: 'queue-full' })])
    hold.open()
    await cache.idle()
    await settle(cache, tweets('bob'))
    expect(await tweets('bob')).toEqual({ who: 'bob', n: 3 })
  })

  test('DJ-18 expiry: fresh until the lifetime after it was made, to the millisecond', async () => {
    const { cache, clock, fetch } = await start()
    const madeAt = clock.now
    const tweets = cache.wrap(fetch, { name: 'tweets', maxAge: 10, staleWhileRevalidate: 20, staleIfError: 50 })
    await settle(cache, tweets('ada'))
    expect(await tweets.peek('ada')).toEqual({
      value: { who: 'ada', n: 1 },
      error: undefined,
      storedAt: madeAt,
      freshUntil: madeAt + 10_000,
      usableUntil: madeAt + 60_000,
    })
    clock.advance(9.999)
    await settle(cache, tweets('ada'))
    expect(fetch).toHaveBeenCalledOnce()
    clock.advance(0.001)
    await settle(cache, tweets('ada'))
    expect(fetch).toHaveBeenCalledTimes(2)
  })

  test.each([
    ['none', undefined, 1],
    ['not reached', 60, 1],
    ['reached', 59, 2],
  ])('DJ-19 threshold for stale values: %s', async (_what, fetchOnStaleAfter, n) => {
    const { cache, clock, fetch } = await start()
    const tweets = cache.wrap(fetch, { name: 'tweets', maxAge: 10, fetchOnStaleAfter })
    await settle(cache, tweets('ada'))
    // Counted from when it was made; not beyond it, at 60.
    clock.advance(60)
    expect(await tweets('ada')).toEqual({ who: 'ada', n })
  })

  test('DJ-20 keys: none, by position, by name, both', async () => {
    const { cache } = await start()
    const any = cache.wrap(async (...args: unknown[]) => args.length, { name: 'app.any' })
    expect(any.keyOf()).toBe('app.any:')
    expect(any.keyOf('ada', 2)).toBe('app.any:ada,2')
    expect(any.keyOf({ page: 2, who: 'ada' })).toBe('app.any:{page:2,who:ada}')
    expect(any.keyOf({ who: 'ada', page: 2 })).toBe(any.keyOf({ page: 2, who: 'ada' }))
    expect(any.keyOf('ada', { page: 2 })).toBe('app.any:ada,{page:2}')
  })

  test('DJ-21 keys: what cannot be told apart throws, and asks for a key of its own', async () => {
    class User {
      readonly id = 7
    }
    const { cache } = await start()
    const plain = cache.wrap(async (user: User) => user.id, { name: 'plain' })
    await expect(plain(new User())).rejects.toMatchObject({
      code: 'CACHEBACK_UNKEYABLE_ARGUMENT',
      message: expect.stringContaining('Argument 1 of plain is or holds an instance of User.') as string,
      hint: expect.stringContaining('key: (...args)') as string,
    })
    const keyed = cache.wrap(async (user: User) => user.id, { name: 'keyed', key: ({ id }) => id })
    expect(await settle(cache, keyed(new User()))).toBe(7)
    expect(keyed.keyOf(new User())).toBe('keyed:7')
  })

  test('DJ-22 raw get: what is stored, without a refresh; undefined where nothing is', async () => {
    const { cache, clock, fetch } = await start()
    const tweets = cache.wrap(fetch, { name: 'tweets', maxAge: 10 })
    expect(await settle(cache, tweets.peek('ada'))).toBeUndefined()
    await settle(cache, tweets('ada'))
    clock.advance(11)
    expect(await settle(cache, tweets.peek('ada'))).toMatchObject({ value: { who: 'ada', n: 1 } })
    expect(fetch).toHaveBeenCalledOnce()
  })

  test('DJ-23 set: by position and by name, fresh for the lifetime', async () => {
    const { cache, clock, fetch } = await start()
    const tweets = cache.wrap(fetch, { name: 'tweets', maxAge: 10 })
    expect(await settle(cache, tweets.set(['ada'], { who: 'ada', n: 40 }))).toBe(true)
    expect(await settle(cache, tweets.set(['ada', 2], { who: 'ada', n: 42 }))).toBe(true)
    expect(await tweets('ada')).toEqual({ who: 'ada', n: 40 })
    expect(await tweets('ada', 2)).toEqual({ who: 'ada', n: 42 })
    const named = cache.wrap(async ({ who }: { who: string }) => ({ who, n: 1 }), { name: 'named' })
    await settle(cache, named.set([{ who: 'ada' }], { who: 'ada', n: 41 }))
    expect(await named({ who: 'ada' })).toEqual({ who: 'ada', n: 41 })
    expect(fetch).not.toHaveBeenCalled()
    clock.advance(11)
    await settle(cache, tweets('ada'))
    expect(fetch).toHaveBeenCalledOnce()
  })

  test('DJ-24 a job: every part can be overridden', async () => {
    const seen: CallInfo[] = []
    class UserTweets extends Job<[user: { name: string }, page?: number], string[], string[], string> {
      calls = 0
      fetch({ name }: { name: string }) {
        this.calls += 1
        return [name, String(this.calls)]
      }
      override key({ name }: { name: string }, page = 1) {
        return [name, page]
      }
      override freshFor([name]: string[]) {
        return name === 'busy' ? 1 : 60
      }
      override empty() {
        return ['nothing']
      }
      override process(tweets: string[], info: CallInfo) {
        seen.push(info)
        return tweets.join()
      }
      override shouldFetchOnMiss({ name }: { name: string }) {
        return name !== 'slow'
      }
      override shouldFetchWhenStale(ageSeconds: number) {
        return ageSeconds > 100
      }
    }
    const { cache, clock } = await start()
    const tweets = new UserTweets(cache)
    expect(tweets.keyOf({ name: 'ada' })).toBe('UserTweets:ada,1')
    expect(await settle(cache, tweets.get({ name: 'ada' }))).toBe('ada,1')
    expect(await settle(cache, tweets.get({ name: 'ada' }, 1))).toBe('ada,1')
    expect(await settle(cache, tweets.get({ name: 'slow' }))).toBe('nothing')
    expect(await settle(cache, tweets.get({ name: 'busy' }))).toBe('busy,3')
    clock.advance(2)
    expect(await settle(cache, tweets.get({ name: 'busy' }))).toBe('busy,3')
    clock.advance(101)
    expect(await settle(cache, tweets.get({ name: 'busy' }))).toBe('busy,5')
    expect(await settle(cache, tweets.peek({ name: 'busy' }))).toMatchObject({ value: ['busy', '5'] })
    expect(seen).toEqual([
      { status: 'miss', sync: true },
      { status: 'hit', sync: undefined },
      { status: 'miss', sync: false },
      { status: 'miss', sync: true },
      { status: 'stale', sync: false },
      { status: 'stale', sync: true },
    ])
  })

  test('DJ-25 a job: one instance for each cache', async () => {
    class Once extends Job<[], number> {
      fetch() {
        return 1
      }
    }
    const { cache, open } = await start()
    expect(await settle(cache, new Once(cache).get())).toBe(1)
    expect(() => new Once(cache)).toThrow(expect.objectContaining({ code: 'CACHEBACK_NAME_TAKEN' }))
    const other = await open()
    expect(await settle(other, new Once(other).get())).toBe(1)
  })

  test('DJ-26 a failing job: its error passes through on a miss', async () => {
    class Failing extends Job<[], number> {
      fetch(): number {
        throw new RangeError('no')
      }
    }
    const { cache } = await start()
    await expect(settle(cache, new Failing(cache).get())).rejects.toThrow(new RangeError('no'))
  })
})
