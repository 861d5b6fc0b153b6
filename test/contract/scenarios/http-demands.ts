import { expect } from 'vitest'
import { hit, STALE, STORED } from '../../support/cache-status.ts'
import { cacheControl, type Fields } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'
import { notModified, plain } from './http-origin.ts'

const options = { requestCacheControl: true }
const tagged = { 'cache-control': 'max-age=10', etag: '"v1"' }
const swr = { ...tagged, 'cache-control': 'max-age=10, stale-while-revalidate=60' }
const pages =
  (fields: Fields = tagged) =>
  ({ n }: { n: number }) =>
    plain(`render ${n}`, fields)
/** A request's Cache-Control. */
const asking = (value: string): Fields => ({ 'Cache-Control': value })

scenario('DEMAND-01', "by default a client's Cache-Control and Pragma are not listened to", async ({ serve }) => {
  const site = await serve({ routes: { '/x': pages() } })
  expect((await site.ask('/x', asking('only-if-cached, no-store'))).cacheStatus).toBe(STORED)
  for (const value of ['no-cache', 'no-store', 'max-age=0', 'min-fresh=99', 'only-if-cached']) {
    expect(await site.ask('/x', asking(value)), value).toMatchObject({ text: 'render 1', cacheStatus: hit(10) })
  }
  expect((await site.ask('/x', { Pragma: 'no-cache' })).cacheStatus).toBe(hit(10))
})

scenario('DEMAND-02', 'no-cache: a fresh page is validated before it is served', async ({ serve, clock }) => {
  const site = await serve({
    options,
    routes: { '/x': [plain('page', tagged), notModified(tagged), plain('new', tagged)], '/untagged': pages(swr) },
  })
  await site.ask('/x')
  clock.advance(5)
  const validated = await site.ask('/x', asking('no-cache'))
  expect(validated).toMatchObject({ text: 'page', cacheStatus: 'cacheback; fwd=request; fwd-status=304; stored' })
  expect(site.seen('/x')[1]!.headers['if-none-match']).toBe('"v1"')
  expect((await site.ask('/x')).cacheStatus).toBe(hit(10))
  expect(await site.ask('/x', asking('No-Cache'))).toMatchObject({
    text: 'new',
    cacheStatus: 'cacheback; fwd=request; stored',
  })
  expect(await site.ask('/x')).toMatchObject({ text: 'new', cacheStatus: hit(10) })
})

scenario('DEMAND-03', 'Pragma: no-cache says the same where there is no Cache-Control', async ({ serve }) => {
  const site = await serve({ options, routes: { '/x': pages(cacheControl('max-age=10')) } })
  await site.ask('/x')
  expect(await site.ask('/x', { Pragma: 'no-cache' })).toMatchObject({
    text: 'render 2',
    cacheStatus: 'cacheback; fwd=request; stored',
  })
  expect((await site.ask('/x', { Pragma: 'no-cache', ...asking('max-age=5') })).cacheStatus).toBe(hit(10))
  for (const pragma of ['foo', 'no-store', 'only-if-cached']) {
    expect((await site.ask('/x', { Pragma: pragma })).cacheStatus, pragma).toBe(hit(10))
  }
})

scenario('DEMAND-04', 'no-store: neither answered from the cache nor stored', async ({ serve }) => {
  const site = await serve({ options, routes: { '/x': pages() } })
  const refused = { cacheStatus: 'cacheback; fwd=bypass; detail=request-no-store' }
  expect(await site.ask('/x', asking('no-store'))).toMatchObject({ text: 'render 1', ...refused })
  expect(await site.ask('/x')).toMatchObject({ text: 'render 2', cacheStatus: STORED })
  expect(await site.ask('/x', asking('no-store'))).toMatchObject({ text: 'render 3', ...refused })
  expect(await site.ask('/x')).toMatchObject({ text: 'render 2', cacheStatus: hit(10) })
})

scenario('DEMAND-05', 'max-age: nothing older', async ({ serve, clock }) => {
  const site = await serve({ options, routes: { '/x': pages(cacheControl('max-age=100')) } })
  await site.ask('/x')
  clock.advance(5)
  for (const value of ['max-age=5', 'max-age="5"', 'max-age=60']) {
    expect((await site.ask('/x', asking(value))).cacheStatus, value).toBe(hit(95))
  }
  expect(await site.ask('/x', asking('max-age=4'))).toMatchObject({
    text: 'render 2',
    cacheStatus: 'cacheback; fwd=request; stored',
  })
})

