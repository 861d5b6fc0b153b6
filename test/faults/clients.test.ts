import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { expect, vi } from 'vitest'
import { patient, settle, watchProcess } from '../contract/scenarios/regressions-tools.ts'
import { hit, numbered, STALE, STORED } from '../support/cache-status.ts'
import { bytes, chunks, fresh10, stream, text } from '../support/reply.ts'
import { anyStore, scenario } from '../support/scenario.ts'
import { swr } from './failures.ts'
import { connections, playOnAll, slowReader, within } from './site.ts'

const MiB = 1024 * 1024
const roomy = { memory: { maxBytes: 128 * MiB, maxEntryBytes: 32 * MiB } }

for (const [id, when] of [
  ['FAULT-90', 'before the head'],
  ['FAULT-91', 'in mid-body'],
] as const) {
  scenario(
    id,
    `the leader leaves ${when}: one follower renders in his place, the others wait for that one`,
    anyStore,
    async ({ serve, gate }) => {
      const errors = watchProcess()
      const hold = gate()
      const site = await serve({
        options: patient,
        routes: {
          '/x': async ({ n }) => {
            if (n > 1) return text(`render ${n}`, fresh10)
            if (when === 'before the head') await hold()
            return chunks(async function* () {
              yield 'begin'
              await hold()
              yield 'end'
            }, fresh10)
          },
        },
      })
      const leader = site.visit('/x')
      await site.arrived(1)
      if (when === 'in mid-body') await leader.first
      const followers = site.crowd(8, '/x')
      await site.arrived(9)
      leader.abort()
      for (const got of await within(5, Promise.all(followers))) expect(got).toMatchObject({ text: 'render 2' })
      hold.open()
      expect(await site.ask('/x')).toMatchObject({ text: 'render 2', cacheStatus: hit(10) })
      expect(site.renders()).toBe(2)
      expect(errors).toEqual([])
    },
  )
}

scenario(
  'FAULT-92',
  'followers leave, then the leader: one of those who stay renders in his place, and the others wait for that one',
  anyStore,
  async ({ serve, gate }) => {
    const hold = gate()
    const site = await serve({
      options: patient,
      routes: {
        '/x': async ({ n }) => {
          if (n === 1) await hold()
          return text(`render ${n}`, fresh10)
        },
      },
    })
    const visits = []
    for (let i = 1; i <= 12; i++) {
      visits.push(site.visit('/x'))
      await site.arrived(i)
    }
    const [leader, ...followers] = visits
    for (const visit of [...followers.slice(0, 5), leader!]) {
      visit.abort()
      await visit.done
    }
    for (const { done } of followers.slice(5)) {
      expect(await within(5, done)).toMatchObject({ text: 'render 2', complete: true })
    }
    expect(site.renders()).toBe(2)
  },
)

scenario(
  'FAULT-93',
  'one leader after the other leaves: those who stay are answered all the same',
  anyStore,
  async ({ serve, gate }) => {
    const hold = gate()
    let leavers = 3
    const site = await serve({
      options: patient,
      routes: {
        '/x': async ({ n, req }) => {
          if (n === 1) await hold()
          if (leavers-- > 0) {
            req.socket.destroy()
            await new Promise(() => undefined)
          }
          return text(`render ${n}`, fresh10)
        },
      },
    })
    const visits = site.crowd(10, '/x')
    await site.arrived(10)
    hold.open()
    const gots = await within(5, Promise.all(visits))
    expect(gots.filter(({ status }) => status === 0)).toHaveLength(3)
    expect(gots.filter(({ text: body }) => body === 'render 4')).toHaveLength(7)
    expect(site.renders()).toBe(4)
  },
)

