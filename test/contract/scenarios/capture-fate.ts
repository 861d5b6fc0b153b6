import { Readable } from 'node:stream'
import { expect } from 'vitest'
import { bypass, hit, STORED, unstored } from '../../support/cache-status.ts'
import { bytes, chunks, fail, raw, stream, text } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'

const maxAge = { 'cache-control': 'max-age=10' }

scenario('CAP-35', 'the first byte reaches the visitor before the last one exists', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': () =>
        chunks(
          async function* () {
            yield 'first '
            await hold()
            yield 'last'
          },
          { ...maxAge, 'content-type': 'text/plain' },
        ),
    },
  })
  const visit = site.visit('/x')
  expect(await visit.first).toBe('first ')
  hold.open()
  expect((await visit.done).text).toBe('first last')
  await site.cache.idle()
  expect(await site.ask('/x')).toMatchObject({ text: 'first last', cacheStatus: hit(10) })
})

const small = { memory: { maxBytes: 10_000_000, maxEntryBytes: 10_000 } }

scenario('CAP-36', 'a declared length over maxEntryBytes is passed on whole and not stored', async ({ serve }) => {
  const big = Buffer.alloc(20_000, 'x')
  const site = await serve({
    options: small,
    routes: { '/x': bytes(big, maxAge), '/y': bytes(big.subarray(0, 8000), maxAge) },
  })
  expect(await site.ask('/x')).toMatchObject({ body: big, cacheStatus: unstored('too-large') })
  expect(await site.ask('/x')).toMatchObject({ body: big })
  expect(site.renders('/x')).toBe(2)
  await site.ask('/y')
  await site.ask('/y')
  expect(site.renders('/y')).toBe(1)
})

scenario('CAP-37', 'a body that grows over maxEntryBytes is passed on whole and not stored', async ({ serve }) => {
  const parts = Array.from({ length: 20 }, (_, i) => Buffer.alloc(1000, i))
  const site = await serve({ options: small, routes: { '/x': () => stream(() => Readable.from(parts), maxAge) } })
  expect((await site.ask('/x')).body.equals(Buffer.concat(parts))).toBe(true)
  expect((await site.ask('/x')).body.equals(Buffer.concat(parts))).toBe(true)
  expect(site.renders('/x')).toBe(2)
})

scenario('CAP-38', 'a stream that breaks is passed on broken and not stored', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/x': ({ n }) =>
        n > 1
          ? text('whole', maxAge)
          : stream(
              () =>
                Readable.from(
                  (async function* () {
                    yield 'half'
                    await new Promise(setImmediate)
                    throw new Error('the database is gone')
                  })(),
                ),
              { ...maxAge, 'content-type': 'text/plain' },
            ),
    },
  })
  expect((await site.ask('/x')).complete).toBe(false)
  expect(await site.ask('/x')).toMatchObject({ text: 'whole', complete: true, cacheStatus: STORED })
})

scenario('CAP-39', 'a body shorter than its Content-Length is not stored', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/x': ({ n }) =>
        raw((_req, res) => {
          res.writeHead(200, { ...maxAge, 'Content-Length': n === 1 ? 100 : 5, Connection: 'close' })
          res.end('whole')
        }),
    },
  })
  expect((await site.ask('/x')).complete).toBe(false)
  expect(await site.ask('/x')).toMatchObject({ text: 'whole', complete: true, cacheStatus: STORED })
})

scenario('CAP-40', 'a body longer than its Content-Length is not stored', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/x': ({ n }) =>
        raw((_req, res) => {
          res.writeHead(200, { ...maxAge, 'Content-Length': 5, Connection: 'close' })
          res.end(n === 1 ? 'whole and more' : 'whole')
        }),
    },
  })
  await site.ask('/x')
  expect(await site.ask('/x')).toMatchObject({ text: 'whole', cacheStatus: STORED })
  expect(site.renders()).toBe(2)
})

