import fastifyEtag from '@fastify/etag'
import koaEtag from '@koa/etag'
import type { ServerResponse } from 'node:http'
import { expect } from 'vitest'
import koaConditional from 'koa-conditional-get'
import { hit, STALE, STORED } from '../../support/cache-status.ts'
import type { Middleware, Native } from '../../support/app.ts'
import type { Got } from '../../support/client.ts'
import { cacheControl, file, fresh10, text } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'
import { notModified, plain, VALIDATED } from './http-origin.ts'

/** What makes these frameworks answer 304 by themselves; Express does so anyway. */
const conditional: Native = {
  fastify: (app) => app.register(fastifyEtag),
  koa: (app) => app.use(koaConditional()).use(koaEtag()),
}
const tagged = { ...fresh10, etag: '"v1"' }

scenario('VAL-40', "the frameworks' own ETags and 304s validate in the foreground", async ({ serve, clock }) => {
  const site = await serve({ after: conditional, routes: { '/x': ({ n }) => text(n < 3 ? 'page' : 'new', fresh10) } })
  const { etag } = (await site.ask('/x')).headers
  expect(etag).toBeDefined()
  clock.advance(11)
  const validated = await site.ask('/x')
  expect(validated).toMatchObject({ status: 200, text: 'page', cacheStatus: VALIDATED, headers: { etag } })
  expect(validated.headers).toMatchObject({ 'content-type': 'text/plain; charset=utf-8', 'content-length': '4' })
  expect(await site.ask('/x')).toMatchObject({ text: 'page', cacheStatus: hit(10), headers: { etag } })
  clock.advance(11)
  expect((await site.ask('/x')).text).toBe('new')
})

scenario('VAL-41', 'likewise in a refresh', async ({ serve, clock }) => {
  const swr = cacheControl('max-age=10, stale-while-revalidate=60')
  const site = await serve({ after: conditional, routes: { '/x': ({ n }) => text(n < 3 ? 'page' : 'new', swr) } })
  const { etag } = (await site.ask('/x')).headers
  for (const n of [2, 3]) {
    clock.advance(11)
    expect(await site.ask('/x'), `render ${n}`).toMatchObject({ text: 'page', warning: STALE, headers: { etag } })
    expect(site.seen()[n - 1]!.headers['if-none-match']).toBe(etag)
  }
  expect(await site.ask('/x')).toMatchObject({ text: 'new', cacheStatus: hit(10) })
})

scenario('VAL-42', 'a file is validated by what the file says of itself', async ({ serve, clock }) => {
  const site = await serve({ after: conditional, routes: { '/x': () => file('page.txt', fresh10) } })
  const first = await site.ask('/x')
  const modified = first.headers['last-modified']
  expect(modified).toBeDefined()
  // The last byte of a stream comes to its visitor before the end does; a second visitor waits for that.
  await site.ask('/x')
  clock.advance(11)
  const validated = await site.ask('/x', { 'If-Modified-Since': 'Sun, 06 Nov 1994 08:49:37 GMT' })
  expect(validated).toMatchObject({ status: 200, cacheStatus: VALIDATED, headers: { 'last-modified': modified } })
  expect(validated.body.equals(first.body)).toBe(true)
  expect(site.seen()[1]!.headers['if-modified-since']).toBe(modified)
  const part = await site.ask('/x', { Range: 'bytes=3-9' })
  expect(part).toMatchObject({ status: 206, text: first.text.slice(3, 10), cacheStatus: hit(10) })
})

scenario(
  'VAL-43',
  'a Set-Cookie of a 304 is for its own visitor, and ends the stored page',
  async ({ serve, clock }) => {
    const site = await serve({
      routes: { '/x': [plain('page', tagged), notModified({ ...tagged, 'set-cookie': 'a=1' }), plain('new', tagged)] },
    })
    await site.ask('/x')
    clock.advance(11)
    const got = await site.ask('/x')
    expect(got).toMatchObject({ status: 200, text: 'page', headers: { 'set-cookie': 'a=1' } })
    expect(got.cacheStatus).not.toContain('stored')
    const next = await site.ask('/x')
    expect(next).toMatchObject({ text: 'new', cacheStatus: STORED })
    expect(next.headers['set-cookie']).toBeUndefined()
  },
)

