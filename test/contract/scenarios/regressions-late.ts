import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { expect } from 'vitest'
import type { Description, Native } from '../../support/app.ts'
import { STALE_AFTER_FAILURE } from '../../support/cache-status.ts'
import type { Gate } from '../../support/gate.ts'
import { fail, fresh10, json, raw, stream, text } from '../../support/reply.ts'
import { anyStore, scenario, type Stage } from '../../support/scenario.ts'
import { settle, watchProcess } from './regressions-tools.ts'

/** Handlers that answer when they are let go: from a callback, where a throw would end the process. */
const callbacks = (hold: Gate): Native => ({
  fastify(app) {
    app.get('/callback', (_request, reply) => {
      void hold().then(() => setImmediate(() => reply.header('x-late', 'yes').send({ late: true })))
    })
    app.get('/callback-error', (_request, reply) => {
      void hold().then(() => setImmediate(() => reply.send(new Error('late'))))
    })
  },
  express(app) {
    app.get('/callback', (_req, res) => {
      void hold().then(() => setImmediate(() => res.status(201).set('x-late', 'yes').json({ late: true })))
    })
    app.get('/callback-error', (_req, _res, next) => {
      void hold().then(() => setImmediate(() => next(new Error('late'))))
    })
  },
  koa(_app, router) {
    router.get('/callback', (ctx) => {
      ctx.respond = false
      void hold().then(() =>
        setImmediate(() => {
          ctx.set('x-late', 'yes')
          ctx.res.writeHead(201, { 'X-Later': 'yes' })
          ctx.res.end('late')
        }),
      )
    })
    router.get('/callback-error', async (ctx) => {
      await hold()
      ctx.throw(500, 'late')
    })
  },
})

/** The same, in each framework's own words. */
const routes = (hold: Gate): Description['routes'] => ({
  '/json': async () => {
    await hold()
    return json({ late: true }, fresh10)
  },
  '/throw': async () => {
    await hold()
    return fail('late')
  },
  '/stream': async () => {
    await hold()
    return stream(() => Readable.from(['la', 'te']), fresh10)
  },
  '/raw': async () => {
    await hold()
    return raw((_req, res) => {
      res.setHeader('X-Late', 'yes')
      res.writeHead(200, { 'Content-Length': '4' })
      res.write('la')
      res.end('te')
    })
  },
  // The clock of a busy machine is nothing to it.
  '/quick': { cacheback: false, answer: text('quick') },
})

async function playLate({ serve, gate }: Stage, path: string, headers: Record<string, string>): Promise<void> {
  const errors = watchProcess()
  const hold = gate()
  const sockets = new Set<unknown>()
  const site = await serve({
    options: { renderTimeoutMs: 30, cookies: 'ignore' },
    outside: ({ req }) => void (req.socket instanceof Socket && sockets.add(req.socket)),
    routes: routes(hold),
    extra: callbacks(hold),
  })
  expect(await site.ask(path, headers)).toMatchObject({ status: 504, text: 'Gateway Timeout', complete: true })
  hold.open()
  await settle()
  expect(await site.ask('/quick')).toMatchObject({ status: 200, text: 'quick', complete: true })
  await settle()
  expect(await site.ask('/quick')).toMatchObject({ status: 200, text: 'quick', complete: true })
  expect(sockets.size).toBe(1)
  expect(errors).toEqual([])
}

const late: Record<string, [path: string, title: string]> = {
  'REG-20': ['/json', 'with the page'],
  'REG-21': ['/throw', 'by a rejection'],
  'REG-22': ['/stream', 'with a stream'],
  'REG-23': ['/raw', 'past the framework'],
  'REG-24': ['/callback', 'from a callback'],
  'REG-25': ['/callback-error', 'from a callback, with an error'],
}

for (const [id, [path, title]] of Object.entries(late)) {
  scenario(
    id,
    `a handler answers ${title} after its 504: the process lives, the connection stays usable`,
    anyStore,
    async (stage) => {
      await playLate(stage, path, {})
      // The same behind a detached fill.
      await playLate(stage, path, { Cookie: 'a=1' })
    },
  )
}

scenario(
  'REG-26',
  'a handler answers after the stored page has stood in for it: the connection stays usable',
  anyStore,
  async ({ serve, gate, clock }) => {
    const errors = watchProcess()
    const hold = gate()
    const sockets = new Set<unknown>()
    const site = await serve({
      options: { staleIfError: 600 },
      outside: ({ req }) => void sockets.add(req.socket),
      routes: {
        '/:way': {
          cacheback: { renderTimeoutMs: 100 },
          answer: async ({ n, params }) => {
            if (n <= 2) return text('page', fresh10)
            await hold()
            return params['way'] === 'throw' ? fail('late') : text('late', fresh10)
          },
        },
      },
    })
    for (const path of ['/throw', '/text']) await site.ask(path)
    clock.advance(11)
    for (const path of ['/throw', '/text']) {
      expect(await site.ask(path)).toMatchObject({ status: 200, text: 'page', warning: STALE_AFTER_FAILURE })
    }
    hold.open()
    await settle()
    // What came late was for nobody.
    expect((await site.ask('/text')).cacheStatus).not.toContain('hit')
    expect(sockets.size).toBe(1)
    expect(errors).toEqual([])
  },
)