scenario('CAP-41', 'an aborted response without another visitor is not stored', async ({ serve, gate }) => {
  const hold = gate()
  const left = gate()
  const site = await serve({
    routes: {
      '/x': ({ n, res }) =>
        n > 1
          ? text('whole', maxAge)
          : chunks(
              async function* () {
                res.once('close', () => void left())
                yield 'half'
                await hold()
                yield ' and half'
              },
              { ...maxAge, 'content-type': 'text/plain' },
            ),
    },
  })
  const visit = site.visit('/x')
  await visit.first
  visit.abort()
  await left.reached()
  hold.open()
  expect((await visit.done).complete).toBe(false)
  expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'whole', cacheStatus: STORED })
})

scenario('CAP-42', 'an event stream is neither collapsed nor stored', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    options: { maxAge: 60 },
    routes: {
      '/x': ({ n }) =>
        chunks(
          async function* () {
            yield `data: ${n}\n\n`
            await hold()
          },
          { ...maxAge, 'content-type': 'text/event-stream' },
        ),
    },
  })
  const [one, two] = [
    site.visit('/x', { Accept: 'text/event-stream' }),
    site.visit('/x', { Accept: 'text/event-stream' }),
  ]
  expect((await one.head).cacheStatus).toBe(bypass('event-stream'))
  expect([await one.first, await two.first].toSorted()).toEqual(['data: 1\n\n', 'data: 2\n\n'])
  const silent = site.visit('/x')
  expect((await silent.head).cacheStatus).toBe(unstored('event-stream'))
  expect(await silent.first).toBe('data: 3\n\n')
})

scenario('CAP-43', 'multipart/x-mixed-replace is not stored', async ({ serve }) => {
  const type = { ...maxAge, 'content-type': 'multipart/x-mixed-replace; boundary=b' }
  const site = await serve({ routes: { '/x': ({ n }) => bytes(Buffer.from(`--b ${n}`), type) } })
  expect((await site.ask('/x')).cacheStatus).toBe(unstored('multipart-replace'))
  expect((await site.ask('/x')).text).toBe('--b 2')
})

scenario('CAP-44', 'a request with Upgrade bypasses, and an Upgrade listener works as before', async ({ serve }) => {
  const site = await serve({ routes: { '/x': text('page', maxAge) } })
  const upgrade = 'GET /x HTTP/1.1\r\nHost: example.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'
  site.server.on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello')
  })
  await site.ask('/x')
  expect(await site.send(upgrade)).toMatch(/^HTTP\/1\.1 101 [^]*hello$/)
  site.server.removeAllListeners('upgrade')
  const got = await site.ask('/x', { Connection: 'close', Upgrade: 'h2c' })
  expect(got).toMatchObject({ text: 'page', cacheStatus: bypass('upgrade') })
})

scenario('CAP-45', 'an error is passed on and not stored', async ({ serve, framework }) => {
  const site = await serve({
    options: { maxAge: 60 },
    routes: { '/x': ({ n }) => (n > 1 ? text('well') : fail('once')) },
  })
  const failed = await site.ask('/x')
  expect(failed).toMatchObject({ status: 500, complete: true })
  expect(failed.cacheStatus, framework.name).toMatch(/^cacheback; fwd=uri-miss; detail=/)
  expect(await site.ask('/x')).toMatchObject({ text: 'well', cacheStatus: STORED })
})

scenario('CAP-49', 'responses over the capture budget pass uncaptured', anyStore, async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    options: { memory: { maxBytes: 100_000, maxEntryBytes: 45_000 } },
    routes: {
      '/:name': ({ params }) =>
        chunks(async function* () {
          yield Buffer.alloc(30_000, params['name'])
          await hold()
          yield Buffer.alloc(5000, params['name'])
        }, maxAge),
    },
  })
  const visits = ['a', 'b', 'c'].map((name) => site.visit(`/${name}`))
  await Promise.all(visits.map(({ first }) => first))
  const { capturing } = site.cache.stats()
  expect(capturing).toBeGreaterThan(0)
  expect(capturing).toBeLessThanOrEqual(50_000)
  hold.open()
  const got = await Promise.all(visits.map(({ done }) => done))
  expect(got.map(({ body }) => body.length)).toEqual([35_000, 35_000, 35_000])
  await site.cache.idle()
  expect(site.cache.stats()).toMatchObject({ capturing: 0, memory: { entries: 1 } })
})
