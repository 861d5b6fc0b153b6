import { createCacheback } from '@cacheback/core'
import { expect } from 'vitest'
import type { Description } from '../../support/app.ts'
import { hit, STORED } from '../../support/cache-status.ts'
import { cacheControl, fresh10, text } from '../../support/reply.ts'
import { anyStore, scenario, sharedStore } from '../../support/scenario.ts'
import { patient } from './regressions-tools.ts'

// What only a layer further inside knows of its route.

const guarded: Description['routes'] = {
  '/x': {
    cacheback: { cookies: 'bypass', skip: ({ headers }) => headers['x-preview'] !== undefined },
    answer: ({ headers }) => {
      const { cookie, 'x-preview': preview } = headers
      return text(preview === undefined ? `for ${cookie ?? 'all'}` : 'a preview', fresh10)
    },
  },
}
const refused = [
  [{ Cookie: 'sid=alice' }, 'for sid=alice'],
  [{ 'X-Preview': '1' }, 'a preview'],
] as const

scenario(
  'REG-107',
  'after a restart over the same store a route’s own refusal holds, and its page is a hit from the second request on',
  sharedStore,
  async ({ serve }) => {
    for (const inFront of [false, true]) {
      const app = { inFront, options: { cookies: 'ignore', version: `${inFront}` }, routes: guarded } as const
      const before = await serve(app)
      expect((await before.ask('/x')).text).toBe('for all')
      for (const [headers, own] of refused) {
        const after = await serve(app)
        expect((await after.ask('/x', headers)).text, own).toBe(own)
        expect((await after.ask('/x', headers)).text, own).toBe(own)
      }
      const after = await serve(app)
      for (let i = 0; i < 3; i++) {
        expect(await after.ask('/x')).toMatchObject({ text: 'for all', cacheStatus: hit(10) })
      }
      for (const [headers, own] of refused) expect((await after.ask('/x', headers)).text).toBe(own)
      expect(after.renders()).toBe(2)
      expect(before.renders()).toBe(1)
    }
  },
)

scenario(
  'REG-108',
  'in front, an unsafe request with Authorization or a Cookie invalidates what it has changed',
  anyStore,
  async ({ serve }) => {
    for (const headers of [{}, { Authorization: 'Bearer a' }, { Cookie: 'sid=a' }, { 'X-Api-Key': 'a' }]) {
      const site = await serve({
        inFront: true,
        // Fastify has it everywhere: there the layer inside invalidates as well.
        appWide: false,
        routes: { '/x': { methods: ['GET', 'POST'], answer: ({ n }) => text(`render ${n}`, fresh10) } },
      })
      await site.ask('/x')
      expect((await site.ask('/x')).cacheStatus).toBe(hit(10))
      expect((await site.ask('POST /x', headers)).status).toBe(200)
      expect(await site.ask('/x'), Object.keys(headers).join()).toMatchObject({ text: 'render 3', cacheStatus: STORED })
    }
  },
)

scenario(
  'REG-109',
  'in front by its route alone: who waits for a page that is captured inside gets what the layers of the app add',
  anyStore,
  async ({ serve, gate }) => {
    const hold = gate()
    const site = await serve({
      inFront: true,
      options: { inFront: false, ...patient },
      outside: ({ req, set }) => set('X-For', String(req.headers['x-visitor'])),
      routes: {
        '/x': {
          cacheback: { maxAge: 10, inFront: true },
          answer: async ({ n }) => {
            await hold()
            return text(`render ${n}`)
          },
        },
      },
    })
    const leader = site.visit('/x', { 'X-Visitor': 'alice' }).done
    await hold.reached()
    const followers = ['bob', 'carol'].map((name) => site.visit('/x', { 'X-Visitor': name }).done)
    await site.arrived(3)
    hold.open()
    expect(await leader).toMatchObject({ text: 'render 1', headers: { 'x-for': 'alice' } })
    for (const [i, name] of ['bob', 'carol'].entries()) {
      expect(await followers[i]).toMatchObject({ status: 200, text: 'render 1', headers: { 'x-for': name } })
    }
    expect(site.renders()).toBe(1)
  },
)

const MANY = 10_500

scenario(
  'REG-110',
  'so many other paths that a route is forgotten: its own refusal holds, and it is known again',
  { frameworks: ['express'], stores: ['memory'], because: 'what is remembered is the same everywhere' },
  async ({ options, serve }) => {
    const cache = createCacheback(await options({ cookies: 'ignore' }))
    const other = { cacheback: { maxAge: 10 }, answer: text('other', cacheControl('no-store')) } as const
    const site = await serve({ cache, routes: { ...guarded, '/other/:i': other } })
    await site.ask('/x')
    for (let i = 0; i < MANY; i += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, j) => site.visit(`/other/${i + j}`).done))
    }
    for (const [headers, own] of refused) expect((await site.ask('/x', headers)).text).toBe(own)
    for (let i = 0; i < 2; i++) {
      expect(await site.ask('/x')).toMatchObject({ text: 'for all', cacheStatus: hit(10) })
    }
  },
)

scenario(
  'REG-111',
  'after a restart a route has no options of its own any more: its page is served again, by the rules for all',
  sharedStore,
  async ({ serve }) => {
    for (const inFront of [false, true]) {
      const app = { inFront, options: { cookies: 'ignore', version: `${inFront}` } } as const
      await (await serve({ ...app, routes: guarded })).ask('/x')
      const site = await serve({ ...app, routes: { '/x': ({ n }) => text(`after ${n}`, fresh10) } })
      await site.ask('/x')
      for (let i = 0; i < 2; i++) {
        expect((await site.ask('/x', { Cookie: 'sid=alice' })).cacheStatus).toBe(hit(10))
      }
      expect(site.renders()).toBeLessThan(2)
    }
  },
)

scenario(
  'REG-112',
  'in front of an app whose routes alone have a layer: after a restart what one keeps inside is served again',
  sharedStore,
  async ({ serve }) => {
    const app: Description = {
      inFront: true,
      appWide: false,
      routes: { '/x': { cacheback: { maxAge: 10, inFront: false }, answer: text('page') } },
    }
    await (await serve(app)).ask('/x')
    const site = await serve(app)
    await site.ask('/x')
    for (let i = 0; i < 2; i++) expect((await site.ask('/x')).cacheStatus).toBe(hit(10))
    expect(site.renders()).toBeLessThan(2)
  },
)

scenario(
  'REG-118',
  'a crowd after a restart: what a route’s own layer has stored is served to all, and renewed once when it is over',
  sharedStore,
  async ({ serve, clock }) => {
    for (const inFront of [false, true]) {
      const app = { inFront, options: { cookies: 'ignore', version: `${inFront}` }, routes: guarded } as const
      await (await serve(app)).ask('/x')
      const fresh = await serve(app)
      for (const got of await Promise.all(fresh.crowd(10, '/x'))) {
        expect(got).toMatchObject({ status: 200, text: 'for all' })
      }
      expect(fresh.renders()).toBe(0)
      clock.advance(11)
      const over = await serve(app)
      for (const got of await Promise.all(over.crowd(10, '/x'))) {
        expect(got).toMatchObject({ status: 200, text: 'for all' })
      }
      await over.cache.idle()
      expect(over.renders()).toBe(1)
      expect((await over.ask('/x')).cacheStatus).toBe(hit(10))
    }
  },
)
