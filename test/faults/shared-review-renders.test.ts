import { createCacheback, type Membership, type Party } from '@cacheback/core'
import { redisStore } from '@cacheback/redis'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Clock } from '../support/clock.ts'
import { makeGate } from '../support/gate.ts'
import { eventually } from './redis-traffic.ts'
import { countingApp, holdRenders, ownRedis, type SharedCache, startSharedCache, storeOf } from './shared-cache.ts'

// Renders, leases and their order. Each of these was a defect once.

const LANGUAGES = ['en', 'de', 'fr'] as const
const inLanguage = (language: string): { 'Accept-Language': string } => ({ 'Accept-Language': language })

test('CLUSTER-40 while Redis is away a purge changes nothing: twenty visitors are one render, kept for a second', async () => {
  const redis = await ownRedis()
  const counting = countingApp()
  const options = { storeTimeoutMs: { get: 100, set: 100 } }
  const a = await startSharedCache(redis, { app: counting.app, options })
  await a.settle('/x')
  await redis.server.kill()
  await eventually('copies are not vouched for', 3000, () => a.cache.stats().sharing!.behindMs > 1000)
  const crowd = async (path: string): Promise<number> => {
    const before = counting.renders
    const gate = holdRenders(counting)
    const visitors = Array.from({ length: 20 }, () => a.ask(path))
    await gate.reached()
    counting.gate = undefined
    gate.open()
    await Promise.all(visitors)
    expect((await a.ask(path)).cacheStatus).toContain('; hit')
    return counting.renders - before
  }
  expect(await crowd('/before')).toBe(1)
  await expect(a.cache.purge({ tag: 't' })).rejects.toBeInstanceOf(Error)
  expect(await crowd('/after')).toBe(1)
})

test('CLUSTER-41 a miss after a purge asks the store three times, as a cold one does', async () => {
  const redis = await ownRedis()
  const counting = countingApp()
  const calls: string[] = []
  const a = await startSharedCache(redis, { app: counting.app, alter: (member) => noteCalls(member, calls) })
  await a.settle('/x')
  expect(calls.splice(0)).toEqual(['read', 'claim', 'put'])
  await a.cache.purge({ all: true })
  await a.settle('/x')
  expect(calls).toEqual(['read', 'claim', 'put'])
})

function noteCalls(member: Membership, calls: string[]): void {
  for (const name of ['read', 'claim', 'put'] as const) {
    const call = member[name].bind(member) as (...args: unknown[]) => Promise<never>
    member[name] = (...args: unknown[]) => {
      calls.push(name)
      return call(...args)
    }
  }
}

test('CLUSTER-42 a claim that is granted after its deadline leaves no lease behind', async () => {
  const redis = await ownRedis()
  const counting = countingApp()
  const gate = makeGate()
  let isLate = false
  const a = await startSharedCache(redis, {
    app: counting.app,
    options: { storeTimeoutMs: { get: 50, set: 1000 } },
    alter(member) {
      const claim = member.claim.bind(member)
      member.claim = async (...args) => {
        const claimed = await claim(...args)
        if (isLate) await gate()
        return claimed
      }
    },
  })
  await a.settle('/warm')
  isLate = true
  expect((await a.ask('/x')).status).toBe(200)
  await gate.reached()
  expect(await redis.keys('}lease')).toHaveLength(1)
  gate.open()
  await eventually('it is given back', 1000, async () => (await redis.keys('}lease')).length === 0)
})

test('CLUSTER-43 a variant does not come back that was rendered before a response without Vary', async () => {
  const redis = await ownRedis()
  const counting = countingApp({ Vary: 'Accept-Language' })
  const a = await startSharedCache(redis, { app: counting.app, options: { memory: false } })
  a.cache.attach(a.cache.listener(counting.app))
  expect((await a.settle('/x', inLanguage('en'))).text).toBe('v1 en')
  counting.fields = {}
  expect((await a.settle('/x', inLanguage('fr'))).text).toBe('v2 fr')
  expect((await a.ask('/x', inLanguage('en'))).text).toBe('v2 fr')
  counting.fields = { Vary: 'Accept-Language' }
  await a.cache.refresh('http://example.test/x', inLanguage('de'))
  await a.cache.idle()
  expect((await a.ask('/x', inLanguage('en'))).text).toBe('v4 en')
})

test('CLUSTER-44 what a refresh has rendered whose claim failed is not thrown away', async () => {
  const redis = await ownRedis()
  const clock = new Clock()
  const counting = countingApp()
  let fails = false
  const a = await startSharedCache(redis, {
    app: counting.app,
    clock,
    options: { maxAge: 1, staleWhileRevalidate: 60 },
    alter(member) {
      const claim = member.claim.bind(member)
      member.claim = async (...args) => (fails ? Promise.reject(new Error('once')) : claim(...args))
    },
  })
  await a.settle('/x')
  clock.advance(2)
  fails = true
  expect((await a.settle('/x')).text).toBe('v1')
  fails = false
  expect((await a.settle('/x')).text).toBe('v2')
  expect(counting.renders).toBe(2)
})

