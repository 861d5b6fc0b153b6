import type { ServerResponse } from 'node:http'
import { expect } from 'vitest'
import { watchProcess } from '../contract/scenarios/regressions-tools.ts'
import type { Got } from '../support/client.ts'
import { hit, numbered, STORED } from '../support/cache-status.ts'
import { fresh10, text } from '../support/reply.ts'
import { anyStore, scenario } from '../support/scenario.ts'
import { endless, FAILURES, hang } from './failures.ts'
import { playOnAll, within } from './site.ts'

const MiB = 1024 * 1024

/** What a visitor notices. A broken connection may come before or after the first bytes. */
const noticed = ({ status, text: body, complete, headers }: Got) => ({
  status,
  complete,
  body: complete ? body : '',
  retryAfter: headers['retry-after'],
})

for (const [at, { title, reply }] of FAILURES.entries()) {
  for (const [way, headers] of [
    ['', {}],
    [', with a hidden Cookie', { Cookie: 'a=1' }],
  ] as const) {
    const id = `FAULT-${50 + at}${way === '' ? '' : 'c'}`
    scenario(
      id,
      `a handler that ${title} on a miss${way}: the visitor gets what he would get without the cache`,
      anyStore,
      async ({ serve, gate }) => {
        const errors = watchProcess()
        const hold = gate()
        let ill = true
        const site = await serve({
          options: { maxAge: 60, cookies: 'ignore', collapse: { waitMs: 600_000 } },
          routes: {
            '/bare': { cacheback: false, answer: reply },
            '/x': async ({ n }) => {
              if (n === 1) await hold()
              return ill ? reply : text('page', fresh10)
            },
          },
        })
        const bare = noticed(await site.ask('/bare', headers))
        const visits = site.crowd(4, '/x', headers)
        await site.arrived(5)
        hold.open()
        for (const got of await within(5, Promise.all(visits))) expect(noticed(got)).toEqual(bare)
        // Nobody renders twice for one visitor, but for the detached fill that is thrown away.
        expect(site.renders('/x')).toBeLessThanOrEqual(way === '' ? 4 : 8)
        expect(site.cache.stats()).toMatchObject({ capturing: 0, memory: { entries: 0 }, refresh: { running: 0 } })
        ill = false
        expect(await site.ask('/x')).toMatchObject({ text: 'page', cacheStatus: STORED })
        expect((await site.ask('/x', headers)).cacheStatus).toBe(hit(10))
        expect(errors).toEqual([])
      },
    )
  }
}

for (const [id, when, before] of [
  ['FAULT-60', 'before the head', undefined],
  ['FAULT-61', 'after the head', 'begin'],
] as const) {
  scenario(
    id,
    `a handler that hangs ${when} on a miss holds its followers up for waitMs, and its visitor as long as he likes`,
    anyStore,
    async ({ serve, gate }) => {
      const closed = gate()
      const site = await serve({
        options: { collapse: { waitMs: 60 } },
        routes: {
          '/x': ({ n, res }) => {
            if (n > 1) return text('page', fresh10)
            res.once('close', () => void closed())
            return hang(before)
          },
        },
      })
      const leader = site.visit('/x')
      await site.arrived(1)
      for (const got of await within(5, Promise.all(site.crowd(5, '/x')))) expect(got.text).toBe('page')
      // Who comes now is not held up again.
      expect((await site.ask('/x')).text).toBe('page')
      expect(closed.arrivals).toBe(0)
      leader.abort()
      await closed.reached()
      expect(await leader.done).toMatchObject({ complete: false })
      expect(site.cache.stats().capturing).toBe(0)
      expect(await site.ask('/x')).toMatchObject({ text: 'page', cacheStatus: hit(10) })
    },
  )
}

scenario(
  'FAULT-62',
  'a detached render that hangs after its visitor has left ends at refresh.timeoutMs',
  anyStore,
  async ({ serve, gate }) => {
    const began = gate()
    const closed = gate()
    const site = await serve({
      options: { cookies: 'ignore', refresh: { timeoutMs: 60 } },
      routes: {
        '/x': ({ n, res }) => {
          if (n > 1) return text('page', fresh10)
          res.once('close', () => void closed())
          void began()
          return hang()
        },
      },
    })
    const visit = site.visit('/x', { Cookie: 'a=1' })
    await began.reached()
    visit.abort()
    await within(5, closed.reached())
    expect(await site.ask('/x', { Cookie: 'a=1' })).toMatchObject({ text: 'page' })
    expect(site.cache.stats().capturing).toBe(0)
  },
)

