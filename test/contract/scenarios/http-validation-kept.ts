import { expect } from 'vitest'
import { hit, STALE, STORED } from '../../support/cache-status.ts'
import { cacheControl } from '../../support/reply.ts'
import { scenario, type Site } from '../../support/scenario.ts'
import { notModified, plain, RENDERED, VALIDATED } from './http-origin.ts'

const tagged = { 'cache-control': 'max-age=10', etag: '"v1"' }
const conditionOf = (site: Site, n: number): string | undefined => site.seen()[n - 1]!.headers['if-none-match']

scenario('VAL-20', 'no-cache means: store it, and ask the app before every use', async ({ serve }) => {
  const fields = { 'cache-control': 'no-cache, stale-while-revalidate=60', etag: '"v1"' }
  const site = await serve({
    options: { staleWhileRevalidate: 60, staleIfError: 60 },
    routes: {
      '/x': [plain('one', fields), notModified(fields), notModified(fields), plain('two', { ...fields, etag: '"v2"' })],
    },
  })
  expect(await site.ask('/x')).toMatchObject({ text: 'one', cacheStatus: STORED })
  for (const n of [2, 3]) {
    expect(await site.ask('/x'), `visit ${n}`).toMatchObject({
      text: 'one',
      cacheStatus: VALIDATED,
      warning: undefined,
    })
    expect(conditionOf(site, n)).toBe('"v1"')
  }
  expect(await site.ask('/x')).toMatchObject({ text: 'two', cacheStatus: RENDERED })
})

scenario('VAL-21', 'max-age=0 with a validator likewise', async ({ serve }) => {
  const fields = { 'cache-control': 'max-age=0', etag: '"v1"' }
  const site = await serve({ routes: { '/x': [plain('one', fields), notModified(fields)] } })
  await site.ask('/x')
  expect(await site.ask('/x')).toMatchObject({ text: 'one', cacheStatus: VALIDATED })
})

scenario('VAL-22', 'must-revalidate: reused while fresh, validated from then on', async ({ serve, clock }) => {
  const fields = { 'cache-control': 'max-age=10, must-revalidate', etag: '"v1"' }
  const site = await serve({
    options: { staleWhileRevalidate: 60, staleIfError: 60 },
    routes: { '/x': [plain('one', fields), notModified(fields), plain('broken', {}, 503)] },
  })
  await site.ask('/x')
  clock.advance(9)
  expect((await site.ask('/x')).cacheStatus).toBe(hit(1))
  clock.advance(1)
  expect(await site.ask('/x')).toMatchObject({ text: 'one', cacheStatus: VALIDATED })
  clock.advance(10)
  expect(await site.ask('/x')).toMatchObject({ status: 503, text: 'broken' })
})

scenario('VAL-23', 'with keep: 0 nothing is kept to be validated', async ({ serve, clock }) => {
  const site = await serve({
    options: { keep: 0 },
    routes: { '/x': ({ n }) => plain(`render ${n}`, tagged), '/no-cache': plain('x', cacheControl('no-cache')) },
  })
  await site.ask('/x')
  clock.advance(11)
  expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'render 2' })
  expect(site.seen('/x')[1]!.headers['if-none-match']).toBeUndefined()
  expect((await site.ask('/no-cache', {})).cacheStatus).toBe('cacheback; fwd=uri-miss; detail=no-cache')
})

scenario(
  'VAL-24',
  'keep counts from the moment at which nothing may be served any more',
  { stores: ['memory', 'keyv'], because: 'the clock of a real Redis does not move' },
  async ({ serve, clock }) => {
    const fields = { ...tagged, 'cache-control': 'max-age=10, stale-while-revalidate=10' }
    const site = await serve({
      options: { keep: 30 },
      routes: { '/in': [plain('page', fields), notModified(fields)], '/out': ({ n }) => plain(`render ${n}`, fields) },
    })
    for (const path of ['/in', '/out']) await site.ask(path)
    clock.advance(49)
    expect(await site.ask('/in')).toMatchObject({ text: 'page', cacheStatus: VALIDATED })
    clock.advance(2)
    expect(await site.ask('/out')).toMatchObject({ text: 'render 2' })
    expect(site.seen('/out')[1]!.headers['if-none-match']).toBeUndefined()
  },
)

scenario('VAL-25', 'a failed validation leaves the page for the next one', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': [plain('page', tagged), plain('broken', {}, 503), notModified(tagged)] } })
  await site.ask('/x')
  clock.advance(11)
  expect(await site.ask('/x')).toMatchObject({ status: 503, text: 'broken' })
  expect(await site.ask('/x')).toMatchObject({ text: 'page', cacheStatus: VALIDATED })
  expect(conditionOf(site, 3)).toBe('"v1"')
})

