import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect } from 'vitest'
import { hit, STALE, STORED } from '../../support/cache-status.ts'
import type { Native } from '../../support/app.ts'
import type { Got } from '../../support/client.ts'
import { type Fields, text } from '../../support/reply.ts'
import { scenario, type Site } from '../../support/scenario.ts'

/** What a handler reads of its request, however its framework hands the body on. */
interface Query {
  readonly content: string
  readonly type: string | undefined
}

/** Adds `QUERY /x`, whose handler reads the whole body and answers with it; returns what it has read. */
function queryRoute(fields: Fields = { 'cache-control': 'max-age=10' }): { extra: Native; read: Query[] } {
  const read: Query[] = []
  const respond = (content: string, request: IncomingMessage, response: ServerResponse): void => {
    read.push({ content, type: request.headers['content-type'] })
    response.writeHead(200, { ...fields } as Record<string, string>)
    response.end(`${read.length}: ${content.length > 100 ? content.length : content}`)
  }
  return {
    read,
    extra: {
      fastify(app) {
        app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
        app.route({
          method: 'QUERY',
          url: '/x',
          handler(request, reply) {
            reply.hijack()
            respond((request.body as string | undefined) ?? '', request.raw, reply.raw)
          },
        })
      },
      express(app) {
        app.use('/x', async (request, response) => respond(await contentOf(request), request, response))
      },
      koa(app) {
        app.use(async (ctx) => {
          ctx.respond = false
          respond(await contentOf(ctx.req), ctx.req, ctx.res)
        })
      },
    },
  }
}

async function contentOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  return Buffer.concat(pieces).toString()
}

const ask = (site: Site, body: string, headers: Fields = {}, url = '/x'): Promise<Got> =>
  site.ask(`QUERY ${url}`, { 'Content-Type': 'text/plain', ...headers }, { body })

const options = { queryMethod: true }

scenario('QUERY-01', 'QUERY is cached with its content in the key', async ({ serve }) => {
  const { extra, read } = queryRoute()
  const site = await serve({ options, routes: {}, extra })
  expect(await ask(site, 'one')).toMatchObject({ status: 200, text: '1: one', cacheStatus: STORED })
  expect(await ask(site, 'one')).toMatchObject({ text: '1: one', cacheStatus: hit(10), age: 0 })
  expect((await ask(site, 'two')).text).toBe('2: two')
  expect((await ask(site, 'One')).text).toBe('3: One')
  expect((await ask(site, 'one')).text).toBe('1: one')
  expect((await ask(site, 'one', {}, '/x?a')).text).toBe('4: one')
  expect(read.map(({ content }) => content)).toEqual(['one', 'two', 'One', 'one'])
})

scenario('QUERY-02', 'type, coding and language of the content are in the key as well', async ({ serve }) => {
  const { extra, read } = queryRoute()
  const site = await serve({ options, routes: {}, extra })
  const asked: Fields[] = [
    {},
    { 'Content-Type': 'application/sql' },
    { 'Content-Language': 'de' },
    { 'Content-Encoding': 'x-own' },
  ]
  for (const headers of asked) await ask(site, 'one', headers)
  for (const [i, headers] of asked.entries()) {
    expect((await ask(site, 'one', headers)).text, JSON.stringify(headers)).toBe(`${i + 1}: one`)
  }
  expect(read.map(({ type }) => type)).toEqual(['text/plain', 'application/sql', 'text/plain', 'text/plain'])
})

scenario('QUERY-03', 'a GET of the same URL is another page', async ({ serve, framework }) => {
  const { extra } = queryRoute()
  const get = framework.name === 'fastify' ? { '/x': text('got', { 'cache-control': 'max-age=10' }) } : {}
  const site = await serve({ options, routes: get, extra })
  await ask(site, '')
  const got = await site.ask('/x')
  expect(got.cacheStatus).toBe(STORED)
  expect((await ask(site, '')).text).toBe('1: ')
  expect((await site.ask('/x')).cacheStatus).toBe(hit(10))
})