scenario(
  'FAULT-63',
  'an endless body on a miss: its capture ends at maxEntryBytes, followers go on, its visitor too',
  anyStore,
  async ({ serve, gate }) => {
    const closed = gate()
    const beyondEntry = gate()
    const far = gate()
    const site = await serve({
      options: { collapse: { waitMs: 600_000 } },
      routes: {
        '/x': ({ n, res }) => {
          if (n > 1) return text('page', fresh10)
          res.once('close', () => void closed())
          return endless(async (written) => {
            if (written > 2 * MiB) await beyondEntry()
            if (written > 8 * MiB) void far()
          })
        },
      },
    })
    const leader = site.visit('/x')
    await leader.first
    const follower = site.visit('/x').done
    await beyondEntry.reached()
    expect(await within(5, follower)).toMatchObject({ text: 'page', complete: true })
    beyondEntry.open()
    await far.reached()
    expect(site.cache.stats().capturing).toBe(0)
    expect(closed.arrivals).toBe(0)
    leader.abort()
    await closed.reached()
    expect((await leader.done).body.length).toBeGreaterThan(2 * MiB)
  },
)

scenario(
  'FAULT-64',
  'captures under way hold half of maxBytes at most: beyond that responses pass uncaptured, and whole',
  anyStore,
  async ({ serve, gate }) => {
    const hold = gate()
    const all = gate()
    const site = await serve({
      options: { memory: { maxBytes: 4 * MiB, maxEntryBytes: MiB } },
      routes: {
        '/:id': () => ({
          kind: 'chunks',
          status: 200,
          headers: fresh10,
          async *make() {
            yield Buffer.alloc(MiB - 1000, 'x')
            void all()
            await hold()
            yield Buffer.alloc(1000, 'x')
          },
        }),
      },
    })
    const visits = Array.from({ length: 20 }, (_, i) => site.visit(`/${i}`))
    await all.reached(20)
    const { capturing } = site.cache.stats()
    expect(capturing).toBeGreaterThan(MiB)
    expect(capturing).toBeLessThanOrEqual(2 * MiB)
    hold.open()
    for (const { done } of visits) expect(await done).toMatchObject({ complete: true, body: { length: MiB } })
    const { memory, capturing: left } = site.cache.stats()
    expect(left).toBe(0)
    expect(memory.bytes).toBeLessThanOrEqual(4 * MiB)
  },
)

scenario('FAULT-65', 'a handler that works on after its visitor has left disturbs nobody', anyStore, async (stage) => {
  const { serve, gate } = stage
  const errors = watchProcess()
  const began = gate()
  const hold = gate()
  const late: ServerResponse[] = []
  const site = await serve({
    routes: {
      '/x': async ({ n, res }) => {
        if (n > 1) return text(`render ${n}`, fresh10)
        late.push(res)
        void began()
        await hold()
        return text('late', fresh10)
      },
    },
  })
  const visit = site.visit('/x')
  await began.reached()
  visit.abort()
  await visit.done
  expect((await site.ask('/x')).text).toBe('render 2')
  hold.open()
  expect(await site.ask('/x')).toMatchObject({ text: 'render 2', cacheStatus: hit(10) })
  expect(late).toHaveLength(1)
  expect(errors).toEqual([])
})

scenario('FAULT-66', 'failing handlers by the hundred leave nothing behind', anyStore, async ({ serve }) => {
  const site = await serve({
    routes: { '/ok': numbered(), '/:id': ({ n }) => FAILURES[n % FAILURES.length]!.reply },
  })
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 20 }, (_, i) => site.visit(`/${i % 7}`, { Connection: 'close' }).done))
  }
  expect(site.cache.stats()).toMatchObject({ capturing: 0, refresh: { queued: 0, running: 0 }, memory: { entries: 0 } })
  expect((await site.ask('/ok')).cacheStatus).toBe(STORED)
})

scenario(
  'FAULT-67',
  'who comes after a follower has lost his patience waits for that follower, and not for a handler that hangs',
  anyStore,
  async ({ serve, gate }) => {
    const second = gate()
    const site = await serve({
      options: { collapse: { waitMs: 500 } },
      routes: {
        '/x': async ({ n }) => {
          if (n === 1) return hang()
          await second()
          return text(`render ${n}`, fresh10)
        },
      },
    })
    const leader = site.visit('/x')
    await site.arrived(1)
    const follower = site.visit('/x').done
    await second.reached()
    const late = site.crowd(3, '/x')
    await site.arrived(5)
    second.open()
    for (const got of await within(5, Promise.all([follower, ...late]))) expect(got.text).toBe('render 2')
    expect(site.renders()).toBe(2)
    leader.abort()
    await leader.done
  },
)

playOnAll()
