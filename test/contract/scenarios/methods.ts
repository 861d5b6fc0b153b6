import { createCacheback } from '@cacheback/core'
import { cachebackPlugin } from '@cacheback/fastify'
import Fastify from 'fastify'
import { expect, onTestFinished } from 'vitest'
import { bypass, hit, numbered, STALE } from '../../support/cache-status.ts'
import { cacheControl, fail, fresh10, text } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'

// From the start: a process is told once.
const severalCaches: string[] = []
process.on('warning', (warning: Error & { code?: string }) => {
  if (warning.code === 'CACHEBACK_SEVERAL_CACHES') severalCaches.push(warning.message)
})

const swr = cacheControl('max-age=10, stale-while-revalidate=60')

scenario('CLOSE-01', 'a closed cache lets every request pass', async ({ serve }) => {
  const site = await serve({ routes: { '/x': numbered() } })
  await site.ask('/x')
  await site.cache.close()
  for (const n of [2, 3]) {
    expect(await site.visit('/x').done).toMatchObject({ text: `render ${n}`, cacheStatus: bypass('closed') })
  }
  await expect(site.cache.refresh('http://example.test/x')).rejects.toMatchObject({ code: 'CACHEBACK_CLOSED' })
})

scenario('CLOSE-02', 'close ends a refresh that hangs, and lets those go who wait', async ({ serve, clock, gate }) => {
  const closed = gate()
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async ({ n, res }) => {
        if (n === 1) return text('page', swr)
        res.once('close', () => void closed())
        await hold()
        return text('late', swr)
      },
    },
  })
  await site.ask('/x')
  clock.advance(11)
  await site.visit('/x').done
  await hold.reached()
  const start = performance.now()
  await site.cache.close()
  expect(performance.now() - start).toBeLessThan(4000)
  await closed.reached()
})

scenario(
  'CLOSE-03',
  'the cache of a Fastify app closes with it',
  {
    frameworks: ['fastify'],
    because: 'the others have no close of their own',
  },
  async ({ serve }) => {
    const site = await serve({ routes: { '/x': numbered() } })
    await site.ask('/x')
    await site.close()
    await expect(site.cache.refresh('http://example.test/x')).rejects.toMatchObject({ code: 'CACHEBACK_CLOSED' })
  },
)

scenario(
  'REFRESH-01',
  'without a server, refresh says so; the plugin of Fastify attaches its own',
  async ({ serve, framework }) => {
    const site = await serve({ routes: { '/x': numbered() } })
    if (framework.name !== 'fastify') {
      await expect(site.cache.refresh('http://example.test/x')).rejects.toMatchObject({ code: 'CACHEBACK_NO_RENDERER' })
      expect(site.cache.attach(site.server)).toBe(site.cache)
    }
    expect(await site.cache.refresh('http://example.test/x')).toBe(true)
    expect(await site.ask('/x')).toMatchObject({ text: 'render 1', cacheStatus: hit(10) })
  },
)

scenario(
  'REFRESH-02',
  'refresh(url) renders now what is fresh or missing, and tells whether it was stored',
  async ({ serve }) => {
    const site = await serve({
      routes: { '/x': numbered(), '/no': numbered(cacheControl('no-store')), '/fails': fail() },
    })
    site.cache.attach(site.server)
    await site.ask('/x')
    expect(await site.cache.refresh('http://example.test/x')).toBe(true)
    expect((await site.ask('/x')).text).toBe('render 2')
    expect(await site.cache.refresh('http://example.test/no')).toBe(false)
    expect(await site.cache.refresh('http://example.test/fails')).toBe(false)
    expect(await site.cache.refresh('http://example.test/nowhere')).toBe(false)
  },
)

scenario('REFRESH-03', 'refresh(url, headers) renders that variant', async ({ serve }) => {
  const site = await serve({
    options: { vary: ['X-Device'] },
    routes: {
      '/x': ({ n, headers }) =>
        text(`${n} ${String(headers['x-device'])} ${headers['accept-language']} ${headers.host}`, {
          ...fresh10,
          vary: 'Accept-Language',
        }),
    },
  })
  site.cache.attach(site.server)
  const headers = { 'X-Device': 'phone', 'Accept-Language': 'de' }
  expect(await site.cache.refresh('http://shop.test:8080/x', headers)).toBe(true)
  expect(await site.ask('/x', { ...headers, Host: 'shop.test:8080' })).toMatchObject({
    text: '1 phone de shop.test:8080',
    cacheStatus: hit(10),
  })
  expect((await site.ask('/x', { Host: 'shop.test:8080' })).text).toContain('2 undefined')
})