scenario(
  'VAL-26',
  'a 304 that is silent leaves the lifetime as it was, and its Age counts',
  async ({ serve, clock }) => {
    const site = await serve({
      routes: { '/x': [plain('page', tagged), notModified(), notModified({ age: '4', date: clock.httpDate(22) })] },
    })
    await site.ask('/x')
    clock.advance(11)
    await site.ask('/x')
    expect(await site.ask('/x')).toMatchObject({ age: 0, cacheStatus: hit(10), headers: { date: clock.httpDate() } })
    clock.advance(11)
    await site.ask('/x')
    expect(await site.ask('/x')).toMatchObject({ age: 4, cacheStatus: hit(6) })
  },
)

scenario('VAL-27', 'a crowd waits for one validation', async ({ serve, clock, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async ({ n }) => {
        if (n === 1) return plain('page', tagged)
        await hold()
        return notModified(tagged)
      },
    },
  })
  await site.ask('/x')
  clock.advance(11)
  const visits = site.crowd(10, '/x')
  await site.arrived(11)
  hold.open()
  for (const got of await Promise.all(visits)) expect(got).toMatchObject({ status: 200, text: 'page', complete: true })
  expect(site.renders()).toBe(2)
})

const detachments = {
  'VAL-28': ['a fill without its cookies', { cookies: 'ignore' }, '/x', { Cookie: 'a=1' }],
  'VAL-29': ['a fill without its unkeyed parameters', { query: ['page'] }, '/x?page=1&utm=2', {}],
  'VAL-30': ['a sealed render', { sealed: true }, '/x', {}],
} as const

for (const [id, [what, options, url, headers]] of Object.entries(detachments)) {
  scenario(id, `${what} validates as well`, async ({ serve, clock }) => {
    const site = await serve({
      options,
      routes: {
        '/x': [plain('page', { ...tagged, 'x-n': '1' }), notModified({ ...tagged, 'x-n': '2' }), notModified(tagged)],
      },
    })
    await site.ask(url, headers)
    clock.advance(11)
    expect(await site.ask(url, { ...headers, 'If-None-Match': '"mine"' })).toMatchObject({
      status: 200,
      text: 'page',
      cacheStatus: VALIDATED,
      headers: { 'x-n': '2', 'content-length': '4' },
    })
    expect(conditionOf(site, 2)).toBe('"v1"')
    expect(await site.ask(url, headers)).toMatchObject({ text: 'page', cacheStatus: hit(10) })
    clock.advance(11)
    expect(await site.ask(url, { ...headers, 'If-None-Match': '"v1"' })).toMatchObject({ status: 304, text: '' })
    expect(site.renders()).toBe(3)
  })
}

scenario(
  'VAL-31',
  'a refresh that brings another page than the validated one replaces it',
  async ({ serve, clock }) => {
    const fields = { ...tagged, 'cache-control': 'max-age=10, stale-while-revalidate=60' }
    const site = await serve({ routes: { '/x': [plain('one', fields), plain('two', { ...fields, etag: '"v2"' })] } })
    await site.ask('/x')
    clock.advance(11)
    expect(await site.ask('/x')).toMatchObject({ text: 'one', warning: STALE })
    expect(await site.ask('/x')).toMatchObject({ text: 'two', cacheStatus: hit(10), headers: { etag: '"v2"' } })
  },
)

scenario('VAL-32', 'each variant is validated by its own validator', async ({ serve, clock }) => {
  const site = await serve({
    routes: {
      '/x': ({ headers }) => {
        const etag = `"${headers['accept-language']}"`
        const fields = { ...tagged, etag, vary: 'Accept-Language' }
        return headers['if-none-match'] === etag ? notModified(fields) : plain(`in ${etag}`, fields)
      },
    },
  })
  for (const language of ['de', 'fr']) await site.ask('/x', { 'Accept-Language': language })
  clock.advance(11)
  for (const language of ['de', 'fr']) {
    const got = await site.ask('/x', { 'Accept-Language': language })
    expect(got).toMatchObject({ text: `in "${language}"`, cacheStatus: VALIDATED })
  }
})

scenario('VAL-33', 'where every use is validated, nobody waits for the validation of another', async (stage) => {
  const { serve, gate } = stage
  const fields = { 'cache-control': 'no-cache', etag: '"v1"' }
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async ({ n }) => {
        if (n === 1) return plain('page', fields)
        await hold()
        return notModified(fields)
      },
    },
  })
  await site.ask('/x')
  const visits = site.crowd(5, '/x')
  await hold.reached(5)
  hold.open()
  for (const got of await Promise.all(visits)) expect(got).toMatchObject({ status: 200, text: 'page', complete: true })
})

scenario('VAL-34', 'a 304 that is not kept has the age that it names', async ({ serve, clock }) => {
  const site = await serve({
    routes: { '/x': [plain('page', tagged), notModified({ etag: '"v1"', 'cache-control': 'private', age: '30' })] },
  })
  await site.ask('/x')
  clock.advance(11)
  expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page', age: 30 })
})
