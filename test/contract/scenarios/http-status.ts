import type { ServerResponse } from 'node:http'
import { expect } from 'vitest'
import { hit, STALE, STALE_AFTER_FAILURE, STORED } from '../../support/cache-status.ts'
import { cacheControl, fail, fresh10, text } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'
import { notModified, plain, RENDERED, VALIDATED } from './http-origin.ts'

const swr = cacheControl('max-age=10, stale-while-revalidate=60')
const tagged = { ...cacheControl('max-age=10, stale-if-error=60'), etag: '"v1"' }

scenario('STATUS-20', 'every way of a request is told exactly', async ({ serve, clock }) => {
  const site = await serve({
    routes: {
      '/x': [plain('one', tagged), notModified(tagged), plain('busy', {}, 503), plain('two', tagged)],
      '/vary': plain('page', { ...fresh10, vary: 'X-A' }),
      '/private': plain('page', cacheControl('private')),
      '/post': { methods: ['POST'], answer: plain('done') },
    },
  })
  const said = async (request: string, headers = {}): Promise<string | undefined> =>
    (await site.ask(request, headers)).cacheStatus
  expect(await said('/x')).toBe(STORED)
  expect(await said('/x')).toBe(hit(10))
  clock.advance(11)
  expect(await said('/x')).toBe(VALIDATED)
  clock.advance(11)
  expect(await said('/x')).toBe('cacheback; fwd=stale; fwd-status=503; detail=stale-if-error')
  expect(await said('/x')).toBe(RENDERED)
  expect(await said('/vary', { 'X-A': '1' })).toBe(STORED)
  expect(await said('/vary', { 'X-A': '2' })).toBe('cacheback; fwd=vary-miss; stored')
  expect(await said('/private')).toBe('cacheback; fwd=uri-miss; detail=private')
  expect(await said('/x', { Cookie: 'a=1' })).toBe('cacheback; fwd=bypass; detail=cookie')
  expect(await said('POST /post')).toBe('cacheback; fwd=method')
})

scenario('STATUS-21', 'cacheStatus: { key: true } adds the key of the store, quoted', async ({ serve, clock }) => {
  const site = await serve({
    options: { cacheStatus: { key: true } },
    routes: {
      '/x': [plain('one', tagged), notModified(tagged), fail()],
      '/private': plain('page', cacheControl('private')),
    },
  })
  const missed = await site.ask('/x')
  const { key } = (await site.cache.inspect('http://example.test/x'))!
  expect(key).toMatch(/^[\u0021\u0023-\u005b\u005d-\u007e]+$/)
  expect(missed.cacheStatus).toBe(`cacheback; fwd=uri-miss; stored; key="${key}"`)
  expect((await site.ask('/x')).cacheStatus).toBe(`cacheback; hit; ttl=10; key="${key}"`)
  clock.advance(11)
  expect((await site.ask('/x')).cacheStatus).toBe(`cacheback; fwd=stale; fwd-status=304; stored; key="${key}"`)
  clock.advance(11)
  expect((await site.ask('/x')).cacheStatus).toBe(
    `cacheback; fwd=stale; fwd-status=500; key="${key}"; detail=stale-if-error`,
  )
  expect((await site.ask('/private')).cacheStatus).toMatch(
    /^cacheback; fwd=uri-miss; key="cacheback::example\.test\/private~[\w-]+"; detail=private$/,
  )
})

scenario('STATUS-22', 'what an earlier cache has said comes first', async ({ serve }) => {
  const site = await serve({
    outside: ({ set }) => set('Cache-Status', 'outer; fwd=uri-miss'),
    routes: {
      '/x': ({ n }) => text(`render ${n}`, fresh10),
      '/no': text('page', cacheControl('no-store')),
      '/opted-out': { cacheback: false, answer: text('page', fresh10) },
    },
  })
  expect((await site.ask('/x')).cacheStatus).toBe(`outer; fwd=uri-miss, ${STORED}`)
  expect((await site.ask('/x')).cacheStatus).toBe(`outer; fwd=uri-miss, ${hit(10)}`)
  expect((await site.ask('/no')).cacheStatus).toBe('outer; fwd=uri-miss, cacheback; fwd=uri-miss; detail=no-store')
  expect((await site.ask('/x', { Cookie: 'a=1' })).cacheStatus).toBe(
    'outer; fwd=uri-miss, cacheback; fwd=bypass; detail=cookie',
  )
  expect((await site.ask('/opted-out')).cacheStatus).toBe('outer; fwd=uri-miss')
})