test('CLUSTER-45 a new process that is asked for several variants at once takes all of them from the store', async () => {
  const redis = await ownRedis()
  const counting = countingApp({ Vary: 'Accept-Language' })
  const a = await startSharedCache(redis, { app: counting.app })
  for (const language of LANGUAGES) await a.settle('/x', inLanguage(language))
  expect(counting.renders).toBe(3)
  const b = await startSharedCache(redis, { app: counting.app })
  const got = await Promise.all(LANGUAGES.map((language) => b.ask('/x', inLanguage(language))))
  expect(got.map(({ text }) => text)).toEqual(['v1 en', 'v2 de', 'v3 fr'])
  expect(counting.renders).toBe(3)
})

test('CLUSTER-46 a variant that another process has refreshed is not refreshed again, though a newer one of another was seen', async () => {
  const redis = await ownRedis()
  const clock = new Clock()
  const counting = countingApp({ Vary: 'Accept-Language' })
  const input = { app: counting.app, clock, options: { maxAge: 1, staleWhileRevalidate: 60 } }
  const [a, b] = [await startSharedCache(redis, input), await startSharedCache(redis, input)]
  for (const language of ['en', 'de']) {
    await a.settle('/x', inLanguage(language))
    await b.settle('/x', inLanguage(language))
  }
  clock.advance(2)
  for (const language of ['en', 'de']) await a.settle('/x', inLanguage(language))
  expect(counting.renders).toBe(4)
  // Reads the list of variants.
  await b.settle('/x', inLanguage('fr'))
  expect(counting.renders).toBe(5)
  await b.settle('/x', inLanguage('en'))
  expect(counting.renders).toBe(5)
})

test('CLUSTER-47 an older body does not replace a newer one where the older render’s claim is slow', async () => {
  const redis = await ownRedis()
  const counting = countingApp()
  const options = { collapse: { waitMs: 0 } }
  const claims = makeGate()
  let isSlow = false
  const a = await startSharedCache(redis, {
    app: counting.app,
    options,
    alter(member) {
      const claim = member.claim.bind(member)
      member.claim = async (...args) => {
        if (isSlow) await claims()
        return claim(...args)
      }
    },
  })
  const b = await startSharedCache(redis, { app: counting.app, options })
  await Promise.all([a.ask('/warm'), b.ask('/warm')])
  isSlow = true
  counting.say = 'old'
  const renders = holdRenders(counting)
  const first = a.ask('/x')
  await claims.reached()
  // Where the app was asked before the rank was there, it has read the old state by now.
  await sleep(50)
  counting.gate = undefined
  counting.say = 'new'
  expect((await b.settle('/x')).text).toBe('new')
  claims.open()
  renders.open()
  await first
  await a.cache.idle()
  const c = await startSharedCache(redis, { app: counting.app })
  expect((await c.ask('/x')).text).toBe('new')
})

test('CLUSTER-48 of two caches on one store, the one that stays keeps its connections when the other closes', async () => {
  const redis = await ownRedis()
  const store = storeOf(redis.path)
  await store.ready()
  const [one, two] = ['one', 'two'].map((name) => createCacheback({ store, name })) as [
    SharedCache['cache'],
    SharedCache['cache'],
  ]
  onTestFinished(() => two.close())
  await eventually('it hears', 2000, () => two.stats().sharing!.hears)
  await one.close()
  expect(await two.purge({ tag: 'x' })).toEqual({ acknowledged: 1, missing: 0 })
  // Longer than the silence after which it would be deaf.
  const until = performance.now() + 2000
  await eventually('two seconds have passed', 3000, () => {
    expect(two.stats().sharing!.hears).toBe(true)
    return performance.now() > until
  })
})

test('CLUSTER-49 who has to listen again hears every word once', async () => {
  const listeners = new Map<string, Set<(text: string) => void>>()
  const sentinel = {
    isOpen: true,
    isReady: true,
    connect: async () => undefined,
    destroy: () => undefined,
    on: () => undefined,
    getSentinelNode: () => undefined,
    sendCommand: async () => Promise.reject(new Error('away')),
    async subscribe(channels: readonly string[], listener: (text: string) => void) {
      for (const channel of channels) listeners.set(channel, (listeners.get(channel) ?? new Set()).add(listener))
    },
  }
  let purges = 0
  const party: Party = {
    namespace: 'n:',
    onPurge: () => (purges += 1),
    onRestored: () => undefined,
    onLeaseEnded: () => undefined,
    onConnected: () => undefined,
  }
  const member = redisStore({ client: sentinel }).join(party)
  const channel = (): string | undefined => [...listeners.keys()].find((name) => name.endsWith('bus'))
  await eventually('it listens', 1000, () => channel() !== undefined)
  const real = performance.now.bind(performance)
  let aheadMs = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => real() + aheadMs)
  onTestFinished(() => clock.mockRestore())
  for (let i = 0; i < 5; i += 1) {
    aheadMs += 6000
    await member.beat().catch(() => undefined)
  }
  const word = JSON.stringify(['purge', '1', '{}', 'another', '0'])
  for (const listener of listeners.get(channel()!)!) listener(word)
  expect(purges).toBe(1)
})