scenario('VAL-44', 'a Set-Cookie of a detached 304 reaches nobody', async ({ serve, clock }) => {
  const site = await serve({
    options: { sealed: true },
    routes: {
      '/x': ({ n, headers }) => {
        if (n === 1) return plain('page', tagged)
        const isOurs = headers['user-agent']?.startsWith('cacheback/') === true
        return isOurs ? notModified({ ...tagged, 'set-cookie': 'a=1' }) : plain('page', tagged)
      },
    },
  })
  await site.ask('/x')
  clock.advance(11)
  for (const n of [2, 3]) {
    const got = await site.ask('/x')
    expect(got, `visit ${n}`).toMatchObject({ status: 200, text: 'page', complete: true })
    expect(got.headers['set-cookie'], `visit ${n}`).toBeUndefined()
  }
})

scenario(
  'VAL-45',
  'a 304 with another Vary: the page is found by the new one from then on',
  async ({ serve, clock }) => {
    const site = await serve({
      routes: {
        '/x': ({ n }) =>
          n === 2 ? notModified({ ...tagged, vary: 'X-A' }) : plain(`render ${n}`, { ...tagged, vary: 'X-A' }),
      },
    })
    await site.ask('/x', { 'X-A': '1' })
    clock.advance(11)
    expect(await site.ask('/x', { 'X-A': '1' })).toMatchObject({ text: 'render 1', cacheStatus: VALIDATED })
    expect((await site.ask('/x', { 'X-A': '1' })).cacheStatus).toBe(hit(10))
    expect((await site.ask('/x', { 'X-A': '2' })).text).toBe('render 3')
  },
)

scenario('VAL-46', 'fields and tags of a 304 count for purges as well', async ({ serve, clock }) => {
  const site = await serve({
    routes: {
      '/x': ({ n }) =>
        n === 2
          ? notModified({ ...tagged, 'cache-tag': 'new' })
          : plain(`render ${n}`, { ...tagged, 'cache-tag': 'old' }),
    },
  })
  await site.ask('/x')
  clock.advance(11)
  expect((await site.ask('/x')).cacheStatus).toBe(VALIDATED)
  await site.cache.purge({ tag: 'old' })
  expect((await site.ask('/x')).cacheStatus).toBe(hit(10))
  await site.cache.purge({ tag: 'new' })
  expect((await site.ask('/x')).text).toBe('render 3')
})

/** A session outside the cache that begins with this visit. */
const session =
  (begins: () => boolean): Middleware =>
  ({ res }) => {
    const writeHead = res.writeHead.bind(res) as (...args: unknown[]) => ServerResponse
    res.writeHead = (...args: unknown[]) => {
      if (begins()) res.setHeader('Set-Cookie', 'sid=1')
      return writeHead(...args)
    }
  }

scenario('VAL-47', 'what a layer outside the cache forbids, a 304 does not make good', async ({ serve, clock }) => {
  let visits = 0
  const site = await serve({
    outside: session(() => visits === 2),
    routes: { '/x': ({ n }) => (n === 2 ? notModified(tagged) : plain(`render ${n}`, tagged)) },
  })
  const visit = (): Promise<Got> => {
    visits += 1
    return site.ask('/x')
  }
  await visit()
  clock.advance(11)
  const mine = await visit()
  expect(mine).toMatchObject({ text: 'render 1', headers: { 'set-cookie': 'sid=1' } })
  const next = await visit()
  expect(next.headers['set-cookie']).toBeUndefined()
  expect(next.cacheStatus).not.toContain('hit')
})
