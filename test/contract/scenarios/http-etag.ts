import { expect } from 'vitest'
import { hit, STORED } from '../../support/cache-status.ts'
import { cacheControl, fresh10 } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'
import { plain } from './http-origin.ts'

const STRONG = /^"[\u0021\u0023-\u007e]+"$/

scenario(
  'TAG-01',
  'a stored response without a validator gets a strong ETag; same bytes, same tag',
  async ({ serve }) => {
    const site = await serve({
      routes: { '/a': plain('page', fresh10), '/b': plain('page', fresh10), '/c': plain('pagf', fresh10) },
    })
    const tags: (string | undefined)[] = []
    for (const path of ['/a', '/b', '/c']) {
      // It is made after the end: whoever waited for the render got none.
      expect((await site.ask(path)).headers['etag'], path).toBeUndefined()
      tags.push((await site.ask(path)).headers['etag'])
    }
    for (const tag of tags) expect(tag).toMatch(STRONG)
    expect(tags[1]).toBe(tags[0])
    expect(tags[2]).not.toBe(tags[0])
  },
)

scenario(
  'TAG-02',
  'a client that holds the made ETag gets 304, after the next render as well',
  async ({ serve, clock }) => {
    const site = await serve({
      routes: { '/x': ({ n }) => plain(n < 3 ? 'page' : 'other', cacheControl('max-age=10')) },
    })
    await site.ask('/x')
    const { etag } = (await site.ask('/x')).headers
    const conditional = { 'If-None-Match': etag! }
    const got = await site.ask('/x', conditional)
    expect(got).toMatchObject({ status: 304, text: '', complete: true, cacheStatus: hit(10), headers: { etag } })
    expect(got.headers['content-length']).toBeUndefined()
    clock.advance(11)
    await site.ask('/x')
    expect((await site.ask('/x', conditional)).status).toBe(304)
    clock.advance(11)
    await site.ask('/x')
    expect(await site.ask('/x', conditional)).toMatchObject({ status: 200, text: 'other' })
  },
)

scenario('TAG-03', 'each variant has the ETag of its own bytes', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/x': ({ headers }) => plain(`in ${headers['accept-language']}`, { ...fresh10, vary: 'Accept-Language' }),
    },
  })
  const tags: Record<string, string> = {}
  for (const language of ['de', 'fr']) {
    await site.ask('/x', { 'Accept-Language': language })
    tags[language] = (await site.ask('/x', { 'Accept-Language': language })).headers['etag']!
  }
  expect(tags['de']).not.toBe(tags['fr'])
  const asked = { 'Accept-Language': 'de', 'If-None-Match': tags['fr']! }
  expect(await site.ask('/x', asked)).toMatchObject({ status: 200, text: 'in de' })
})

scenario('TAG-04', 'etag: false turns that off', async ({ serve }) => {
  const site = await serve({ options: { etag: false }, routes: { '/x': plain('page', fresh10) } })
  await site.ask('/x')
  expect(await site.ask('/x')).toMatchObject({ cacheStatus: hit(10) })
  expect((await site.ask('/x')).headers['etag']).toBeUndefined()
})

scenario('TAG-05', 'a response that has a validator keeps it, and gets no second one', async ({ serve, clock }) => {
  const modified = clock.httpDate(-1000)
  const site = await serve({
    routes: {
      '/dated': plain('page', { ...fresh10, 'last-modified': modified }),
      '/weak': plain('page', { ...fresh10, etag: 'W/"mine"' }),
      '/404': plain('none', fresh10, 404),
    },
  })
  for (const path of ['/dated', '/weak', '/404']) await site.ask(path)
  expect((await site.ask('/dated')).headers).toMatchObject({ 'last-modified': modified })
  expect((await site.ask('/dated')).headers['etag']).toBeUndefined()
  expect((await site.ask('/weak')).headers['etag']).toBe('W/"mine"')
  expect((await site.ask('/404')).headers['etag']).toBeUndefined()
})

const matching = ['"v1"', 'W/"v1"', '"a", "v1"', '"a,b" , W/"v1","c"', ' "v1" ', ',, "v1"', '*']
const differing = ['"v2"', '"V1"', '"a", "b"', 'v1', '"v1', '""']

