import { Socket } from 'node:net'
import { expect } from 'vitest'
import { hit, numbered, STALE, STALE_AFTER_FAILURE, STORED } from '../../support/cache-status.ts'
import { cacheControl, fail, fresh10, raw, text } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'

const swr = cacheControl('max-age=10, stale-while-revalidate=60')

scenario(
  'SERVE-01',
  'a fresh hit has Age, Cache-Status and the Date of its render, and no Warning',
  async ({ serve, clock }) => {
    const site = await serve({ routes: { '/x': () => text('page', fresh10) } })
    await site.ask('/x')
    const date = clock.httpDate()
    clock.advance(3)
    const got = await site.ask('/x')
    expect(got).toMatchObject({ age: 3, cacheStatus: hit(7), warning: undefined, headers: { date } })
  },
)

scenario(
  'SERVE-02',
  'Date, Expires and Last-Modified of the response are kept as they came',
  async ({ serve, clock }) => {
    const dates = { date: clock.httpDate(-2), expires: clock.httpDate(30), 'last-modified': clock.httpDate(-500) }
    const site = await serve({ routes: { '/x': () => text('page', dates) } })
    await site.ask('/x')
    clock.advance(5)
    expect((await site.ask('/x')).headers).toMatchObject(dates)
  },
)

scenario('SERVE-03', 'a stale hit says so in Warning, Age and Cache-Status', async ({ serve, clock, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async ({ n }) => {
        if (n > 1) await hold()
        return text(`render ${n}`, swr)
      },
    },
  })
  await site.ask('/x')
  clock.advance(15)
  expect(await site.visit('/x').done).toMatchObject({ text: 'render 1', age: 15, warning: STALE, cacheStatus: hit(-5) })
})

scenario('SERVE-04', 'after a failed refresh Warning 111 is added, until one succeeds', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': [text('one', swr), fail(), text('three', swr)] } })
  await site.ask('/x')
  clock.advance(11)
  expect((await site.ask('/x')).warning).toBe(STALE)
  expect(await site.ask('/x')).toMatchObject({ text: 'one', warning: STALE_AFTER_FAILURE })
  clock.advance(2)
  await site.ask('/x')
  expect(await site.ask('/x')).toMatchObject({ text: 'three', warning: undefined })
})

scenario('SERVE-05', 'HEAD is answered from a stored GET, with its length and without its body', async ({ serve }) => {
  const site = await serve({ routes: { '/x': () => text('page', { ...fresh10, 'x-kept': 'yes' }) } })
  await site.ask('/x')
  const head = await site.ask('HEAD /x')
  expect(head).toMatchObject({ status: 200, text: '', complete: true, cacheStatus: hit(10) })
  expect(head.headers).toMatchObject({ 'content-length': '4', 'x-kept': 'yes' })
  expect(site.renders()).toBe(1)
})

scenario('SERVE-06', 'If-None-Match on a hit: lists, weak tags and * match; others do not', async ({ serve }) => {
  const site = await serve({ routes: { '/x': () => text('page', { ...fresh10, etag: '"v1"' }) } })
  await site.ask('/x')
  for (const value of ['"v1"', 'W/"v1"', '"a", "v1"', '"a",W/"v1" ,"b"', '*']) {
    const got = await site.ask('/x', { 'If-None-Match': value })
    expect(got, value).toMatchObject({ status: 304, text: '', complete: true, headers: { etag: '"v1"' } })
    expect(got.headers['content-length'], value).toBeUndefined()
    expect(got.headers['content-type'], value).toBeUndefined()
    expect(got.cacheStatus, value).toBe(hit(10))
  }
  for (const value of ['"v2"', 'v1', '"v1', '"a", "b"', 'W/"v"']) {
    expect(await site.ask('/x', { 'If-None-Match': value }), value).toMatchObject({ status: 200, text: 'page' })
  }
})

scenario('SERVE-07', 'If-None-Match comes before If-Modified-Since', async ({ serve, clock }) => {
  const modified = clock.httpDate(-100)
  const site = await serve({
    routes: { '/x': () => text('page', { ...fresh10, etag: '"v1"', 'last-modified': modified }) },
  })
  await site.ask('/x')
  expect((await site.ask('/x', { 'If-Modified-Since': modified })).status).toBe(304)
  expect((await site.ask('/x', { 'If-Modified-Since': clock.httpDate() })).status).toBe(304)
  expect((await site.ask('/x', { 'If-Modified-Since': clock.httpDate(-200) })).status).toBe(200)
  expect((await site.ask('/x', { 'If-Modified-Since': 'yesterday' })).status).toBe(200)
  const both = { 'If-None-Match': '"other"', 'If-Modified-Since': modified }
  expect((await site.ask('/x', both)).status).toBe(200)
})