scenario('QUERY-04', 'a refresh sends the content again, with its type', async ({ serve, clock }) => {
  const { extra, read } = queryRoute({ 'cache-control': 'max-age=10, stale-while-revalidate=60' })
  const site = await serve({ options, routes: {}, extra })
  await ask(site, 'one', { 'Content-Type': 'application/sql' })
  clock.advance(11)
  const stale = await ask(site, 'one', { 'Content-Type': 'application/sql' })
  expect(stale).toMatchObject({ text: '1: one', warning: STALE })
  expect(read).toEqual(Array.from({ length: 2 }, () => ({ content: 'one', type: 'application/sql' })))
  expect((await ask(site, 'one', { 'Content-Type': 'application/sql' })).text).toBe('2: one')
})

scenario('QUERY-05', 'off by default: it passes, invalidates nothing, and reads its body', async ({ serve }) => {
  const { extra, read } = queryRoute()
  const site = await serve({ routes: {}, extra })
  for (const n of [1, 2]) {
    expect(await ask(site, 'one')).toMatchObject({ text: `${n}: one`, cacheStatus: 'cacheback; fwd=method' })
  }
  expect(read).toHaveLength(2)
})

scenario('QUERY-06', 'content over 64 KiB passes whole; just that much is cached', async ({ serve }) => {
  const { extra, read } = queryRoute()
  const site = await serve({ options, routes: {}, extra })
  const [fits, large] = ['a'.repeat(65_536), 'a'.repeat(65_537)]
  await ask(site, fits)
  expect(await ask(site, fits)).toMatchObject({ text: '1: 65536', cacheStatus: hit(10) })
  for (const n of [2, 3]) {
    const got = await ask(site, large)
    expect(got).toMatchObject({ text: `${n}: 65537`, cacheStatus: 'cacheback; fwd=bypass; detail=body' })
  }
  expect(read.map(({ content }) => content.length)).toEqual([65_536, 65_537, 65_537])
})

scenario('QUERY-07', 'content of undeclared length passes', async ({ serve }) => {
  const { extra, read } = queryRoute()
  const site = await serve({ options, routes: {}, extra })
  const head = 'QUERY /x HTTP/1.1\r\nHost: example.test\r\nContent-Type: text/plain\r\nConnection: close\r\n'
  for (const n of [1, 2]) {
    const got = await site.send(`${head}Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n`)
    expect(got).toContain('Cache-Status: cacheback; fwd=bypass; detail=body')
    expect(got).toContain(`${n}: one`)
  }
  expect(read).toHaveLength(2)
})

scenario('QUERY-08', 'conditions and ranges hold against a stored answer', async ({ serve }) => {
  const { extra, read } = queryRoute({ 'cache-control': 'max-age=10', etag: '"v1"' })
  const site = await serve({ options, routes: {}, extra })
  await ask(site, 'one')
  expect(await ask(site, 'one', { 'If-None-Match': '"v1"' })).toMatchObject({ status: 304, text: '' })
  expect((await ask(site, 'two', { 'If-None-Match': '"v0"' })).status).toBe(200)
  expect(read).toHaveLength(2)
})

scenario('QUERY-09', 'content that comes late in pieces is read whole; a crowd costs one render', async ({ serve }) => {
  const { extra, read } = queryRoute()
  const site = await serve({ options, routes: {}, extra })
  const long = 'b'.repeat(60_000)
  const all = await Promise.all(Array.from({ length: 5 }, () => ask(site, long)))
  for (const got of all) expect(got).toMatchObject({ status: 200, text: '1: 60000', complete: true })
  expect(read).toHaveLength(1)
})

scenario('QUERY-10', 'a POST to the URL invalidates what QUERY has got there', async ({ serve, framework }) => {
  const { extra } = queryRoute()
  const post = { '/x': { methods: ['POST'], answer: text('done') } }
  const site = await serve({ options, routes: post, extra })
  await ask(site, 'one')
  expect(await site.ask('POST /x'), framework.name).toMatchObject({ status: 200, text: 'done' })
  expect((await ask(site, 'one')).text).toBe('2: one')
})
