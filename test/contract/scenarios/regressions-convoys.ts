import { expect } from 'vitest'
import type { Native } from '../../support/app.ts'
import { STALE_AFTER_FAILURE } from '../../support/cache-status.ts'
import { fresh10, raw, text } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'
import { patient } from './regressions-tools.ts'

const CROWD = 20

/** Who is nobody gets a 401 outside the cache. */
const refusing = (hold: () => Promise<void>): Native => ({
  fastify(app) {
    app.addHook('onRequest', async (request, reply) => {
      if (request.headers.cookie !== undefined) return
      await hold()
      return reply.code(401).send('who are you?')
    })
  },
  express(app) {
    app.use(async (req, res, next) => {
      if (req.headers.cookie !== undefined) return next()
      await hold()
      res.status(401).send('who are you?')
    })
  },
  koa(app) {
    app.use(async (ctx, next) => {
      if (ctx.headers.cookie !== undefined) return next()
      await hold()
      ctx.throw(401, 'who are you?')
    })
  },
})

scenario(
  'REG-42',
  'a render that is refused outside the cache lets its followers go all at once',
  anyStore,
  async ({ serve, gate }) => {
    const first = gate()
    const inside = gate()
    const site = await serve({
      options: { cookies: 'ignore', maxAge: 60, ...patient },
      before: refusing(() => (first.arrivals === 0 ? first() : inside())),
      routes: {
        '/x': async ({ n }) => {
          await inside()
          return text(`render ${n}`)
        },
      },
    })
    const visits = site.crowd(CROWD, '/x', { Cookie: 'sid=1' })
    await site.arrived(CROWD)
    await first.reached()
    first.open()
    // One after the other they would never all be inside.
    await inside.reached(CROWD)
    inside.open()
    for (const got of await Promise.all(visits)) expect(got).toMatchObject({ status: 200 })
    expect(site.renders()).toBe(CROWD)
  },
)

scenario(
  'REG-43',
  'a render over renderTimeoutMs: the stored page stands in for all who waited, after one round',
  anyStore,
  async ({ serve, gate, clock }) => {
    const hold = gate()
    const site = await serve({
      options: { renderTimeoutMs: 150, staleIfError: 600, ...patient },
      routes: {
        '/x': async ({ n }) => {
          if (n > 1) await hold()
          return text('page', fresh10)
        },
      },
    })
    await site.ask('/x')
    clock.advance(11)
    const visits = site.crowd(CROWD, '/x')
    const standIn = { status: 200, text: 'page', warning: STALE_AFTER_FAILURE }
    for (const got of await Promise.all(visits)) expect(got).toMatchObject(standIn)
    // Whoever is late by a busy machine begins another round; twenty would be one after the other.
    expect(site.renders()).toBeLessThanOrEqual(3)
  },
)

scenario(
  'REG-44',
  'without a stored page they all go on at once, and nobody waits for a third round',
  anyStore,
  async ({ serve, gate }) => {
    const hold = gate()
    const site = await serve({
      options: { renderTimeoutMs: 400, ...patient },
      routes: {
        '/x': async () => {
          await hold()
          return text('page', fresh10)
        },
      },
    })
    const visits = site.crowd(CROWD, '/x')
    // The first round is one render, the second all others: they hang side by side.
    await hold.reached(CROWD)
    for (const got of await Promise.all(visits)) expect(got).toMatchObject({ status: 504, complete: true })
    expect(site.renders()).toBe(CROWD)
  },
)

scenario(
  'REG-45',
  'an app that truncates its page twice lets those who waited go all at once',
  anyStore,
  async ({ serve, gate }) => {
    const first = gate()
    const others = gate()
    const site = await serve({
      options: patient,
      routes: {
        '/x': ({ n }) =>
          raw(async (_req, res) => {
            res.writeHead(200, { ...fresh10, 'Content-Length': '10' })
            res.write('abc')
            if (n === 1) await first()
            // The second may have been an attempt to do better.
            if (n > 2) await others()
            res.destroy()
          }),
      },
    })
    const visits = site.crowd(CROWD, '/x')
    await site.arrived(CROWD)
    first.open()
    await others.reached(CROWD - 2)
    others.open()
    for (const got of await Promise.all(visits)) expect(got.complete).toBe(false)
    expect(site.renders()).toBe(CROWD)
  },
)

scenario(
  'REG-46',
  'close() lets those go who wait for a refresh, and for another visitor',
  anyStore,
  async ({ serve, gate, clock }) => {
    const hold = gate()
    const refreshing = gate()
    const site = await serve({
      options: { maxAge: 10, staleWhileRevalidate: 10, ...patient },
      routes: {
        '/x': async ({ n }) => {
          // The second is the refresh, which never ends.
          if (n === 2) await refreshing()
          return text(`render ${n}`)
        },
        '/cold': async ({ n }) => {
          if (n === 1) await hold()
          return text(`render ${n}`)
        },
      },
    })
    await site.ask('/x')
    clock.advance(15)
    expect((await site.visit('/x').done).text).toBe('render 1')
    await refreshing.reached()
    clock.advance(60)
    const follower = site.visit('/x').done
    await site.arrived(3)
    const leader = site.visit('/cold').done
    await hold.reached()
    const second = site.visit('/cold').done
    await site.arrived(5)
    const closing = site.cache.close()
    expect(await follower).toMatchObject({ status: 200, text: 'render 3' })
    hold.open()
    expect(await leader).toMatchObject({ status: 200, text: 'render 1' })
    expect(await second).toMatchObject({ status: 200 })
    await closing
  },
)
