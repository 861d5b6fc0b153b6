import { expect } from 'vitest'
import type { Description, Middleware, Native } from '../support/app.ts'
import type { Gate } from '../support/gate.ts'
import { cacheControl, text } from '../support/reply.ts'
import { anyStore, scenario, type Stage } from '../support/scenario.ts'
import { attacks, expectHarmless, swr } from './attack.ts'
import { get } from './raw.ts'

// The cache in front of the app, where a hit passes none of its layers: what guards, and what speaks to one visitor.

/** Knows a member by what no cache takes for a credential, and takes its time over it. */
const guardedBy = (asked: () => Promise<void>): Native => ({
  fastify: (app) =>
    void app.addHook('onRequest', async (request, reply) => {
      await asked()
      if (request.headers['x-member'] === undefined) await reply.code(403).send('members only')
    }),
  express: (app) =>
    void app.use(async (req, res, next) => {
      await asked()
      if (req.headers['x-member'] === undefined) res.status(403).send('members only')
      else next()
    }),
  koa: (app) =>
    void app.use(async (ctx, next) => {
      await asked()
      if (ctx.headers['x-member'] === undefined) ctx.throw(403, 'members only')
      await next()
    }),
})

/** A page that its route keeps behind the guards; the renders and the guards wait at their gates. */
async function serveGuarded(stage: Stage, options: Description['options'], guards: Gate, renders: Gate) {
  return stage.serve({
    inFront: true,
    ...(options === undefined ? {} : { options }),
    before: guardedBy(guards),
    routes: {
      '/x': {
        cacheback: { maxAge: 10, staleWhileRevalidate: 600, inFront: false },
        answer: async ({ n }) => {
          await renders()
          return text(`secret ${n}`)
        },
      },
    },
  })
}

scenario('GUARD-01', 'who comes in the same moment as a member passes the guards himself', anyStore, async (stage) => {
  for (const options of [{}, { sealed: true }] as const) {
    const [guards, renders] = [stage.gate(), stage.gate()]
    const site = await serveGuarded(stage, options, guards, renders)
    const member = site.visit('/x', { 'X-Member': 'yes' }).done
    await guards.reached()
    const stranger = site.visit('/x').done
    await site.arrived(2)
    guards.open()
    await Promise.race([renders.reached(), member])
    renders.open()
    expect((await member).status, JSON.stringify(options)).toBe(200)
    expect(await stranger, JSON.stringify(options)).toMatchObject({ status: 403 })
  }
})

scenario(
  'GUARD-02',
  'a page that its route keeps behind the guards stays there: cold, fresh, stale, over and purged',
  anyStore,
  async (stage) => {
    const [guards, renders] = [stage.gate(), stage.gate()]
    guards.open()
    renders.open()
    const site = await serveGuarded(stage, undefined, guards, renders)
    for (const seconds of [0, 0, 11, 0, 700, 0, 'purge', 0, 11] as const) {
      // What is known of the page goes, what is known of its route stays.
      if (seconds === 'purge') {
        await site.cache.purge({ all: true })
        await site.ask('/x', { 'X-Member': 'yes' })
      } else stage.clock.advance(seconds)
      // With a condition he does not go the short way.
      for (const headers of [{}, { 'If-None-Match': '"other"' }]) {
        expect((await site.ask('/x', headers)).status).toBe(403)
        expect((await site.ask('/x', { ...headers, 'X-Member': 'yes' })).text).toMatch(/^secret \d+$/)
      }
    }
    expect(site.cache.stats().events.hit).toBeGreaterThan(0)
  },
)

/** Greets everybody by name, and allows his origin. */
const greets =
  (fields: Readonly<Record<string, string>>): Middleware =>
  ({ req, set }) => {
    for (const [name, value] of Object.entries(fields)) set(name, value)
    set('X-Hello', `dear ${String(req.headers['x-visitor'])}`)
    if (req.headers.origin !== undefined) set('Access-Control-Allow-Origin', req.headers.origin)
  }

scenario(
  'GUARD-03',
  'what a layer of the app says to one visitor goes to nobody else if it says so, is keyed or sealed',
  anyStore,
  async (stage) => {
    const names = ['x-visitor', 'origin']
    const routes: Description['routes'] = { '/x': text('the page', swr) }
    const cured: Description[] = [
      { outside: greets({ Vary: names.join(', ') }), routes },
      { outside: greets({ 'Cache-Control': 'private' }), routes: { '/x': text('the page') } },
      { outside: greets({}), options: { vary: names }, routes },
      { outside: greets({}), options: { credentials: names }, routes },
    ]
    const [alice, bob] = ['alice', 'bob'].map((name) => get('/x', `X-Visitor: ${name}`, `Origin: https://${name}.test`))
    for (const [i, app] of cured.entries()) {
      const cached = i !== 1
      await expectHarmless(
        stage,
        attacks({ ...app, inFront: true }, [
          ['alice, then nobody', alice!, { cached }],
          ['alice, then bob', alice!, { clean: bob, cached: cached && i !== 3 }],
        ]),
      )
    }
    const sealed: Description = { outside: greets({}), inFront: true, options: { sealed: true }, routes }
    await expectHarmless(stage, attacks(sealed, [['alice', alice!, { gets: 'clean' }]]))
  },
)

scenario(
  'GUARD-04',
  'who waits in front for a render inside gets what the layers of the app add as well',
  anyStore,
  async (stage) => {
    const renders = stage.gate()
    const site = await stage.serve({
      inFront: true,
      options: { memory: { maxBytes: 20_000 } },
      outside: ({ set }) => set('Content-Security-Policy', "default-src 'self'"),
      routes: {
        '/x': async ({ n }) => {
          if (n > 1) await renders()
          return text(`render ${n}`, cacheControl('public, max-age=10'))
        },
        '/filler/:i': text('a'.repeat(5000), swr),
      },
    })
    // Rendered for somebody, and so captured inside.
    await site.ask('/x', { Authorization: 'Bearer alice' })
    stage.clock.advance(11)
    const one = site.visit('/x').done
    await renders.reached()
    for (let i = 0; i < 6; i++) await site.ask(`/filler/${i}`)
    const other = site.visit('/x').done
    await site.arrived(9)
    renders.open()
    for (const visit of [one, other]) {
      expect((await visit).headers['content-security-policy']).toBe("default-src 'self'")
    }
  },
)
