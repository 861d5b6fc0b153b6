import { cacheback as expressCacheback } from '@cacheback/express'
import { cacheback as koaCacheback } from '@cacheback/koa'
import { createCacheback, type Cacheback } from '@cacheback/core'
import type { IncomingMessage } from 'node:http'
import { expect, onTestFinished } from 'vitest'
import type { Native } from '../../support/app.ts'
import { hit, numbered, STORED, unstored } from '../../support/cache-status.ts'
import type { Gate } from '../../support/gate.ts'
import { cacheControl, fresh10, text } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'
import { patient, settle, watchProcess } from './regressions-tools.ts'

for (const [id, headers] of [
  ['REG-50', {}],
  ['REG-51', { Cookie: 'a=1' }],
] as const) {
  scenario(
    id,
    `every visitor ${id === 'REG-50' ? '' : 'with a hidden Cookie '}of an outage gets the stored page, and the first good one is stored`,
    anyStore,
    async ({ serve, clock }) => {
      let ill = false
      const site = await serve({
        options: { cookies: 'ignore', staleIfError: 6000 },
        routes: { '/x': () => (ill ? text('ill', {}, 503) : text('page', fresh10)) },
      })
      await site.ask('/x', headers)
      clock.advance(11)
      ill = true
      const cacheStatus = 'cacheback; fwd=stale; fwd-status=503; detail=stale-if-error'
      for (const method of ['GET', 'GET', 'HEAD', 'GET', 'HEAD', 'GET']) {
        const body = method === 'HEAD' ? '' : 'page'
        const got = await site.ask(`${method} /x`, headers)
        expect(got).toMatchObject({ status: 200, text: body, complete: true, cacheStatus })
        clock.advance(11)
      }
      ill = false
      const recovered = await site.ask('/x', headers)
      expect(recovered).toMatchObject({ status: 200, text: 'page', warning: undefined })
      // Express makes an ETag of its own: there the page is validated.
      expect(recovered.cacheStatus).toMatch(/^cacheback; fwd=stale; (fwd-status=304; )?stored$/)
      expect(await site.ask('/x', headers)).toMatchObject({ text: 'page', cacheStatus: hit(10) })
    },
  )
}

scenario(
  'REG-52',
  'a 404 in the foreground ends the stored page: no later outage brings it back',
  anyStore,
  async (stage) => {
    const { serve, clock } = stage
    const sie = cacheControl('max-age=10, stale-if-error=600')
    const site = await serve({ routes: { '/x': [text('page', sie), text('gone', {}, 404), text('ill', {}, 503)] } })
    await site.ask('/x')
    clock.advance(11)
    expect((await site.ask('/x')).status).toBe(404)
    expect(site.cache.stats().memory.entries).toBe(0)
    expect(await site.ask('/x')).toMatchObject({ status: 503, text: 'ill' })
  },
)

const optedOut = (cache: Cacheback): Native => ({
  fastify: (app) => void app.post('/x', { config: { cacheback: false } }, () => 'posted'),
  express: (app) => void app.post('/x', expressCacheback(cache, false), (_req, res) => void res.send('posted')),
  koa: (_app, router) =>
    void router.post('/x', koaCacheback(cache, false) as never, (ctx) => {
      ctx.body = 'posted'
    }),
})

scenario('REG-53', 'a POST that is opted out does not switch the cache off for GET', anyStore, async (stage) => {
  const cache = createCacheback(await stage.options())
  const site = await stage.serve({ cache, after: optedOut(cache), routes: { '/x': numbered() } })
  expect((await site.ask('POST /x')).text).toBe('posted')
  expect((await site.ask('/x')).cacheStatus).toBe(STORED)
  expect((await site.ask('POST /x')).text).toBe('posted')
  // Whether a POST that is opted out invalidates is another question.
  await site.ask('/x')
  expect((await site.ask('/x')).cacheStatus).toBe(hit(10))
})

/** What the app says is fixed before the cache, and detached renders are held up between that and the cache. */
function fixedOutside(page: () => string, hold: Gate, pages: WeakMap<IncomingMessage, string>): Native {
  const enter = async (req: IncomingMessage): Promise<void> => {
    pages.set(req, page())
    if (req.socket.remoteAddress === '192.0.2.1') await hold()
  }
  return {
    fastify: (app) => void app.addHook('onRequest', ({ raw }) => enter(raw)),
    express: (app) =>
      void app.use(async (req, _res, next) => {
        await enter(req)
        next()
      }),
    koa: (app) =>
      void app.use(async (ctx, next) => {
        await enter(ctx.req)
        await next()
      }),
  }
}