for (const [id, way, headers] of [
  ['FAULT-94', '', {}],
  ['FAULT-95', ' with a hidden Cookie', { Cookie: 'a=1' }],
] as const) {
  scenario(
    id,
    `all visitors${way} leave, before and after the head: nothing cut short is stored, nothing is left of them`,
    anyStore,
    async ({ serve, gate }) => {
      const errors = watchProcess()
      const hold = gate()
      const site = await serve({
        options: { ...patient, cookies: 'ignore' },
        routes: {
          '/ok': numbered(),
          '/:id': async ({ path, params }) => {
            if (Number(params['id']) % 2 === 0) await hold()
            return chunks(async function* () {
              yield `begin of ${path}`
              await hold()
              yield 'end'
            }, fresh10)
          },
        },
      })
      const { server } = site
      const before = listeners()
      const visits = Array.from({ length: 40 }, (_, i) => site.visit(`/${i % 8}`, headers))
      await site.arrived(40)
      await settle()
      for (const visit of visits) visit.abort()
      await Promise.all(visits.map(({ done }) => done))
      await vi.waitFor(async () => expect(await connections(site)).toBe(0), 5000)
      if (way === '') expect(site.cache.stats()).toMatchObject({ capturing: 0, memory: { entries: 0 } })
      hold.open()
      await vi.waitFor(() => expect(site.cache.stats().capturing).toBe(0), 5000)
      // What had a leader whom nobody can see leave is whole, and may stay.
      expect(site.cache.stats().memory.entries).toBeLessThanOrEqual(way === '' ? 0 : 8)
      for (let i = 0; i < 8; i++) expect((await within(5, site.ask(`/${i}`))).text).toMatch(/^begin of .*end$/)
      expect((await site.ask('/ok')).cacheStatus).toBe(STORED)
      expect(listeners()).toEqual(before)
      expect(errors).toEqual([])

      function listeners(): unknown {
        const events = ['request', 'connection', 'close', 'error', 'clientError'] as const
        const ofProcess = ['exit', 'uncaughtException', 'unhandledRejection', 'warning', 'SIGTERM'] as const
        return [events.map((name) => server.listenerCount(name)), ofProcess.map((name) => process.listenerCount(name))]
      }
    },
  )
}

scenario('FAULT-96', 'a leader who reads byte by byte holds up nobody', anyStore, async ({ serve, gate }) => {
  const ended = gate()
  const piece = Buffer.alloc(MiB, 'x')
  const site = await serve({
    options: { ...roomy, ...patient },
    routes: {
      '/x': ({ res }) => {
        res.once('close', () => void ended())
        return stream(() => Readable.from(Array.from({ length: 24 }, () => piece)), fresh10)
      },
    },
  })
  const leader = slowReader(site, '/x')
  expect(await leader.read(5)).toBe('HTTP/')
  for (const got of await within(10, Promise.all(site.crowd(3, '/x')))) expect(got.body.length).toBe(24 * MiB)
  expect(await leader.read(1)).toBe('1')
  expect((await within(5, site.ask('/x'))).cacheStatus).toBe(hit(10))
  expect(site.renders()).toBe(1)
  expect(ended.arrivals).toBe(0)
  expect(await leader.readAll()).toBeGreaterThan(24 * MiB)
  await ended.reached()
})

scenario('FAULT-97', 'followers who read byte by byte hold up nobody', anyStore, async ({ serve, gate }) => {
  const hold = gate()
  const body = Buffer.alloc(24 * MiB, 'x')
  const site = await serve({
    options: { ...roomy, ...patient },
    routes: {
      '/x': async () => {
        await hold()
        return bytes(body, { ...fresh10, 'content-type': 'text/plain' })
      },
    },
  })
  const leader = site.visit('/x')
  await site.arrived(1)
  const slow = Array.from({ length: 10 }, () => slowReader(site, '/x'))
  const follower = site.visit('/x')
  await site.arrived(12)
  hold.open()
  for (const visit of [leader, follower]) expect((await within(10, visit.done)).body.length).toBe(body.length)
  for (const reader of slow) expect(await reader.read(1)).toBe('H')
  expect((await within(10, site.ask('/x'))).cacheStatus).toBe(hit(10))
  expect(await slow[0]!.readAll()).toBeGreaterThan(body.length)
  expect(site.renders()).toBe(1)
})

