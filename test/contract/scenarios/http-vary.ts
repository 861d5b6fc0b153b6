import { expect } from 'vitest'
import { hit, STORED } from '../../support/cache-status.ts'
import { fresh10 } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'
import { plain } from './http-origin.ts'

scenario('VARY-40', 'white space and empty members of a selecting list are nothing', async ({ serve }) => {
  const site = await serve({ routes: { '/x': ({ n }) => plain(`render ${n}`, { ...fresh10, vary: 'X-List' }) } })
  await site.ask('/x', { 'X-List': 'a, b' })
  for (const value of ['a,b', 'a ,\tb', 'a,,b', ' a,  b ', 'a, b,']) {
    expect(await site.ask('/x', { 'X-List': value }), value).toMatchObject({ text: 'render 1', cacheStatus: hit(10) })
  }
  expect((await site.ask('/x', { 'X-List': ['a', 'b'] })).text).toBe('render 1')
  for (const value of ['b, a', 'A, b', 'a b', 'a, b, c', '', '"a, b"', '"a,b"']) {
    expect((await site.ask('/x', { 'X-List': value })).cacheStatus, value).toBe('cacheback; fwd=vary-miss; stored')
  }
})

scenario('VARY-41', 'languages have no case, other values have', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/language': ({ n }) => plain(`render ${n}`, { ...fresh10, vary: 'Accept-Language' }),
      '/other': ({ n }) => plain(`render ${n}`, { ...fresh10, vary: 'X-Other' }),
    },
  })
  await site.ask('/language', { 'Accept-Language': 'de-DE, en;q=0.5' })
  expect((await site.ask('/language', { 'Accept-Language': 'DE-de,EN;q=0.5' })).cacheStatus).toBe(hit(10))
  expect((await site.ask('/language', { 'Accept-Language': 'en;q=0.5, de-DE' })).text).toBe('render 2')
  await site.ask('/other', { 'X-Other': 'a' })
  expect((await site.ask('/other', { 'X-Other': 'A' })).text).toBe('render 2')
})

scenario('VARY-42', 'several lines of Vary are one list, in any order and case', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/x': ({ n }) => plain(`render ${n}`, { ...fresh10, vary: n % 2 === 1 ? ['X-A', ' x-B ,,'] : 'x-b,x-a' }),
    },
  })
  await site.ask('/x', { 'X-A': '1', 'X-B': '1' })
  expect((await site.ask('/x', { 'X-A': '1', 'X-B': '2' })).text).toBe('render 2')
  for (const [b, text] of [
    ['1', 'render 1'],
    ['2', 'render 2'],
  ] as const) {
    const got = await site.ask('/x', { 'X-B': b, 'X-A': '1' })
    expect(got).toMatchObject({ text, cacheStatus: hit(10) })
  }
})

scenario('VARY-43', 'a star anywhere in Vary is a response for nobody else', async ({ serve }) => {
  const values = ['*', '*, *', ', *', 'X-A, *', ['X-A', '*']]
  const site = await serve({
    routes: Object.fromEntries(values.map((vary, i) => [`/${i}`, plain('page', { ...fresh10, vary })])),
  })
  for (const [i, value] of values.entries()) {
    expect((await site.ask(`/${i}`)).cacheStatus, String(value)).toBe('cacheback; fwd=uri-miss; detail=vary-any')
    expect((await site.ask(`/${i}`)).cacheStatus, String(value)).not.toContain('hit')
  }
})

scenario(
  'VARY-44',
  'the 33rd variant of a URL drops the oldest',
  { stores: ['memory'], because: 'a store drops by lifetime' },
  async ({ serve }) => {
    const site = await serve({ routes: { '/x': ({ n }) => plain(`render ${n}`, { ...fresh10, vary: 'X-A' }) } })
    for (let i = 1; i <= 32; i++) await site.ask('/x', { 'X-A': `${i}` })
    expect(await site.ask('/x', { 'X-A': '1' })).toMatchObject({ text: 'render 1', cacheStatus: hit(10) })
    await site.ask('/x', { 'X-A': '33' })
    expect(site.cache.stats().memory.entries).toBe(32)
    for (const i of [2, 32, 33]) expect((await site.ask('/x', { 'X-A': `${i}` })).text, `${i}`).toBe(`render ${i}`)
    expect((await site.ask('/x', { 'X-A': '1' })).text).toBe('render 34')
  },
)

scenario('VARY-45', 'what a value over 1 KiB has selected is not stored, and does not say so', async ({ serve }) => {
  const site = await serve({ routes: { '/x': ({ n }) => plain(`render ${n}`, { ...fresh10, vary: 'X-A' }) } })
  const [fits, long] = ['a'.repeat(1024), 'a'.repeat(1025)]
  expect((await site.ask('/x', { 'X-A': fits })).cacheStatus).toBe(STORED)
  expect((await site.ask('/x', { 'X-A': fits })).text).toBe('render 1')
  const got = await site.ask('/x', { 'X-A': long })
  expect(got.text).toBe('render 2')
  expect((await site.ask('/x', { 'X-A': long })).text).toBe('render 3')
  expect(got.cacheStatus).toContain('detail=selecting-length')
  expect(got.cacheStatus).not.toContain('stored')
  // The others are not in its way.
  expect((await site.ask('/x', { 'X-A': fits })).cacheStatus).toBe(hit(10))
})

scenario('VARY-46', 'a long value of an option-named header bypasses', async ({ serve }) => {
  const site = await serve({
    options: { vary: ['X-A'] },
    routes: { '/x': ({ n }) => plain(`render ${n}`, fresh10) },
  })
  const long = { 'X-A': 'a'.repeat(1025) }
  expect((await site.ask('/x', long)).cacheStatus).toBe('cacheback; fwd=bypass; detail=selecting-length')
  expect((await site.ask('/x', long)).text).toBe('render 2')
})
