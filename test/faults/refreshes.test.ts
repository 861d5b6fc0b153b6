import { expect } from 'vitest'
import { watchProcess } from '../contract/scenarios/regressions-tools.ts'
import type { Reply } from '../support/reply.ts'
import { hit, STALE, STALE_AFTER_FAILURE } from '../support/cache-status.ts'
import { cacheControl, raw, text } from '../support/reply.ts'
import { anyStore, scenario } from '../support/scenario.ts'
import { endless, type Failure, FAILURES, hang, swr } from './failures.ts'
import { playOnAll, within } from './site.ts'

const MiB = 1024 * 1024
const CONCURRENCY = 2

/** Drips, and never reaches the bound of an entry. */
const drip: Reply = raw((_req, res) => {
  res.writeHead(200, swr as Record<string, string>)
  const timer = setInterval(() => res.write('x'), 5)
  res.once('close', () => clearInterval(timer))
})

const NEVER: readonly Failure[] = [
  { title: 'says nothing at all', reply: hang(), reason: 'aborted' },
  { title: 'hangs after the head', reply: hang('begin'), reason: 'aborted' },
  { title: 'drips for ever', reply: drip, reason: 'aborted' },
  { title: 'never ends', reply: endless(), reason: 'too-large' },
]

for (const [at, { title, reply, reason }] of [...FAILURES, ...NEVER].entries()) {
  scenario(
    `FAULT-${at + 70}`,
    `a handler that ${title} on a refresh: the old page stays, no slot is lost, no more run at once`,
    anyStore,
    async ({ serve, clock, gate }) => {
      const errors = watchProcess()
      const all = gate()
      const paths = ['/a', '/b', '/c', '/d', '/e']
      let ill = false
      let running = 0
      let most = 0
      const site = await serve({
        options: { refresh: { concurrency: CONCURRENCY, ...(at < FAILURES.length ? {} : { timeoutMs: 50 }) } },
        routes: {
          '/:id': async ({ res }) => {
            if (!ill) return text('page', swr)
            most = Math.max(most, ++running)
            res.once('close', () => running--)
            await all()
            return reply
          },
        },
      })
      const reasons = new Set<string | undefined>()
      site.cache.on('refresh-failed', (event) => reasons.add(event.reason))
      for (const path of paths) await site.ask(path)
      clock.advance(11)
      ill = true
      for (let round = 1; round <= 2; round++) {
        for (const path of paths) {
          const got = await site.visit(path).done
          expect(got).toMatchObject({ text: 'page', warning: round === 1 ? STALE : STALE_AFTER_FAILURE })
        }
        all.open()
        await within(10, site.cache.idle())
        expect(site.cache.stats()).toMatchObject({
          capturing: 0,
          memory: { entries: 5 },
          refresh: { queued: 0, running: 0 },
          events: { refresh: 0, 'refresh-failed': 5 * round },
        })
        clock.advance(2)
      }
      expect(reasons.size).toBeGreaterThan(0)
      // On a busy machine the deadline may come before the bound of an entry.
      const expected = at < FAILURES.length ? [reason] : [reason, 'aborted']
      for (const given of reasons) expect(expected).toContain(given)
      expect(most).toBe(CONCURRENCY)
      expect(running).toBe(0)
      ill = false
      clock.advance(2)
      for (const path of paths) expect((await site.ask(path)).warning).toBe(STALE_AFTER_FAILURE)
      for (const path of paths) expect(await site.ask(path)).toMatchObject({ text: 'page', cacheStatus: hit(10) })
      expect(errors).toEqual([])
    },
  )
}

