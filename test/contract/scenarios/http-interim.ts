import { request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'vitest'
import { hit, STALE, STORED } from '../../support/cache-status.ts'
import { HOST } from '../../support/client.ts'
import { cacheControl, raw, type Reply } from '../../support/reply.ts'
import { scenario, type Site } from '../../support/scenario.ts'

const HINT = { link: '</style.css>; rel=preload; as=style', 'x-hint': 'yes' }

/** Hints, waits for what is still to come, and answers. */
const hinting = (control: string, wait: () => Promise<void> = () => Promise.resolve()): Reply =>
  raw(async (_request, response) => {
    response.writeEarlyHints(HINT)
    await wait()
    response.writeHead(200, { 'Cache-Control': control })
    response.end('page')
  })

/** A visitor who tells of an interim response the moment it comes. */
function listen(site: Site, path: string): { hint: Promise<Record<string, unknown>>; status: Promise<number> } {
  const hint = Promise.withResolvers<Record<string, unknown>>()
  const status = Promise.withResolvers<number>()
  const { port } = site.server.address() as AddressInfo
  const outgoing = httpRequest({ host: '127.0.0.1', port, path, headers: { Host: HOST }, agent: false })
  outgoing.on('information', ({ statusCode, headers }) => hint.resolve({ statusCode, ...headers }))
  outgoing.on('response', (response) => {
    response.resume()
    response.once('end', () => status.resolve(response.statusCode ?? 0))
  })
  outgoing.on('error', hint.reject)
  outgoing.on('error', status.reject)
  outgoing.end()
  return { hint: hint.promise, status: status.promise }
}

scenario('HINT-01', '103 reaches the visitor while the handler works on', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({ routes: { '/x': hinting('max-age=10', hold) } })
  const { hint, status } = listen(site, '/x')
  expect(await hint).toMatchObject({ statusCode: 103, ...HINT })
  hold.open()
  expect(await status).toBe(200)
  await site.cache.idle()
})

scenario('HINT-02', 'it is not stored: a hit has none, and nothing of its fields', async ({ serve }) => {
  const site = await serve({ routes: { '/x': hinting('max-age=10') } })
  expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page', interim: [103], cacheStatus: STORED })
  const got = await site.ask('/x')
  expect(got).toMatchObject({ status: 200, text: 'page', interim: [], cacheStatus: hit(10) })
  for (const name of Object.keys(HINT)) expect(got.headers[name], name).toBeUndefined()
})

scenario('HINT-03', 'it is nothing to a refresh, a sealed render and an uncacheable page', async ({ serve, clock }) => {
  const site = await serve({
    routes: {
      '/stale': hinting('max-age=10, stale-while-revalidate=60'),
      '/sealed': { cacheback: { sealed: true }, answer: hinting('max-age=10') },
      '/private': hinting('private'),
    },
  })
  await site.ask('/stale')
  clock.advance(11)
  expect(await site.ask('/stale')).toMatchObject({ text: 'page', warning: STALE, interim: [] })
  expect(await site.ask('/stale')).toMatchObject({ text: 'page', cacheStatus: hit(10), interim: [] })
  expect(site.renders('/stale')).toBe(2)
  await site.ask('/sealed')
  expect(await site.ask('/sealed')).toMatchObject({ text: 'page', cacheStatus: hit(10), interim: [] })
  for (const n of [1, 2]) expect((await site.ask('/private')).interim, `visit ${n}`).toEqual([103])
})

scenario('HINT-04', 'several hints, 102 and 100 pass in their order', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/x': raw((_request, response) => {
        response.writeProcessing()
        response.writeEarlyHints(HINT)
        response.writeEarlyHints(HINT)
        response.writeHead(200, cacheControl('max-age=10') as Record<string, string>)
        response.end('page')
      }),
    },
  })
  expect(await site.ask('/x')).toMatchObject({ text: 'page', interim: [102, 103, 103], cacheStatus: STORED })
  expect(await site.ask('/x')).toMatchObject({ text: 'page', interim: [], cacheStatus: hit(10) })
})

scenario('HINT-05', 'a visitor with a condition gets the hints and his 304', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/x': raw((_request, response) => {
        response.writeEarlyHints(HINT)
        response.writeHead(200, { 'Cache-Control': 'max-age=10', ETag: '"v1"' })
        response.end('page')
      }),
    },
  })
  const got = await site.ask('/x', { 'If-None-Match': '"v1"' })
  expect(got).toMatchObject({ status: 304, text: '', interim: [103], complete: true })
  expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page', cacheStatus: hit(10) })
})