scenario('TAG-06', 'If-None-Match: lists, weak comparison and * are understood', async ({ serve }) => {
  const site = await serve({ routes: { '/x': plain('page', { ...fresh10, etag: '"v1"' }) } })
  await site.ask('/x')
  for (const value of matching) expect((await site.ask('/x', { 'If-None-Match': value })).status, value).toBe(304)
  for (const value of differing) {
    expect((await site.ask('/x', { 'If-None-Match': value })).status, value).toBe(200)
  }
  const lines = { 'If-None-Match': ['"a"', '"v1"'] }
  expect((await site.ask('/x', lines)).status).toBe(304)
  expect(site.renders()).toBe(1)
})

scenario('TAG-07', 'a weak ETag matches both spellings; one with a comma inside is one', async ({ serve }) => {
  const site = await serve({ routes: { '/x': plain('page', { ...fresh10, etag: 'W/"a,b"' }) } })
  await site.ask('/x')
  for (const value of ['W/"a,b"', '"a,b"', '"x", W/"a,b"']) {
    expect((await site.ask('/x', { 'If-None-Match': value })).status, value).toBe(304)
  }
  for (const value of ['"a", "b"', '"a', 'W/"b"']) {
    expect((await site.ask('/x', { 'If-None-Match': value })).status, value).toBe(200)
  }
})

scenario('TAG-08', 'If-None-Match takes precedence over If-Modified-Since', async ({ serve, clock }) => {
  const modified = clock.httpDate(-1000)
  const site = await serve({
    routes: { '/x': plain('page', { ...fresh10, etag: '"v1"', 'last-modified': modified }) },
  })
  await site.ask('/x')
  const statuses: number[] = []
  for (const [tag, date] of [
    ['"v2"', modified],
    ['"v1"', clock.httpDate(-5000)],
  ] as const) {
    statuses.push((await site.ask('/x', { 'If-None-Match': tag, 'If-Modified-Since': date })).status)
  }
  expect(statuses).toEqual([200, 304])
})

scenario('TAG-09', 'If-Modified-Since: the three formats, nothing else, and not exactness', async ({ serve }) => {
  const site = await serve({
    routes: { '/x': plain('page', { ...fresh10, 'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT' }) },
  })
  await site.ask('/x')
  const known = [
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
    'Mon, 07 Nov 1994 08:49:37 GMT',
  ]
  for (const date of known) expect((await site.ask('/x', { 'If-Modified-Since': date })).status, date).toBe(304)
  const older = ['Sun, 06 Nov 1994 08:49:36 GMT', '1994-11-07', 'Mon, 07 Nov 1994 08:49:37 UTC', '7']
  for (const date of older) expect((await site.ask('/x', { 'If-Modified-Since': date })).status, date).toBe(200)
})

scenario(
  'TAG-10',
  'without a Last-Modified the Date is what If-Modified-Since is held against',
  async ({ serve, clock }) => {
    const site = await serve({ routes: { '/x': plain('page', cacheControl('max-age=100')) } })
    expect((await site.ask('/x')).cacheStatus).toBe(STORED)
    const storedAt = clock.httpDate()
    const earlier = clock.httpDate(-1)
    clock.advance(5)
    expect((await site.ask('/x', { 'If-Modified-Since': storedAt })).status).toBe(304)
    expect((await site.ask('/x', { 'If-Modified-Since': earlier })).status).toBe(200)
  },
)

scenario('TAG-11', 'a condition is for a 200: a stored 404 is sent whole', async ({ serve }) => {
  const site = await serve({ routes: { '/x': plain('none', { ...fresh10, etag: '"v1"' }, 404) } })
  await site.ask('/x')
  expect(await site.ask('/x', { 'If-None-Match': '"v1"' })).toMatchObject({ status: 404, text: 'none' })
})

scenario('TAG-12', 'HEAD is answered 304 likewise, and HEAD shows the made ETag', async ({ serve }) => {
  const site = await serve({ routes: { '/x': plain('page', fresh10) } })
  await site.ask('/x')
  const head = await site.ask('HEAD /x')
  expect(head.headers['etag']).toMatch(STRONG)
  expect(await site.ask('HEAD /x', { 'If-None-Match': head.headers['etag']! })).toMatchObject({ status: 304, text: '' })
  expect((await site.ask('/x')).headers['etag']).toBe(head.headers['etag'])
})