scenario('REFRESH-04', 'a listener can be attached instead of a server', async ({ serve, framework }) => {
  const site = await serve({ routes: { '/a%2Fb': numbered(), '*': ({ url }) => text(url, fresh10) } })
  site.cache.attach((request, response) => void site.server.emit('request', request, response))
  expect(await site.cache.refresh('http://example.test/c%2Fd//?x'), framework.name).toBe(true)
  expect(await site.ask('/c%2Fd//?x')).toMatchObject({ text: '/c%2Fd//?x', cacheStatus: hit(10) })
})

scenario('WARN-01', 'one warning says why almost everything bypasses', anyStore, async ({ serve }) => {
  const site = await serve({ routes: { '/x': numbered() } })
  const warnings: (Error & { code?: string })[] = []
  const listen = (warning: Error): void => void warnings.push(warning)
  process.on('warning', listen)
  onTestFinished(() => void process.off('warning', listen))
  for (let i = 0; i < 30; i++) await Promise.all(site.crowd(50, '/x', { Cookie: '_ga=1' }))
  await new Promise(setImmediate)
  const told = warnings.filter(({ code }) => code === 'CACHEBACK_MOSTLY_BYPASSED')
  expect(told).toHaveLength(1)
  expect(told[0]!.message).toMatch(/cookie/)
})

scenario('WARN-02', 'a second cache from plain options is told of once', anyStore, async ({ framework }) => {
  for (let i = 0; i < 3; i++) await framework.build({ maxAge: 10 })
  await new Promise(setImmediate)
  expect(severalCaches).toHaveLength(1)
  expect(severalCaches[0]).toContain('createCacheback()')
})

scenario(
  'FASTIFY-01',
  'the app is decorated with its cache, from options or given',
  {
    frameworks: ['fastify'],
    stores: ['memory'],
    because: 'its own surface',
  },
  async () => {
    const cache = createCacheback()
    const [given, own] = [Fastify(), Fastify()]
    onTestFinished(async () => void (await Promise.all([given.close(), own.close()])))
    await given.register(cachebackPlugin, { cache })
    await own.register(cachebackPlugin, { maxAge: 10 })
    expect(given.cacheback).toBe(cache)
    expect(own.cacheback.stats().events.hit).toBe(0)
    await expect(Fastify().register(cachebackPlugin, { hook: 'onSend' as never })).rejects.toMatchObject({
      code: 'CACHEBACK_INVALID_OPTION',
    })
  },
)

scenario(
  'FASTIFY-02',
  "with hook: 'preHandler' the hooks before it run on every hit",
  {
    frameworks: ['fastify'],
    stores: ['memory'],
    because: 'its own surface',
  },
  async () => {
    const app = Fastify()
    onTestFinished(() => app.close())
    let n = 0
    app.addHook('preHandler', async (request, reply) => {
      if (request.headers['x-guest'] === undefined) await reply.code(401).send('who are you?')
    })
    await app.register(cachebackPlugin, { hook: 'preHandler', maxAge: 10 })
    app.get('/x', () => `render ${++n}`)
    const address = await app.listen({ host: '127.0.0.1', port: 0 })
    const get = async (headers = {}) => {
      const response = await fetch(`${address}/x`, { headers })
      return `${response.status} ${await response.text()}`
    }
    expect(await get({ 'x-guest': '1' })).toBe('200 render 1')
    expect(await get({ 'x-guest': '1' })).toBe('200 render 1')
    expect(await get()).toBe('401 who are you?')
    expect(n).toBe(1)
  },
)

scenario(
  'FASTIFY-03',
  'hooks before the plugin run on hits, hooks behind it only on renders',
  {
    frameworks: ['fastify'],
    stores: ['memory'],
    because: 'its own surface',
  },
  async ({ serve, clock }) => {
    const ran: string[] = []
    const site = await serve({
      outside: () => ran.push('outside'),
      inside: () => ran.push('inside'),
      routes: { '/x': numbered(swr) },
    })
    await site.ask('/x')
    await site.ask('/x')
    expect(ran).toEqual(['outside', 'inside', 'outside'])
    clock.advance(11)
    expect((await site.ask('/x')).warning).toBe(STALE)
    expect(ran.slice(3).toSorted()).toEqual(['inside', 'outside', 'outside'])
  },
)