scenario(
  'FAULT-83',
  'a page whose refresh fails is left alone for 1, 2, 4, 8, 16, then 30 seconds; a good one ends that',
  anyStore,
  async ({ serve, clock }) => {
    let ill = false
    const site = await serve({ routes: { '/x': () => (ill ? text('ill', {}, 500) : text('page', swr)) } })
    await site.ask('/x')
    for (const outage of [1, 2]) {
      clock.advance(11)
      ill = true
      for (const pause of outage === 1 ? [1, 2, 4, 8, 16, 30, 30] : [1, 2]) {
        const before = site.renders()
        await site.ask('/x')
        expect(site.renders(), `try before a pause of ${pause} s`).toBe(before + 1)
        clock.advance(pause - 0.001)
        for (let i = 0; i < 3; i++) {
          expect(await site.ask('/x')).toMatchObject({ text: 'page', warning: STALE_AFTER_FAILURE })
        }
        expect(site.renders(), `pause of ${pause} s`).toBe(before + 1)
        clock.advance(0.001)
      }
      ill = false
      await site.ask('/x')
      expect(await site.ask('/x')).toMatchObject({ cacheStatus: hit(10), warning: undefined })
    }
  },
)

scenario(
  'FAULT-84',
  'back-off goes by the monotonic clock: a wall clock that jumps neither ends nor lengthens it',
  anyStore,
  async ({ serve, clock }) => {
    let ill = false
    const site = await serve({ routes: { '/x': () => (ill ? text('ill', {}, 500) : text('page', swr)) } })
    await site.ask('/x')
    clock.advance(11)
    ill = true
    await site.ask('/x')
    for (const jump of [3600, -3600]) {
      clock.now += jump * 1000
      expect(await site.ask('/x')).toMatchObject({ text: 'page', warning: STALE_AFTER_FAILURE })
      expect(site.renders()).toBe(2)
    }
    clock.monotonic += 1000
    await site.ask('/x')
    expect(site.renders()).toBe(3)
  },
)

scenario(
  'FAULT-85',
  'a refresh that fails for ever: stale to the end of the windows, then the error passes, then the page is back',
  anyStore,
  async ({ serve, clock }) => {
    let ill = false
    const windows = cacheControl('max-age=10, stale-while-revalidate=50, stale-if-error=290')
    const site = await serve({ routes: { '/x': () => (ill ? text('ill', {}, 500) : text('page', windows)) } })
    await site.ask('/x')
    ill = true
    for (let second = 12; second < 300; second += 12) {
      clock.advance(12)
      expect(await site.ask('/x'), `after ${second} s`).toMatchObject({ status: 200, text: 'page', age: second })
    }
    clock.advance(12)
    for (let i = 0; i < 3; i++) expect(await site.ask('/x')).toMatchObject({ status: 500, text: 'ill' })
    ill = false
    expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page', warning: undefined })
    expect((await site.ask('/x')).cacheStatus).toBe(hit(10))
  },
)

scenario(
  'FAULT-86',
  'an endless body on a refresh is read, not kept: the capture gives its bytes back at maxEntryBytes',
  anyStore,
  async ({ serve, clock, gate }) => {
    const far = gate()
    const site = await serve({
      options: { refresh: { timeoutMs: 2000 } },
      routes: {
        '/x': ({ n }) => (n === 1 ? text('page', swr) : endless((bytes) => void (bytes > 16 * MiB && far()))),
      },
    })
    await site.ask('/x')
    clock.advance(11)
    expect((await site.visit('/x').done).text).toBe('page')
    await far.reached()
    expect(site.cache.stats().capturing).toBe(0)
    await site.cache.close()
    expect(site.cache.stats().refresh).toEqual({ queued: 0, running: 0 })
  },
)

scenario(
  'FAULT-87',
  'a 503 that names a freshness, on a refresh: the old page stays all the same',
  anyStore,
  async ({ serve, clock }) => {
    let ill = false
    const site = await serve({ routes: { '/x': () => (ill ? text('ill', swr, 503) : text('page', swr)) } })
    await site.ask('/x')
    clock.advance(11)
    ill = true
    for (let i = 0; i < 3; i++) expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page' })
    expect(site.cache.stats().events['refresh-failed']).toBe(1)
  },
)

playOnAll()