scenario('DEMAND-06', 'min-fresh: nothing that will be stale so soon', async ({ serve, clock }) => {
  const site = await serve({ options, routes: { '/x': pages(cacheControl('max-age=100')) } })
  await site.ask('/x')
  clock.advance(40)
  expect((await site.ask('/x', asking('min-fresh=60'))).cacheStatus).toBe(hit(60))
  expect((await site.ask('/x', asking('min-fresh=61'))).text).toBe('render 2')
})

scenario(
  'DEMAND-07',
  'max-stale: so much beyond its lifetime, without refreshing anything',
  async ({ serve, clock }) => {
    const site = await serve({ options, routes: { '/x': pages() } })
    await site.ask('/x')
    clock.advance(15)
    const stale = { text: 'render 1', age: 15, warning: STALE, cacheStatus: hit(-5) }
    for (const value of ['max-stale=5', 'max-stale=1000', 'max-stale']) {
      expect(await site.ask('/x', asking(value)), value).toMatchObject(stale)
    }
    expect(site.renders()).toBe(1)
    expect((await site.ask('/x', asking('max-stale=4'))).text).toBe('render 2')
  },
)

scenario('DEMAND-08', 'max-stale never lifts what a response forbids', async ({ serve, clock }) => {
  const bans = ['max-age=10, must-revalidate', 'max-age=10, proxy-revalidate', 's-maxage=10', 'max-age=10, no-cache']
  const site = await serve({
    options,
    routes: Object.fromEntries(bans.map((value, i) => [`/${i}`, pages({ ...tagged, 'cache-control': value })])),
  })
  for (const i of bans.keys()) await site.ask(`/${i}`)
  clock.advance(11)
  for (const [i, ban] of bans.entries()) {
    expect((await site.ask(`/${i}`, asking('max-stale'))).text, ban).toBe('render 2')
  }
})

scenario('DEMAND-09', 'max-stale does not lift the ban of a targeted field, either', async ({ serve, clock }) => {
  const site = await serve({
    options: { ...options, targetedCacheControl: ['CDN-Cache-Control'] },
    routes: { '/x': pages({ ...tagged, 'cdn-cache-control': 'max-age=10, must-revalidate' }) },
  })
  await site.ask('/x')
  clock.advance(11)
  expect((await site.ask('/x', asking('max-stale'))).text).toBe('render 2')
})

scenario('DEMAND-10', 'only-if-cached: what is stored, else 504 without a render', async ({ serve, clock }) => {
  const site = await serve({ options, routes: { '/x': pages(swr) } })
  const missing = await site.ask('/x', asking('only-if-cached'))
  expect(missing).toMatchObject({ status: 504, complete: true })
  expect(missing.cacheStatus).toBe('cacheback; fwd=uri-miss; detail=only-if-cached')
  expect(site.renders()).toBe(0)
  await site.ask('/x')
  expect((await site.ask('/x', asking('only-if-cached'))).cacheStatus).toBe(hit(10))
  expect((await site.ask('HEAD /x', asking('only-if-cached'))).status).toBe(200)
  clock.advance(71)
  const stale = await site.ask('/x', asking('only-if-cached'))
  expect(stale).toMatchObject({ status: 504, cacheStatus: 'cacheback; fwd=stale; detail=only-if-cached' })
  expect(site.renders()).toBe(1)
  expect((await site.ask('/x')).status).toBe(200)
})

scenario('DEMAND-11', 'a client that names a max-age wants nothing stale, unless it says max-stale', async (stage) => {
  const { serve, clock } = stage
  const site = await serve({ options, routes: { '/x': pages(swr), '/y': pages(swr) } })
  for (const path of ['/x', '/y']) await site.ask(path)
  clock.advance(11)
  expect(await site.ask('/y', asking('max-age=100, max-stale'))).toMatchObject({ text: 'render 1', warning: STALE })
  expect(await site.ask('/x', asking('max-age=100'))).toMatchObject({ text: 'render 2', warning: undefined })
})

scenario('DEMAND-12', 'no-cache gets what the app says, its failure included', async ({ serve }) => {
  const site = await serve({ options, routes: { '/x': [plain('page', tagged), plain('busy', {}, 503)] } })
  await site.ask('/x')
  expect(await site.ask('/x', asking('no-cache'))).toMatchObject({ status: 503, text: 'busy' })
  expect(await site.ask('/x')).toMatchObject({ text: 'page', cacheStatus: hit(10) })
})