scenario(
  'FAULT-98',
  'a hundred readers who stall in mid-answer hold no copies of the page, and hold up no refresh',
  anyStore,
  async ({ serve, clock, gate }) => {
    const hold = gate()
    const body = Buffer.alloc(16 * MiB, 'x')
    const site = await serve({
      options: roomy,
      routes: {
        '/x': async ({ n }) => {
          if (n === 1) return bytes(body, { ...swr, 'content-type': 'text/plain' })
          await hold()
          return text('new', swr)
        },
      },
    })
    await site.ask('/x')
    clock.advance(11)
    const before = process.memoryUsage().arrayBuffers
    const slow = Array.from({ length: 100 }, () => slowReader(site, '/x'))
    for (const reader of slow) expect(await reader.read(12)).toBe('HTTP/1.1 200')
    // A copy each would be 1600 MiB; each reader's own socket holds some KiB.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100 * MiB)
    hold.open()
    await site.cache.idle()
    expect(await within(5, site.ask('/x'))).toMatchObject({ text: 'new', cacheStatus: hit(10) })
    expect(site.cache.stats().refresh).toEqual({ queued: 0, running: 0 })
    for (const { socket } of slow) socket.destroy()
    await vi.waitFor(async () => expect(await connections(site)).toBeLessThanOrEqual(1), 5000)
  },
)

scenario(
  'FAULT-99',
  'a visitor who leaves in the middle of a stale answer leaves his refresh to the others',
  anyStore,
  async ({ serve, clock, gate }) => {
    const hold = gate()
    // More than the sockets take in: he leaves before all of it is out.
    const body = Buffer.alloc(16 * MiB, 'x')
    const site = await serve({
      options: roomy,
      routes: {
        '/x': async ({ n }) => {
          if (n === 1) return bytes(body, { ...swr, 'content-type': 'text/plain' })
          await hold()
          return text(`render ${n}`, swr)
        },
      },
    })
    await site.ask('/x')
    clock.advance(11)
    const left = gate()
    site.server.once('request', (_request, response) => response.once('close', () => void left()))
    const visit = site.visit('/x', {}, { slow: true })
    expect((await visit.head).warning).toBe(STALE)
    await hold.reached()
    expect(left.arrivals).toBe(0)
    visit.abort()
    await left.reached()
    hold.open()
    await site.cache.idle()
    expect(await site.ask('/x')).toMatchObject({ text: 'render 2', cacheStatus: hit(10) })
  },
)

scenario(
  'FAULT-100',
  'hundreds of requests of all kinds on one connection leave no listeners on it',
  anyStore,
  async ({ serve, clock }) => {
    const site = await serve({
      options: { cookies: 'ignore' },
      routes: {
        '/fresh': numbered(),
        '/stale': numbered(swr),
        '/never': numbered({ 'cache-control': 'no-store' }),
        '/ill': text('ill', {}, 500),
        '/p': { methods: ['POST'], answer: text('posted') },
      },
    })
    const counts: number[] = []
    let socket: Socket | undefined
    site.server.on('connection', (each) => (socket = each))
    const kinds = ['/fresh', '/stale', '/never', '/ill', 'POST /p', 'HEAD /fresh', '/unknown']
    for (let round = 0; round < 40; round++) {
      for (const kind of kinds) await site.ask(kind, round % 2 === 0 ? {} : { Cookie: 'a=1' })
      clock.advance(6)
      counts.push(socket!.eventNames().reduce((sum, name) => sum + socket!.listenerCount(name), 0))
    }
    expect(await connections(site)).toBe(1)
    expect(new Set(counts.slice(2)).size).toBe(1)
  },
)

scenario(
  'FAULT-101',
  'a visitor hangs up in the very moment in which he is answered: whatever is said to him then, nothing but a whole page is stored or shared',
  anyStore,
  async ({ serve, gate }) => {
    const began = gate()
    const site = await serve({
      options: patient,
      routes: {
        '/x': async ({ n, req }) => {
          // What his end does to the socket has been done, and it has not closed yet.
          const ended = once(req.socket, 'end')
          void began()
          if (n === 1) await ended
          return stream(() => Readable.from(['a whole ', `page ${n}`]), fresh10)
        },
      },
    })
    const leaver = slowReader(site, '/x')
    await began.reached()
    const followers = site.crowd(3, '/x')
    await site.arrived(4)
    leaver.socket.end()
    for (const got of await within(5, Promise.all(followers))) expect(got.text).toMatch(/^a whole page \d$/)
    expect((await site.ask('/x')).text).toMatch(/^a whole page \d$/)
    expect(site.renders()).toBeLessThanOrEqual(2)
  },
)

playOnAll()
