import { describe, expect, test } from 'vitest'
import { makeGate } from '../support/gate.ts'
import { cacheControl, text } from '../support/reply.ts'
import { redisCommand } from './redis-command.ts'
import { houseRules, noteRow } from './redis-measured.ts'
import { careful, shared, type StoreMaker, STORES } from './redis-adapters.ts'
import { type Origin, type RedisSite, type Servers, startServers, startSite } from './redis-site.ts'
import { eventually } from './redis-traffic.ts'

houseRules()

const FRESH = cacheControl('max-age=600, stale-while-revalidate=6000')

interface Pair extends Servers {
  /** The process that is cut off. */
  readonly far: RedisSite
  /** Another one, which always reaches Redis. */
  readonly near: RedisSite
}

interface PairInput {
  readonly make: StoreMaker
  readonly origin: Origin
  /** Which of them keep copies. */
  readonly far: boolean
  readonly near: boolean
  /** By how much the clock of the far one is ahead: what is fresh near is stale there. */
  readonly aheadMs?: number
  /** Short where one has to wait for it; else a busy machine is no slow store, which would be another fault. */
  readonly deadlineMs?: number
}

/** Two processes with one Redis. */
async function startPair({ make, origin, aheadMs = 0, deadlineMs = 2000, ...hasMemory }: PairInput): Promise<Pair> {
  const servers = await startServers()
  const storeTimeoutMs = { get: deadlineMs, set: deadlineMs }
  let elapsedMs = 0
  const options = { now: () => Date.now() + elapsedMs, storeTimeoutMs }
  const store = make(servers.proxy.port)
  const far = await startSite({ framework: 'express', hasMemory: hasMemory.far, store, origin, options })
  const near = await startSite({
    framework: 'koa',
    hasMemory: hasMemory.near,
    store: make(servers.redis.socketPath),
    origin,
    options: { storeTimeoutMs },
  })
  // Both are connected.
  for (const site of [far, near]) {
    await site.visit('/warm')
    await site.cache.idle()
  }
  // A shared store would have told them by how much their clocks differ.
  elapsedMs = aheadMs
  return { ...servers, far, near }
}

type Copies = 'copies' | 'no copies'

/** The same script for each way, with copies in memory and without, each with servers of its own. */
async function sideBySide<How extends string>(
  ways: readonly How[],
  script: (how: How, copies: Copies) => Promise<void>,
): Promise<void> {
  const all = ways.flatMap((how) => (['copies', 'no copies'] as const).map((copies) => ({ how, copies })))
  const play = async ({ how, copies }: (typeof all)[number]): Promise<void> => {
    try {
      await script(how, copies)
    } catch (error) {
      throw new Error(`${how}, ${copies}: ${String(error)}`, { cause: error })
    }
  }
  await Promise.all(all.map(play))
}

let others = 0

/** Somebody comes to the far process, so that it sees that Redis is back. */
async function visitOther({ far }: Pair): Promise<void> {
  others += 1
  await far.visit(`/other-${others}`)
}

test('FAULT-27 a write from before an outage is not served after it', () =>
  sideBySide(['hung', 'cut off'], async (how, copies) => {
    let version = 1
    const origin: Origin = (path) => text(`page ${path} version ${version}`, FRESH)
    const pair = await startPair({ make: careful, origin, far: copies === 'copies', near: false, deadlineMs: 150 })
    const { redis, proxy, far, near } = pair
    if (how === 'hung') redis.pause()
    else proxy.hold()
    expect((await far.visit('/x')).text).toBe('page /x version 1')
    await far.cache.idle()
    version = 2
    // With copies it goes on being served what it has rendered itself.
    const here = copies === 'no copies' ? 'page /x version 2' : 'page /x version 1'
    expect((await far.visit('/x')).text).toBe(here)
    if (how === 'hung') redis.resume()
    else proxy.restore()
    const startedAt = performance.now()
    let seenUntil = startedAt
    await eventually('the far one is connected again, and the late write is gone', 2000, async () => {
      await visitOther(pair)
      expect((await far.visit('/x')).text, 'where it was written').toBe(here)
      const { text: seen } = await near.visit('/x')
      if (seen === 'page /x version 1') seenUntil = performance.now()
      return seen === 'page /x version 2' && far.cache.stats().breaker === 'closed'
    })
    await far.cache.idle()
    expect((await near.visit('/x')).text).toBe('page /x version 2')
    noteRow({
      fault: `late write (${how}, ${copies})`,
      'served by the process that wrote it': 0,
      'seen by another for, ms': Math.round(seenUntil - startedAt),
    })
  }))

