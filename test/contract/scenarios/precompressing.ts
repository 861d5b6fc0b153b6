import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { expect } from 'vitest'
import { bytes, cacheControl, fresh10, text } from '../../support/reply.ts'
import { type Limits, scenario } from '../../support/scenario.ts'

const withCopies: Limits = { stores: ['memory', 'keyv'], because: 'what is made stays in memory' }
const PAGE = 'a page that says the same again and again. '.repeat(200)
const html = { ...fresh10, 'content-type': 'text/html; charset=utf-8', etag: '"v1"' }
const options = { precompress: true }
const all = { 'Accept-Encoding': 'gzip, deflate, br' }

scenario('CODING-01', 'a hit is answered in the best coding that the client accepts', withCopies, async ({ serve }) => {
  const site = await serve({ options, routes: { '/x': text(PAGE, html) } })
  const first = await site.ask('/x', all)
  expect(first).toMatchObject({ text: PAGE, headers: { vary: 'Accept-Encoding', etag: '"v1"' } })
  expect(first.headers['content-encoding']).toBeUndefined()

  const best = await site.ask('/x', all)
  expect(best.headers).toMatchObject({ 'content-encoding': 'br', vary: 'Accept-Encoding', etag: '"v1-br"' })
  expect(brotliDecompressSync(best.body).toString()).toBe(PAGE)
  expect(Number(best.headers['content-length'])).toBe(best.body.length)
  const other = await site.ask('/x', { 'Accept-Encoding': 'gzip' })
  expect(other.headers).toMatchObject({ 'content-encoding': 'gzip', etag: '"v1-gzip"' })
  expect(gunzipSync(other.body).toString()).toBe(PAGE)
  for (const accept of [{}, { 'Accept-Encoding': 'identity' }, { 'Accept-Encoding': 'gzip;q=0, br;q=0' }]) {
    const plain = await site.ask('/x', accept)
    expect(plain).toMatchObject({ text: PAGE, headers: { vary: 'Accept-Encoding', etag: '"v1"' } })
    expect(plain.headers['content-encoding']).toBeUndefined()
  }
  expect(site.renders()).toBe(1)
})

scenario(
  'CODING-02',
  'each coding has a tag of its own, and HEAD the head of its GET',
  withCopies,
  async ({ serve }) => {
    const site = await serve({ options, routes: { '/x': text(PAGE, html) } })
    await site.ask('/x')
    const known = await site.ask('/x', { ...all, 'If-None-Match': '"v1-br"' })
    expect(known).toMatchObject({ status: 304, headers: { etag: '"v1-br"', vary: 'Accept-Encoding' } })
    expect((await site.ask('/x', { ...all, 'If-None-Match': '"v1"' })).status).toBe(200)
    const head = await site.ask('HEAD /x', all)
    expect(head.headers).toMatchObject({ 'content-encoding': 'br', etag: '"v1-br"' })
    expect(head.body.length).toBe(0)
  },
)

scenario('CODING-03', 'ranges are cut from the page as the app has made it', withCopies, async ({ serve }) => {
  const site = await serve({ options, routes: { '/x': text(PAGE, html) } })
  await site.ask('/x')
  const part = await site.ask('/x', { ...all, Range: 'bytes=2-5' })
  expect(part).toMatchObject({ status: 206, text: 'page', headers: { etag: '"v1"' } })
  expect(part.headers['content-encoding']).toBeUndefined()
})

scenario(
  'CODING-04',
  'what does not compress, is too small, is coded already or must not be transformed stays as it is',
  withCopies,
  async ({ serve }) => {
    const png = { ...fresh10, 'content-type': 'image/png' }
    const site = await serve({
      options,
      routes: {
        '/image': bytes(Buffer.alloc(5000), png),
        '/small': text('a'.repeat(1000), html),
        '/coded': bytes(Buffer.alloc(5000), { ...html, 'content-encoding': 'x-own' }),
        '/kept': text(PAGE, { ...html, ...cacheControl('max-age=10, no-transform') }),
        '/off': { cacheback: { precompress: false }, answer: text(PAGE, html) },
      },
    })
    for (const path of ['/image', '/small', '/coded', '/kept', '/off']) {
      const first = await site.ask(path, all)
      const hit = await site.ask(path, all)
      expect(hit.age, path).toBe(0)
      expect(hit.body.equals(first.body), path).toBe(true)
      expect(hit.headers['etag'], path).toBe(first.headers['etag'] ?? hit.headers['etag'])
    }
  },
)

scenario(
  'CODING-05',
  'a refreshed page is made in its codings anew; a stale one is served in them',
  withCopies,
  async ({ serve, clock }) => {
    const fields = { ...html, ...cacheControl('max-age=10, stale-while-revalidate=60') }
    const site = await serve({
      options,
      routes: { '/x': ({ n }) => text(`${PAGE} ${n}`, { ...fields, etag: `"v${n}"` }) },
    })
    await site.ask('/x')
    clock.advance(11)
    const stale = await site.ask('/x', all)
    expect(stale).toMatchObject({ headers: { 'content-encoding': 'br' }, age: 11 })
    expect(brotliDecompressSync(stale.body).toString()).toBe(`${PAGE} 1`)
    const fresh = await site.ask('/x', all)
    expect(brotliDecompressSync(fresh.body).toString()).toBe(`${PAGE} 2`)
  },
)

scenario('CODING-06', 'what the codings take counts among the bytes of memory', withCopies, async ({ serve }) => {
  const site = await serve({
    options,
    routes: { '/x': text(PAGE, html), '/y': { cacheback: { precompress: false }, answer: text(PAGE, html) } },
  })
  await site.ask('/y')
  const plain = site.cache.stats().memory.bytes
  await site.ask('/x')
  expect(site.cache.stats().memory.bytes).toBeGreaterThan(2 * plain)
  await site.cache.purge({ all: true })
  expect(site.cache.stats().memory.bytes).toBe(0)
})
