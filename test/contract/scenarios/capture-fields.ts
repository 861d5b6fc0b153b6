import { Readable } from 'node:stream'
import { expect } from 'vitest'
import { hit, STORED, unstored } from '../../support/cache-status.ts'
import { raw, stream, text } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'

const maxAge = { 'cache-control': 'max-age=10' }

scenario('CAP-31', 'a chunked response is stored and repeated with a length', async ({ serve }) => {
  const letters = stream(() => Readable.from(['a', 'b', 'c']), { ...maxAge, 'content-type': 'text/plain' })
  const site = await serve({ routes: { '/x': letters } })
  expect((await site.ask('/x')).headers).toMatchObject({ 'transfer-encoding': 'chunked' })
  const again = await site.ask('/x')
  expect(again).toMatchObject({ text: 'abc', headers: { 'content-length': '3' } })
  expect(again.headers['transfer-encoding']).toBeUndefined()
})

scenario('CAP-32', 'fields of the connection are not stored, nor those that Connection names', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/x': () =>
        raw((_req, res) => {
          res.setHeader('Connection', 'close, X-Secret')
          res.setHeader('X-Secret', 'hop')
          res.setHeader('Keep-Alive', 'timeout=99')
          res.setHeader('Proxy-Authenticate', 'Basic')
          res.setHeader('X-Kept', 'yes')
          res.setHeader('Cache-Control', 'max-age=10')
          res.end('raw')
        }),
    },
  })
  expect((await site.ask('/x')).headers).toMatchObject({ 'x-secret': 'hop' })
  const again = await site.ask('/x')
  expect(again).toMatchObject({ text: 'raw', cacheStatus: hit(10), headers: { 'x-kept': 'yes' } })
  expect(again.headers['x-secret']).toBeUndefined()
  expect(again.headers['proxy-authenticate']).toBeUndefined()
  expect(again.headers['keep-alive']).not.toBe('timeout=99')
  expect(again.headers['connection']).not.toContain('X-Secret')
})

scenario('CAP-33', 'Connection cannot take Cache-Control away from the judgement', async ({ serve }) => {
  const headers = { connection: 'cache-control', 'cache-control': 'private, max-age=10' }
  const site = await serve({ options: { maxAge: 60 }, routes: { '/x': ({ n }) => text(`render ${n}`, headers) } })
  await site.ask('/x')
  expect((await site.ask('/x')).text).toBe('render 2')
})

scenario('CAP-34', 'fields of one exchange are passed on and not stored', async ({ serve }) => {
  const own = { 'x-request-id': 'r1', 'server-timing': 'db;dur=3', 'x-ratelimit-limit': '10', ratelimit: 'limit=10' }
  const site = await serve({
    routes: {
      '/x': text('x', { ...maxAge, ...own, 'x-other': 'kept' }),
      '/y': { cacheback: { omit: ['x-mine-*'] }, answer: text('y', { ...maxAge, ...own, 'x-mine-too': '1' }) },
    },
  })
  expect((await site.ask('/x')).headers).toMatchObject(own)
  const again = (await site.ask('/x')).headers
  expect(Object.keys(own).filter((name) => name in again)).toEqual([])
  expect(again['x-other']).toBe('kept')
  await site.ask('/y')
  const other = (await site.ask('/y')).headers
  expect(other['x-mine-too']).toBeUndefined()
  expect(other['x-request-id']).toBe('r1')
})

scenario('CAP-46', 'HEAD on a cold key is not stored; GET gets a body', async ({ serve }) => {
  const site = await serve({ routes: { '/x': text('page', maxAge) } })
  const head = await site.ask('HEAD /x')
  expect(head).toMatchObject({ status: 200, text: '', cacheStatus: unstored('head') })
  expect(head.headers['content-length']).toBe('4')
  expect(await site.ask('/x')).toMatchObject({ text: 'page', cacheStatus: STORED })
})

scenario('CAP-47', 'interim responses are passed on live and never stored', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/x': () =>
        raw((_req, res) => {
          res.writeProcessing()
          res.writeEarlyHints({ link: '</a.css>; rel=preload' })
          res.writeHead(200, maxAge).end('page')
        }),
    },
  })
  expect(await site.ask('/x')).toMatchObject({ text: 'page', interim: [102, 103], cacheStatus: STORED })
  expect(await site.ask('/x')).toMatchObject({ text: 'page', interim: [], cacheStatus: hit(10) })
})

scenario('CAP-48', 'trailers neither break the miss nor haunt the hit', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/x': () =>
        raw((_req, res) => {
          res.writeHead(200, { ...maxAge, Trailer: 'X-Sum' })
          res.write('page')
          res.addTrailers({ 'X-Sum': '7' })
          res.end()
        }),
    },
  })
  expect(await site.ask('/x')).toMatchObject({ text: 'page', complete: true, headers: { trailer: 'X-Sum' } })
  const again = await site.ask('/x')
  expect(again).toMatchObject({ text: 'page', complete: true })
  expect(again.headers['trailer']).toBeUndefined()
})

scenario('CAP-50', 'a partial response is not stored as a whole', async ({ serve }) => {
  const part = { ...maxAge, 'content-range': 'bytes 0-1/4' }
  const site = await serve({ routes: { '/x': ({ n }) => (n === 1 ? text('pa', part, 206) : text('page', maxAge)) } })
  expect(await site.ask('/x')).toMatchObject({ status: 206, text: 'pa', cacheStatus: unstored('status') })
  expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page', cacheStatus: STORED })
})