scenario(
  'REG-54',
  'a purge while a detached render is on its way to the cache: what it brings is not stored',
  anyStore,
  async ({ serve, gate, clock }) => {
    const pages = new WeakMap<IncomingMessage, string>()
    let page = 'old'
    const hold = gate()
    const site = await serve({
      options: { maxAge: 10, staleWhileRevalidate: 600, cookies: 'ignore' },
      before: fixedOutside(() => page, hold, pages),
      routes: { '/x': ({ req }) => text(pages.get(req)!), '/y': ({ req }) => text(pages.get(req)!) },
    })
    await site.ask('/x')
    clock.advance(15)
    expect((await site.visit('/x').done).text).toBe('old')
    const fill = site.visit('/y', { Cookie: 'a=1' }).done
    // The refresh of the one, the fill of the other.
    await hold.reached(2)
    page = 'new'
    await site.cache.purge({ all: true })
    hold.open()
    await fill
    await site.cache.idle()
    for (const path of ['/x', '/y']) expect(await site.ask(path), path).toMatchObject({ text: 'new', age: undefined })
  },
)

scenario(
  'REG-55',
  'two caches, one inside the other: both refresh',
  { ...anyStore, frameworks: ['express', 'koa'], because: 'a Fastify app has one cache' },
  async ({ serve, options, clock }) => {
    const windows = { maxAge: 5, staleWhileRevalidate: 6000 }
    const inner = createCacheback({ ...(await options(windows)), name: 'inner' })
    onTestFinished(() => inner.close())
    const site = await serve({
      options: { ...windows, name: 'outer' },
      after: {
        express: (app) => app.use(expressCacheback(inner)),
        koa: (app) => app.use(koaCacheback(inner)),
      },
      routes: { '/x': numbered({}) },
    })
    const ask = async (): Promise<string> => {
      const got = await site.ask('/x')
      await inner.idle()
      clock.advance(7)
      return got.text
    }
    for (let round = 0; round < 4; round++) await ask()
    expect(site.cache.stats().events.refresh).toBeGreaterThanOrEqual(2)
    expect(await ask()).not.toBe('render 1')
    // Nothing but the inner one is left, and what it holds is stale: its refresh must come past the outer one.
    await site.cache.purge({ all: true })
    await ask()
    expect(inner.stats().events.refresh).toBeGreaterThanOrEqual(1)
    for (const cache of [site.cache, inner]) expect(cache.stats().events['refresh-failed']).toBe(0)
  },
)

for (const [id, tags] of [
  ['REG-56', () => [1]],
  ['REG-57', async () => ['a']],
] as const) {
  scenario(
    id,
    `tags that are ${id === 'REG-56' ? 'numbers' : 'a promise'}: not stored, and nobody waits`,
    anyStore,
    async ({ serve, gate }) => {
      const errors = watchProcess()
      const first = gate()
      const all = gate()
      const site = await serve({
        options: { maxAge: 60, tags: tags as never, ...patient },
        routes: {
          '/x': async ({ n }) => {
            await (n === 1 ? first() : all())
            return text(`render ${n}`)
          },
        },
      })
      const visits = site.crowd(6, '/x')
      await site.arrived(6)
      first.open()
      await all.reached(5)
      all.open()
      for (const got of await Promise.all(visits)) {
        expect(got).toMatchObject({ status: 200, cacheStatus: unstored('tags') })
      }
      expect(site.cache.stats().memory.entries).toBe(0)
      expect(errors).toEqual([])
    },
  )
}

scenario('REG-58', 'an async listener that rejects is caught like one that throws', anyStore, async ({ serve }) => {
  const errors = watchProcess()
  const site = await serve({ routes: { '/x': numbered() } })
  let told = 0
  const listener = async (): Promise<void> => {
    told++
    throw new Error('a listener of the application')
  }
  for (const event of ['miss', 'store', 'hit'] as const) site.cache.on(event, listener)
  await site.ask('/x')
  await site.ask('/x')
  await settle()
  expect(told).toBe(3)
  expect(errors).toEqual([])
})

scenario(
  'REG-59',
  'what is remembered of keys is bounded in bytes: long ones push out the oldest early',
  anyStore,
  async ({ serve }) => {
    const site = await serve({ options: { cookies: 'ignore' }, routes: { '*': numbered(cacheControl('no-store')) } })
    const enters = async (path: string, headers = {}): Promise<number> => {
      const before = site.renders()
      await site.ask(path, { Cookie: 'a=1', ...headers })
      return site.renders() - before
    }
    // Once detached, once by himself; then it is remembered that it cannot be cached.
    expect(await enters('/first')).toBe(2)
    expect(await enters('/first')).toBe(1)
    const long = 'a'.repeat(6000)
    // 400 keys of 12 KB are more than 4 MiB, and far fewer than 10,000.
    for (let i = 0; i < 400; i++) await site.ask(`/${long}${i}`, { 'X-Forwarded-Host': long })
    expect(await enters('/first')).toBe(2)
  },
)
