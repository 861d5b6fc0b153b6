import fastifyEtag from '@fastify/etag'
import koaEtag from '@koa/etag'
import koaConditional from 'koa-conditional-get'
import { expect } from 'vitest'
import { bypass, hit, STORED } from '../../support/cache-status.ts'
import { empty, file, fresh10, text } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'

const tagged = { 'cache-control': 'max-age=10', etag: '"v1"' }

scenario(
  'COND-01',
  'If-None-Match on a cold key: 304 for the visitor, the whole response for the store',
  async (stage) => {
    const raw: string[] = []
    const site = await stage.serve({
      routes: {
        '/x': ({ req }) => {
          raw.push(...req.rawHeaders)
          return text('page', tagged)
        },
      },
    })
    const first = await site.ask('/x', { 'If-None-Match': '"v1"', 'X-Kept': 'yes' })
    expect(first).toMatchObject({ status: 304, text: '', headers: { etag: '"v1"' } })
    expect(site.seen()[0]!.headers).toMatchObject({ 'x-kept': 'yes' })
    expect(site.seen()[0]!.headers['if-none-match']).toBeUndefined()
    expect(raw).toContain('X-Kept')
    expect(raw).not.toContain('If-None-Match')
    expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page', cacheStatus: hit(10) })
  },
)

scenario('COND-02', 'If-Modified-Since on a cold key likewise', async ({ serve, clock }) => {
  const modified = clock.httpDate(-1000)
  const site = await serve({
    routes: { '/x': () => text('page', { 'cache-control': 'max-age=10', 'last-modified': modified }) },
  })
  expect((await site.ask('/x', { 'If-Modified-Since': modified })).status).toBe(304)
  expect(site.seen()[0]!.headers['if-modified-since']).toBeUndefined()
  expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page', cacheStatus: hit(10) })
  expect((await site.ask('/x', { 'If-Modified-Since': clock.httpDate(-2000) })).status).toBe(200)
})

scenario('COND-03', 'a condition that does not match gets the page', async ({ serve }) => {
  const site = await serve({ routes: { '/x': () => text('page', tagged) } })
  expect(await site.ask('/x', { 'If-None-Match': '"other"' })).toMatchObject({
    status: 200,
    text: 'page',
    cacheStatus: STORED,
  })
})

scenario('COND-04', 'If-None-Match: * on a cold key leaves no empty page behind', async ({ serve }) => {
  const site = await serve({ routes: { '/x': () => text('page', tagged), '/untagged': text('page', {}) } })
  expect([200, 304]).toContain((await site.ask('/x', { 'If-None-Match': '*' })).status)
  expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page' })
  await site.ask('/untagged', { 'If-None-Match': '*' })
  expect(await site.ask('/untagged')).toMatchObject({ status: 200, text: 'page' })
})

scenario('COND-05', 'the 304 of a fill carries what a 304 must, and no length', async ({ serve, clock }) => {
  const headers = { ...tagged, vary: 'Accept', expires: clock.httpDate(10), 'content-location': '/x.html' }
  const site = await serve({ routes: { '/x': () => text('page', headers) } })
  for (const n of [1, 2]) {
    const got = await site.ask('/x', { 'If-None-Match': 'W/"v1"' })
    expect(got, `visit ${n}`).toMatchObject({ status: 304, text: '', complete: true, headers })
    expect(got.headers['content-length']).toBeUndefined()
    expect(got.headers['date']).toBeDefined()
  }
  expect(site.renders()).toBe(1)
})

scenario('COND-06', 'the leader gets his 304, his follower the page', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async () => {
        await hold()
        return text('page', tagged)
      },
    },
  })
  const leader = site.visit('/x', { 'If-None-Match': '"v1"' }).done
  await hold.reached()
  const plain = site.visit('/x').done
  const conditional = site.visit('/x', { 'If-None-Match': '"v1"' }).done
  await site.arrived(3)
  hold.open()
  expect((await leader).status).toBe(304)
  expect(await plain).toMatchObject({ status: 200, text: 'page' })
  expect(await conditional).toMatchObject({ status: 304, text: '' })
  expect(site.renders()).toBe(1)
})

scenario('COND-07', 'Range on a cold key goes to the handler untouched and is not stored', async ({ serve }) => {
  const site = await serve({ routes: { '/x': () => file('page.txt', fresh10) } })
  const part = await site.ask('/x', { Range: 'bytes=0-1' })
  expect(site.seen()[0]!.headers.range).toBe('bytes=0-1')
  expect(part.cacheStatus).toContain('detail=range')
  // koa-send knows no ranges.
  expect([200, 206]).toContain(part.status)
  const whole = await site.ask('/x')
  expect(whole).toMatchObject({ status: 200, cacheStatus: STORED })
  expect(whole.body.length).toBeGreaterThan(1000)
})