test('CLUSTER-70 a write from before an outage does not come after a newer one in a shared store, and a purge takes it', () =>
  sideBySide(['hung', 'cut off'], async (how, copies) => {
    let version = 1
    const origin: Origin = (path) => text(`page ${path} version ${version}`, FRESH)
    const pair = await startPair({ make: shared, origin, far: copies === 'copies', near: false, deadlineMs: 150 })
    const { redis, proxy, far, near } = pair
    if (how === 'hung') redis.pause()
    else proxy.hold()
    expect((await far.visit('/x')).text).toBe('page /x version 1')
    await far.cache.idle()
    version = 2
    // Who reaches the store has a newer one there before the late one arrives.
    const isNewer = how === 'cut off'
    const { text: newer } = isNewer ? await near.visit('/x') : { text: 'page /x version 2' }
    expect(newer).toBe('page /x version 2')
    await near.cache.idle()
    if (how === 'hung') redis.resume()
    else proxy.restore()
    let farSeen = 1
    let nearSeen = isNewer ? 2 : 1
    const visitBoth = async (): Promise<void> => {
      const [there, here] = await Promise.all([far.visit('/x'), near.visit('/x')])
      const [farSees, nearSees] = [there, here].map((got) => Number(got.text.at(-1))) as [number, number]
      expect(
        [farSees >= farSeen, nearSees >= nearSeen],
        `${farSees} after ${farSeen}, ${nearSees} after ${nearSeen}`,
      ).toEqual([true, true])
      farSeen = farSees
      nearSeen = nearSees
    }
    await eventually('the far one is connected again', 2000, async () => {
      await visitOther(pair)
      await visitBoth()
      return far.cache.stats().breaker === 'closed' && far.cache.stats().sharing!.hears
    })
    for (let i = 0; i < 20; i += 1) await visitBoth()
    await near.cache.purge({ url: '/x' })
    await eventually('purged for all', 1000, async () => {
      await visitBoth()
      return farSeen === 2 && nearSeen === 2
    })
  }))

