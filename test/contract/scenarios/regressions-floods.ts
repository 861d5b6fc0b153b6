import { createCacheback } from '@cacheback/core'
import { cachebackPlugin } from '@cacheback/fastify'
import express from 'express'
import Fastify from 'fastify'
import type { IncomingMessage } from 'node:http'
import { text as contentOf } from 'node:stream/consumers'
import { expect, onTestFinished } from 'vitest'
import type { Native } from '../../support/app.ts'
import { bypass, hit, STALE } from '../../support/cache-status.ts'
import { type Client, makeClient } from '../../support/client.ts'
import { cacheControl, type Fields, fresh10 } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'
import { notModified, plain } from './http-origin.ts'
import { settle } from './regressions-tools.ts'

/** A page; what else is asked of it leads to the login. */
const page = ({ n, method }: { n: number; method: string }) =>
  method === 'GET' ? plain(`render ${n}`, fresh10) : plain('', { location: '/login' }, 302)

scenario(
  'REG-80',
  'a flood of unsafe requests removes what it is about, and leaves everything else',
  anyStore,
  async ({ serve }) => {
    const site = await serve({ routes: { '/': { methods: ['GET', 'POST'], answer: page }, '/a/:id': page } })
    const others = ['/', '/?y=1', '/a/1', '/a/2', '/a/3']
    const flooded = [0, 600, 1199].map((i) => `/?x=${i}`)
    for (const path of [...others, ...flooded]) await site.ask(path)
    for (let i = 0; i < 1200; i += 50) {
      const posts = Array.from({ length: 50 }, (_, k) => site.visit(`POST /?x=${i + k}`).done)
      for (const got of await Promise.all(posts)) expect(got.status).toBe(302)
    }
    await site.cache.idle()
    expect(site.cache.stats().memory.entries).toBe(others.length)
    for (const path of others) expect((await site.ask(path)).cacheStatus, path).toBe(hit(10))
    for (const path of flooded) expect((await site.ask(path)).cacheStatus, path).not.toContain('hit')
  },
)

const JSON_CONTENT: Fields = { 'Content-Type': 'application/json' }

/** Asks with content, which must come to the app each time: the cache cannot know it. */
async function expectPassed(visit: Client['visit']): Promise<void> {
  for (const body of ['{"a":1}', '{"a":2}', '{"a":1}']) {
    const got = await visit('QUERY /q', JSON_CONTENT, { body }).done
    expect(got).toMatchObject({ status: 200, text: `body ${body}`, complete: true, cacheStatus: bypass('body') })
  }
}

/** Something before the cache has read the content; `pause` is what else it waits for. */
function readBefore(pause: () => Promise<void>): { readonly before: Native; readonly extra: Native } {
  const contents = new WeakMap<IncomingMessage, string>()
  return {
    before: {
      express(app) {
        app.use(express.json())
        app.use(async (_req, _res, next) => {
          await pause()
          next()
        })
      },
      koa(app) {
        app.use(async ({ req }, next) => {
          contents.set(req, await contentOf(req))
          await pause()
          await next()
        })
      },
    },
    extra: {
      express: (app) => app.use('/q', (req, res) => void res.send(`body ${JSON.stringify(req.body)}`)),
      koa: (app) =>
        app.use((ctx) => {
          ctx.body = `body ${contents.get(ctx.req)}`
        }),
    },
  }
}

for (const [id, title, pause] of [
  ['REG-81', 'at once', async () => undefined],
  ['REG-84', 'a few turns ago', settle],
] as const) {
  scenario(
    id,
    `a QUERY whose content has been read before the cache, ${title}, is answered by the app`,
    { ...anyStore, frameworks: ['express', 'koa'], because: 'in Fastify the content is read between two hooks' },
    async ({ serve }) => {
      const site = await serve({
        options: { maxAge: 10, queryMethod: true },
        ...readBefore(pause),
        routes: {},
      })
      await expectPassed(site.visit)
    },
  )
  scenario(
    `${id}F`,
    `a QUERY whose content Fastify has read before the hook preHandler, ${title}, is answered by the app`,
    { ...anyStore, frameworks: ['fastify'], because: 'its own hook' },
    async ({ options }) => {
      const cache = createCacheback(await options({ queryMethod: true }))
      const app = Fastify({ forceCloseConnections: true })
      app.addHook('preHandler', pause)
      await app.register(cachebackPlugin, { cache, maxAge: 10, hook: 'preHandler' })
      app.route({
        method: 'QUERY',
        url: '/q',
        handler: async ({ body }) => `body ${JSON.stringify(body)}`,
      })
      await app.listen({ host: '127.0.0.1', port: 0 })
      const client = makeClient(app.server)
      onTestFinished(async () => {
        client.close()
        await app.close()
      })
      await expectPassed(client.visit)
    },
  )
}

for (const [id, title] of [
  ['REG-82', 'purged'],
  ['REG-85', 'invalidated by a POST'],
] as const) {
  scenario(
    id,
    `a page that is ${title} while its refresh waits in the queue does not come back by a 304`,
    anyStore,
    async ({ serve, clock, gate }) => {
      const hold = gate()
      const swr = cacheControl('max-age=10, stale-while-revalidate=600')
      const fields = { ...swr, 'last-modified': 'Thu, 01 Jan 2015 00:00:00 GMT' }
      let content = 'old'
      const site = await serve({
        options: { refresh: { concurrency: 1 } },
        routes: {
          '/slow': async ({ n }) => {
            if (n > 1) await hold()
            return plain('slow', swr)
          },
          '/x': {
            methods: ['GET', 'POST'],
            answer({ method, headers }) {
              if (method === 'POST') return plain('done')
              // Its date does not tell the two apart: they are of the same second.
              return headers['if-modified-since'] === undefined ? plain(content, fields) : notModified(fields)
            },
          },
        },
      })
      for (const path of ['/slow', '/x']) await site.ask(path)
      clock.advance(11)
      for (const path of ['/slow', '/x']) expect((await site.visit(path).done).warning).toBe(STALE)
      await hold.reached()
      expect(site.cache.stats().refresh).toEqual({ queued: 1, running: 1 })
      content = 'new'
      if (id === 'REG-82') await site.cache.purge({ url: '/x' })
      else expect((await site.visit('POST /x').done).text).toBe('done')
      hold.open()
      await site.cache.idle()
      for (let i = 0; i < 2; i++) expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'new' })
    },
  )
}

for (const [id, method] of [
  ['REG-83', 'PROPFIND'],
  ['REG-86', 'REPORT'],
  ['REG-87', 'SEARCH'],
] as const) {
  scenario(id, `${method} is safe: it invalidates nothing`, anyStore, async ({ serve }) => {
    const site = await serve({
      before: { fastify: (app) => app.addHttpMethod(method, { hasBody: true }) },
      routes: {
        '/x': { methods: ['GET', method], answer: ({ n }) => plain(`render ${n}`, { ...fresh10, location: '/y' }) },
        '/y': plain('page', fresh10),
      },
    })
    for (const path of ['/x', '/y']) await site.ask(path)
    const got = await site.ask(`${method} /x`)
    expect(got).toMatchObject({ status: 200, text: 'render 2', cacheStatus: 'cacheback; fwd=method' })
    for (const path of ['/x', '/y']) expect((await site.ask(path)).cacheStatus, path).toBe(hit(10))
  })
}