scenario('SERVE-08', 'a stored response without a validator gets a strong ETag of its bytes', async ({ serve }) => {
  const answer = raw((_req, res) => {
    res.writeHead(200, { 'Cache-Control': 'max-age=10', 'Content-Type': 'text/plain' }).end('page')
  })
  const site = await serve({
    routes: { '/x': answer, '/y': answer, '/off': { cacheback: { etag: false }, answer } },
  })
  for (const path of ['/x', '/y', '/off']) await site.ask(path)
  const etag = (await site.ask('/x')).headers['etag']
  expect(etag).toMatch(/^"[^"]+"$/)
  expect((await site.ask('/y')).headers['etag']).toBe(etag)
  expect(await site.ask('/x', { 'If-None-Match': etag! })).toMatchObject({ status: 304, text: '' })
  expect((await site.ask('/off')).headers['etag']).toBeUndefined()
})

scenario('SERVE-09', 'Warning and Cache-Status can be switched off', async ({ serve, clock }) => {
  const site = await serve({ options: { warning: false, cacheStatus: false }, routes: { '/x': numbered(swr) } })
  expect((await site.ask('/x')).cacheStatus).toBeUndefined()
  clock.advance(11)
  const stale = await site.ask('/x')
  expect(stale).toMatchObject({ text: 'render 1', age: 11, warning: undefined, cacheStatus: undefined })
})

scenario('SERVE-10', 'Cache-Status carries the name, behind what others have said', async ({ serve }) => {
  const site = await serve({
    options: { name: 'shop' },
    routes: { '/x': () => text('page', { ...fresh10, 'cache-status': 'upstream; hit; ttl=9' }) },
  })
  expect((await site.ask('/x')).cacheStatus).toBe('upstream; hit; ttl=9, shop; fwd=uri-miss; stored')
  expect((await site.ask('/x')).cacheStatus).toBe('upstream; hit; ttl=9, shop; hit; ttl=10')
})

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: example.test\r\n${more}\r\n`

scenario('SERVE-11', 'one connection carries hits, misses and 304s one after the other', async ({ serve }) => {
  const site = await serve({ routes: { '/:id': () => text('page', { ...fresh10, etag: '"v1"' }) } })
  const pipelined =
    get('/a') + get('/a') + get('/a', 'If-None-Match: "v1"\r\n') + get('/b') + get('/a', 'Connection: close\r\n')
  const answer = await site.send(pipelined)
  expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual([200, 200, 304, 200, 200].map((status) => `HTTP/1.1 ${status}`))
})

scenario('SERVE-12', 'a hit in memory is answered before anything else happens', anyStore, async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': numbered(swr) } })
  await site.ask('/x')
  const ended: boolean[] = []
  // Behind the app's own listener: whatever is not answered by now has waited for something.
  site.server.on('request', (request, response) => {
    if (request.socket instanceof Socket) ended.push(response.writableEnded)
  })
  await site.ask('/x')
  await site.ask('HEAD /x')
  clock.advance(11)
  expect((await site.ask('/x')).warning).toBe(STALE)
  expect(ended).toEqual([true, true, true])
})

scenario(
  'SERVE-13',
  'Age replaces the one that came with the response, and never goes back',
  async ({ serve, clock }) => {
    const site = await serve({ routes: { '/x': () => text('page', { 'cache-control': 'max-age=60', age: '7' }) } })
    await site.ask('/x')
    for (const expected of [7, 8, 9]) {
      const got = await site.ask('/x')
      expect(got.age).toBe(expected)
      expect(got.rawHeaders.filter((name) => name.toLowerCase() === 'age')).toHaveLength(1)
      clock.advance(1)
    }
  },
)

scenario('SERVE-14', 'HTTP/1.0 clients and closed connections get whole answers', async ({ serve }) => {
  const site = await serve({ routes: { '/x': () => text('page', fresh10) } })
  const request = 'GET /x HTTP/1.0\r\nHost: example.test\r\n\r\n'
  for (const _ of [1, 2]) expect(await site.send(request)).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\npage$/)
  expect(site.renders()).toBe(1)
})

scenario('SERVE-15', 'a miss that is stored says so and has no Age', async ({ serve }) => {
  const site = await serve({ routes: { '/x': numbered() } })
  expect(await site.ask('/x')).toMatchObject({ cacheStatus: STORED, age: undefined, warning: undefined })
})