describe.each(STORES)('over %s', (_name, make) => {
  test('FAULT-28 a page that goes (404, private) while Redis is away does not come back', () =>
    sideBySide(['404', 'private'], async (how, copies) => {
      const gate = makeGate()
      let isGone = false
      const origin: Origin = async (path) => {
        if (!isGone || path !== '/x') return text(`page ${path} public`, FRESH)
        await gate()
        return how === '404' ? text('gone', {}, 404) : text('for alice alone', cacheControl('private'))
      }
      // Stale there, fresh here.
      const pair = await startPair({ make, origin, far: copies === 'copies', near: false, aheadMs: 700_000 })
      const { proxy, far, near } = pair
      await near.visit('/x')
      await near.cache.idle()
      isGone = true
      const stale = await far.visit('/x')
      expect(stale.text).toBe('page /x public')
      expect(stale.warning).toContain('110')
      await gate.reached()
      proxy.cut('reset')
      gate.open()
      await far.cache.idle()
      expect((await far.visit('/x')).text).not.toContain('public')
      proxy.restore()
      await eventually('gone for all', 2000, async () => {
        await visitOther(pair)
        expect((await far.visit('/x')).text, 'where it went').not.toContain('public')
        return !(await near.visit('/x')).text.includes('public')
      })
    }))

  test('FAULT-29 a POST while Redis is away invalidates what another process has stored', () =>
    sideBySide(['away'], async (_how, copies) => {
      let version = 1
      const origin: Origin = (path) => text(`page ${path} version ${version}`, FRESH)
      const pair = await startPair({ make, origin, far: false, near: copies === 'copies' })
      const { proxy, far, near } = pair
      await near.visit('/x')
      await near.cache.idle()
      proxy.cut('reset')
      version = 2
      expect((await far.send('POST /x').done).status).toBe(200)
      await far.cache.idle()
      expect((await near.visit('/x')).text).toBe('page /x version 1')
      proxy.restore()
      await eventually('the new version for all', 3000, async () => {
        await visitOther(pair)
        return (await near.visit('/x')).text === 'page /x version 2'
      })
    }))

  test('FAULT-30 a purge while Redis is away or hung rejects, holds here, and is told when it is back', () =>
    sideBySide(['away', 'hung'], async (how, copies) => {
      let version = 1
      const origin: Origin = (path) => text(`page ${path} version ${version}`, FRESH)
      const pair = await startPair({ make, origin, far: copies === 'copies', near: true, deadlineMs: 150 })
      const { proxy, far, near } = pair
      await far.visit('/x')
      await far.cache.idle()
      for (const site of [far, near]) {
        await eventually('a hit', 2000, async () => (await site.visit('/x')).cacheStatus?.includes('; hit') === true)
      }
      if (how === 'away') proxy.cut('reset')
      else proxy.hold()
      version = 2
      await expect(far.cache.purge({ url: '/x' })).rejects.toBeInstanceOf(Error)
      expect((await far.visit('/x')).text).toBe('page /x version 2')
      expect((await near.visit('/x')).text).toBe('page /x version 1')
      proxy.restore()
      const tookMs = await eventually('purged for all', 3000, async () => {
        await visitOther(pair)
        expect((await far.visit('/x')).text).toBe('page /x version 2')
        return (await near.visit('/x')).text === 'page /x version 2'
      })
      noteRow({ fault: `purge while ${how}, ${copies}`, 'recovery, s': (tookMs / 1000).toFixed(2) })
    }))

  test('FAULT-42 what another process has purged during an outage is not served from the store after it', () =>
    sideBySide(['away'], async (_how, copies) => {
      let version = 1
      const origin: Origin = (path) => text(`page ${path} version ${version}`, FRESH)
      const pair = await startPair({ make, origin, far: copies === 'copies', near: false })
      const { proxy, far, near } = pair
      await far.visit('/x')
      await far.cache.idle()
      proxy.cut('reset')
      await eventually('the breaker has opened', 2000, async () => {
        await visitOther(pair)
        return far.cache.stats().breaker === 'open'
      })
      version = 2
      await near.cache.purge({ url: '/x' })
      proxy.restore()
      await eventually('the new version', 2000, async () => {
        await visitOther(pair)
        const isBack = far.cache.stats().breaker === 'closed'
        const { text: seen } = await far.visit('/x')
        // From the first moment on in which the store is used again.
        if (isBack && seen !== 'page /x version 2') throw new Error(`The store is back, and with it ${seen}.`)
        return isBack
      })
    }))

  test('FAULT-43 a page that is gone, and that a read-only Redis does not let be deleted, is not read again', () =>
    sideBySide(['read-only'], async (_how, copies) => {
      let isGone = false
      const origin: Origin = (path) =>
        isGone && path === '/x' ? text('gone', {}, 404) : text(`page ${path} public`, FRESH)
      // Stale there, fresh here.
      const pair = await startPair({ make, origin, far: copies === 'copies', near: false, aheadMs: 700_000 })
      const { redis, far, near } = pair
      await near.visit('/x')
      await near.cache.idle()
      await redisCommand(redis.socketPath, ['REPLICAOF', '127.0.0.1', '1'])
      isGone = true
      expect((await far.visit('/x')).text).toBe('page /x public')
      await far.cache.idle()
      // It can still be read.
      expect((await near.visit('/x')).text).toBe('page /x public')
      for (let i = 0; i < 3; i++) expect((await far.visit('/x')).text).toBe('gone')
      await redisCommand(redis.socketPath, ['REPLICAOF', 'NO', 'ONE'])
      await eventually('gone for all', 3000, async () => {
        await visitOther(pair)
        return (await near.visit('/x')).text === 'gone'
      })
    }))
})