scenario('COND-08', 'Range on a stored key gets a right answer', async ({ serve }) => {
  const site = await serve({ routes: { '/x': () => file('page.txt', fresh10) } })
  const whole = await site.ask('/x')
  const part = await site.ask('/x', { Range: 'bytes=2-5' })
  expect(part.text).toBe(part.status === 206 ? whole.text.slice(2, 6) : whole.text)
  expect((await site.ask('/x')).text).toBe(whole.text)
})

scenario('COND-09', 'If-Match and If-Unmodified-Since go to the handler', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': () => text('page', tagged) } })
  await site.ask('/x')
  for (const headers of [{ 'If-Match': '"no"' }, { 'If-Unmodified-Since': clock.httpDate() }]) {
    expect((await site.ask('/x', headers)).cacheStatus).toBe(bypass('condition'))
  }
  expect(site.seen()[1]!.headers['if-match']).toBe('"no"')
  expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page', cacheStatus: hit(10) })
})

scenario('COND-10', 'where hit-for-miss is remembered, nothing is kept from the handler', async ({ serve }) => {
  const site = await serve({ routes: { '/x': () => text('page', { 'cache-control': 'private', etag: '"v1"' }) } })
  await site.ask('/x')
  await site.ask('/x', { 'If-None-Match': '"v1"' })
  expect(site.seen()[1]!.headers['if-none-match']).toBe('"v1"')
})

scenario('COND-11', 'a 304 that the handler makes up is never stored', async ({ serve }) => {
  const site = await serve({
    options: { maxAge: 60 },
    routes: { '/x': ({ n }) => (n === 1 ? empty(304, tagged) : text('page', tagged)) },
  })
  await site.ask('/x')
  expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page' })
})

scenario('COND-12', 'a conditional visitor of an unstorable page gets a right answer', async ({ serve }) => {
  const site = await serve({ routes: { '/x': () => text('page', { 'cache-control': 'no-store', etag: '"v1"' }) } })
  const got = await site.ask('/x', { 'If-None-Match': '"v1"' })
  expect([200, 304]).toContain(got.status)
  expect(got).toMatchObject({ complete: true, text: got.status === 200 ? 'page' : '' })
})

scenario('COND-13', "a refresh carries no visitor's conditions", async ({ serve, clock }) => {
  const headers = { 'cache-control': 'max-age=10, stale-while-revalidate=60', etag: '"v1"' }
  const site = await serve({ routes: { '/x': ({ n }) => text(`page ${n}`, headers) } })
  await site.ask('/x')
  clock.advance(11)
  const conditions = { 'If-None-Match': '"v1", "mine"', 'If-Modified-Since': clock.httpDate() }
  expect((await site.ask('/x', conditions)).status).toBe(304)
  // The stored response's own validator may be there.
  expect([undefined, '"v1"']).toContain(site.seen()[1]!.headers['if-none-match'])
  expect(site.seen()[1]!.headers['if-modified-since']).toBeUndefined()
})

scenario(
  'COND-14',
  "the frameworks' own validators and conditions never leave an empty page behind",
  async ({ serve }) => {
    const site = await serve({
      after: {
        fastify: (app) => app.register(fastifyEtag),
        koa: (app) => app.use(koaConditional()).use(koaEtag()),
      },
      routes: { '/x': () => text('page', { 'cache-control': 'max-age=10' }) },
    })
    const { etag } = (await site.ask('/x')).headers
    expect(etag).toBeDefined()
    expect((await site.ask('/x', { 'If-None-Match': etag! })).status).toBe(304)
    await site.cache.purge({ all: true })
    expect(await site.ask('/x', { 'If-None-Match': etag! })).toMatchObject({ status: 304, text: '', complete: true })
    expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page', cacheStatus: hit(10) })
    expect(site.renders()).toBe(2)
  },
)

scenario('COND-15', 'hit-for-miss is forgotten after hitForMissMs', async ({ serve, clock }) => {
  const site = await serve({
    options: { hitForMissMs: 5000 },
    routes: { '/x': () => text('page', { 'cache-control': 'private', etag: '"v1"' }) },
  })
  const conditional = { 'If-None-Match': '"v1"' }
  const seen = () => site.seen().at(-1)!.headers['if-none-match']
  await site.ask('/x')
  await site.ask('/x', conditional)
  expect(seen()).toBe('"v1"')
  // Every render that may not be stored is remembered anew.
  clock.advance(6)
  await site.ask('/x', conditional)
  expect(seen()).toBeUndefined()
})
