import { cachebackPlugin } from '@cacheback/fastify'
import { createCacheback } from '@cacheback/core'
import Fastify from 'fastify'
import { Readable } from 'node:stream'
import { expect, onTestFinished } from 'vitest'
import type { CachebackOptions } from '@cacheback/core'
import { makeClient } from '../../support/client.ts'
import { fresh10, type Fields, stream, text } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'
import { othersCome, patient } from './regressions-tools.ts'

const MiB = 1024 * 1024
const CHUNK = Buffer.alloc(MiB / 4)

const hidden: Record<string, [title: string, options: CachebackOptions, request: string, headers: Fields]> = {
  'REG-30': ['a Cookie', { cookies: 'ignore' }, '/x', { Cookie: 'a=1' }],
  'REG-31': ['a parameter', { query: { ignore: ['utm'] } }, '/x?utm=1', {}],
}

for (const [id, [title, options, request, headers]] of Object.entries(hidden)) {
  scenario(
    id,
    `a fill that hides ${title} goes at the pace of its visitor, and its source ends with him`,
    anyStore,
    async ({ serve, gate }) => {
      const plenty = gate()
      const destroyed = gate()
      let produced = 0
      const endless = (): Readable =>
        new Readable({
          read() {
            setImmediate(() => {
              if (this.destroyed) return
              produced += CHUNK.length
              if (produced > 2 * MiB) void plenty()
              this.push(produced < 1024 * MiB ? CHUNK : null)
            })
          },
          destroy(error, callback) {
            void destroyed()
            callback(error)
          },
        })
      const site = await serve({ options, routes: { '/x': stream(endless, fresh10), '/quick': text('quick') } })
      const visit = site.visit(request, headers, { slow: true })
      expect(await visit.head).toMatchObject({ status: 200 })
      await plenty.reached()
      // More turns of the loop than it would take to fill the memory.
      await othersCome(site, 100, '/quick')
      // What the capture, two sockets and the kernel between them can hold.
      expect(produced).toBeLessThan(24 * MiB)
      visit.abort()
      await destroyed.reached()
      expect(produced).toBeLessThan(24 * MiB)
      expect(site.cache.stats().capturing).toBe(0)
    },
  )
}

scenario(
  'REG-32',
  'a render behind which nobody waits any more is given up, also before its head',
  anyStore,
  async ({ serve, gate }) => {
    const hold = gate()
    const closed = gate()
    const site = await serve({
      options: { cookies: 'ignore', refresh: { timeoutMs: 50 } },
      routes: {
        '/x': async ({ n, res }) => {
          res.once('close', () => void closed())
          if (n === 1) await hold()
          return text(`render ${n}`, fresh10)
        },
      },
    })
    const visit = site.visit('/x', { Cookie: 'a=1' })
    await hold.reached()
    visit.abort()
    await closed.reached()
    expect(await site.ask('/x', { Cookie: 'a=2' })).toMatchObject({ status: 200, text: 'render 2' })
  },
)

const rewritings: Record<string, [title: string, url: string, headers: Fields]> = {
  'REG-33': ['a prefix that a layer outside strips', '/en/p?utm=1', {}],
  'REG-34': ['a header by which a layer outside rewrites', '/p?utm=1', { 'X-Site': 'b' }],
}

for (const [id, [title, url, headers]] of Object.entries(rewritings)) {
  scenario(
    id,
    `${title}, where a parameter is hidden: nobody waits for a render that has got another key`,
    { ...anyStore, frameworks: ['express', 'koa'], because: 'Fastify routes before any hook' },
    async ({ serve }) => {
      const site = await serve({
        options: { query: { ignore: ['utm'] }, maxAge: 60, ...patient },
        outside({ req }) {
          if (req.url!.startsWith('/en/')) req.url = req.url!.slice(3)
          if (req.headers['x-site'] === 'b') req.url = `/b${req.url}`
        },
        routes: { '/p': text('page'), '/b/p': text('page of b') },
      })
      const expected = { status: 200, text: id === 'REG-33' ? 'page' : 'page of b', complete: true }
      for (let i = 0; i < 3; i++) expect(await site.ask(url, headers)).toMatchObject(expected)
      for (const got of await Promise.all(site.crowd(5, url, headers))) expect(got).toMatchObject(expected)
      // Nor is the page of one site that of the other.
      expect((await site.ask('/p?utm=2')).text).toBe('page')
    },
  )
}

scenario(
  'REG-35',
  'the same behind rewriteUrl',
  { ...anyStore, frameworks: ['fastify'], because: 'an option of Fastify' },
  async ({ options }) => {
    const cache = createCacheback(await options({ query: { ignore: ['utm'] }, maxAge: 60, ...patient }))
    const app = Fastify({ rewriteUrl: ({ url = '' }) => (url.startsWith('/en/') ? url.slice(3) : url) })
    await app.register(cachebackPlugin, { cache })
    app.get('/p', () => 'page')
    await app.listen({ host: '127.0.0.1', port: 0 })
    const client = makeClient(app.server)
    onTestFinished(async () => {
      client.close()
      await app.close()
    })
    for (let i = 0; i < 3; i++) expect(await client.visit('/en/p?utm=1').done).toMatchObject({ text: 'page' })
    const visits = Array.from({ length: 5 }, () => client.visit('/en/p?utm=1').done)
    for (const got of await Promise.all(visits)) expect(got).toMatchObject({ status: 200, text: 'page' })
  },
)

scenario(
  'REG-36',
  'a miss of a variant enters the app once, where it is known what the page varies by',
  anyStore,
  async ({ serve }) => {
    const site = await serve({
      options: { cookies: 'ignore' },
      routes: {
        '/x': ({ headers }) => text(`${headers['accept-language']}`, { ...fresh10, vary: 'Accept-Language' }),
      },
    })
    expect((await site.ask('/x', { Cookie: 'a=1', 'Accept-Language': 'de' })).text).toBe('de')
    const before = site.renders()
    expect((await site.ask('/x', { Cookie: 'a=1', 'Accept-Language': 'en' })).text).toBe('en')
    expect(site.renders()).toBe(before + 1)
    expect((await site.ask('/x', { Cookie: 'a=2', 'Accept-Language': 'de' })).text).toBe('de')
    expect(site.renders()).toBe(before + 1)
  },
)

scenario('REG-90', 'a visitor whose detached fill is thrown away counts as one miss', anyStore, async ({ serve }) => {
  const site = await serve({
    options: { maxAge: 10, cookies: 'ignore' },
    routes: { '/x': () => text('mine', { 'cache-control': 'private' }) },
  })
  expect((await site.ask('/x', { Cookie: 'a=1' })).text).toBe('mine')
  expect(site.renders()).toBe(2)
  expect(site.cache.stats().events.miss).toBe(1)
})