scenario('STATUS-23', "an origin's own Cache-Status is kept, and comes first on a hit as well", async ({ serve }) => {
  const site = await serve({
    routes: { '/x': plain('page', { ...fresh10, 'cache-status': ['origin; hit', 'middle; fwd=stale'] }) },
  })
  expect((await site.ask('/x')).cacheStatus).toBe(`origin; hit, middle; fwd=stale, ${STORED}`)
  for (const n of [2, 3]) {
    expect((await site.ask('/x')).cacheStatus, `visit ${n}`).toBe(`origin; hit, middle; fwd=stale, ${hit(10)}`)
  }
})

scenario('STATUS-24', 'the name is the option; cacheStatus: false says nothing', async ({ serve, clock }) => {
  const site = await serve({
    options: { name: 'edge-1', cacheStatus: false },
    routes: {
      '/x': { cacheback: { cacheStatus: true }, answer: ({ n }) => plain(`render ${n}`, swr) },
      '/silent': ({ n }) => plain(`render ${n}`, swr),
    },
  })
  expect((await site.ask('/x')).cacheStatus).toBe('edge-1; fwd=uri-miss; stored')
  expect((await site.ask('/x')).cacheStatus).toBe('edge-1; hit; ttl=10')
  for (const n of [1, 2]) expect((await site.ask('/silent')).cacheStatus, `visit ${n}`).toBeUndefined()
  clock.advance(11)
  expect((await site.ask('/silent')).cacheStatus).toBeUndefined()
  expect((await site.ask('/silent', { Cookie: 'a=1' })).cacheStatus).toBeUndefined()
})

scenario('STATUS-25', 'a 304, a 206, a 416 and a HEAD tell it as well', async ({ serve }) => {
  const site = await serve({ routes: { '/x': plain('page', tagged) } })
  await site.ask('/x')
  for (const [request, headers, status] of [
    ['/x', { 'If-None-Match': '"v1"' }, 304],
    ['/x', { Range: 'bytes=0-0' }, 206],
    ['/x', { Range: 'bytes=9-' }, 416],
    ['HEAD /x', {}, 200],
  ] as const) {
    expect(await site.ask(request, headers), request).toMatchObject({ status, cacheStatus: hit(10), age: 0 })
  }
})

const lasting = { warning: '299 - "lasting"' }

scenario('WARN-20', 'our warnings are appended to those that are there', async ({ serve, clock }) => {
  const fields = cacheControl('max-age=10, stale-while-revalidate=60, stale-if-error=600')
  const site = await serve({
    routes: { '/x': ({ n }) => (n === 1 ? plain('page', { ...fields, ...lasting }) : plain('busy', lasting, 503)) },
  })
  for (const n of [1, 2]) expect((await site.ask('/x')).warning, `visit ${n}`).toBe('299 - "lasting"')
  clock.advance(11)
  expect((await site.ask('/x')).warning).toBe(`299 - "lasting", ${STALE}`)
  expect((await site.ask('/x')).warning).toBe(`299 - "lasting", ${STALE_AFTER_FAILURE}`)
  clock.advance(100)
  expect(await site.ask('/x')).toMatchObject({ text: 'page', warning: `299 - "lasting", ${STALE_AFTER_FAILURE}` })
})

/** A layer outside the cache with a `write` of its own, as a compressor has. */
function wrapWrite(res: ServerResponse): void {
  const write = res.write.bind(res)
  res.write = ((...args: Parameters<typeof write>) => write(...args)) as typeof res.write
}

scenario('WARN-21', 'likewise through a layer outside, whatever the case of the name', async ({ serve, clock }) => {
  const site = await serve({
    outside: ({ res }) => wrapWrite(res),
    routes: {
      '/lower': ({ n }) => plain(`render ${n}`, { ...swr, ...lasting }),
      '/upper': ({ n }) => plain(`render ${n}`, { ...swr, Warning: lasting.warning }),
      '/mixed': plain('page', { ...fresh10, 'X-Twice': 'a', 'x-other': ['b', 'c'] }),
    },
  })
  for (const path of ['/lower', '/upper', '/mixed']) await site.ask(path)
  expect((await site.ask('/mixed')).headers).toMatchObject({ 'x-twice': 'a', 'x-other': 'b, c' })
  clock.advance(11)
  for (const path of ['/lower', '/upper']) {
    expect((await site.ask(path)).warning, path).toBe(`299 - "lasting", ${STALE}`)
  }
})

scenario('WARN-22', 'warning: false sends none of ours and keeps those of the app', async ({ serve, clock }) => {
  const site = await serve({
    options: { warning: false },
    routes: { '/x': plain('page', { ...swr, ...lasting }), '/none': plain('page', swr) },
  })
  for (const path of ['/x', '/none']) await site.ask(path)
  clock.advance(11)
  expect(await site.ask('/x')).toMatchObject({ warning: '299 - "lasting"', cacheStatus: hit(-1) })
  expect((await site.ask('/none')).warning).toBeUndefined()
})
