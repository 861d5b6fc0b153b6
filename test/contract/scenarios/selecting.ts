import { expect } from 'vitest'
import { bypass, hit, numbered, STORED, unstored } from '../../support/cache-status.ts'
import { text } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'

const language = (n: number, accepted: string | undefined) =>
  text(`${n} ${accepted}`, { 'cache-control': 'max-age=10', vary: 'Accept-Language' })

scenario('VARY-01', "variants by the response's own Vary live side by side", async ({ serve }) => {
  const site = await serve({ routes: { '/x': ({ n, headers }) => language(n, headers['accept-language']) } })
  expect(await site.ask('/x', { 'Accept-Language': 'de' })).toMatchObject({ text: '1 de', cacheStatus: STORED })
  const second = await site.ask('/x', { 'Accept-Language': 'en' })
  expect(second).toMatchObject({ text: '2 en', cacheStatus: 'cacheback; fwd=vary-miss; stored' })
  expect((await site.ask('/x', { 'Accept-Language': 'fr' })).text).toBe('3 fr')
  for (const [tag, n] of [
    ['de', 1],
    ['en', 2],
    ['fr', 3],
  ] as const) {
    expect(await site.ask('/x', { 'Accept-Language': tag })).toMatchObject({
      text: `${n} ${tag}`,
      cacheStatus: hit(10),
    })
  }
})

scenario('VARY-02', 'an absent and an empty selecting header are two variants', async ({ serve }) => {
  const site = await serve({ routes: { '/x': ({ n, headers }) => language(n, headers['accept-language']) } })
  expect((await site.ask('/x')).text).toBe('1 undefined')
  expect((await site.ask('/x', { 'Accept-Language': '' })).text).toBe('2 ')
  expect((await site.ask('/x')).text).toBe('1 undefined')
  expect((await site.ask('/x', { 'Accept-Language': '' })).text).toBe('2 ')
})

scenario('VARY-03', 'configured selecting headers are always part of the key', async ({ serve }) => {
  const site = await serve({ options: { vary: ['X-Device'] }, routes: { '/x': numbered() } })
  expect((await site.ask('/x', { 'x-device': 'phone' })).text).toBe('render 1')
  expect((await site.ask('/x', { 'x-device': 'desk' })).text).toBe('render 2')
  expect((await site.ask('/x')).text).toBe('render 3')
  expect((await site.ask('/x', { 'x-device': '' })).text).toBe('render 4')
  expect(await site.ask('/x', { 'X-Device': 'phone' })).toMatchObject({ text: 'render 1', cacheStatus: hit(10) })
})

scenario('VARY-04', 'Vary: * is never stored, however it is spelled', async ({ serve }) => {
  const spellings = ['*', '*, Accept', 'Accept, *', ', *', '*,*', ['Accept', '*'], ' * ']
  const site = await serve({
    routes: {
      '/:i': ({ n, params }) =>
        text(`render ${n}`, { 'cache-control': 'max-age=10', vary: spellings[Number(params['i'])]! }),
    },
  })
  for (const [i, spelling] of spellings.entries()) {
    expect((await site.ask(`/${i}`)).cacheStatus, String(spelling)).toBe(unstored('vary-any'))
    expect((await site.ask(`/${i}`)).text, String(spelling)).toBe(`render ${2 * i + 2}`)
  }
})

scenario('VARY-05', 'a Vary that is no list of names is not stored', async ({ serve }) => {
  const broken = ['foo bar', 'foo;q=1', '"foo"', 'foo, b@r', 'Accept Encoding']
  const site = await serve({
    routes: {
      '/:i': ({ n, params }) =>
        text(`render ${n}`, { 'cache-control': 'max-age=10', vary: broken[Number(params['i'])]! }),
    },
  })
  for (const [i, spelling] of broken.entries()) {
    expect((await site.ask(`/${i}`)).cacheStatus, spelling).toBe(unstored('vary-invalid'))
  }
})

scenario('VARY-06', 'several Vary lines count together', async ({ serve }) => {
  const vary = ['X-A', 'X-B']
  const site = await serve({ routes: { '/x': numbered({ 'cache-control': 'max-age=10', vary }) } })
  const asks = [
    { 'X-A': '1', 'X-B': '1' },
    { 'X-A': '1', 'X-B': '2' },
    { 'X-A': '2', 'X-B': '1' },
  ] as const
  for (const [i, headers] of asks.entries()) expect((await site.ask('/x', headers)).text).toBe(`render ${i + 1}`)
  for (const [i, headers] of asks.entries()) expect((await site.ask('/x', headers)).text).toBe(`render ${i + 1}`)
})

scenario('VARY-07', 'responses of one URL may name different selecting headers', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/x': ({ n, headers }) =>
        text(`render ${n}`, { 'cache-control': 'max-age=10', vary: headers['x-a'] === '1' ? 'X-A' : 'X-A, X-B' }),
    },
  })
  expect((await site.ask('/x', { 'X-A': '1' })).text).toBe('render 1')
  expect((await site.ask('/x', { 'X-A': '2', 'X-B': 'x' })).text).toBe('render 2')
  expect((await site.ask('/x', { 'X-A': '2', 'X-B': 'y' })).text).toBe('render 3')
  expect((await site.ask('/x', { 'X-A': '1' })).text).toBe('render 1')
  expect((await site.ask('/x', { 'X-A': '2', 'X-B': 'x' })).text).toBe('render 2')
  expect((await site.ask('/x', { 'X-A': '2', 'X-B': 'y' })).text).toBe('render 3')
})

scenario('VARY-08', 'a newer response without Vary answers every request', async ({ serve, clock }) => {
  const site = await serve({
    routes: {
      '/x': ({ n, headers }) =>
        n <= 2 ? language(n, headers['accept-language']) : text(`${n} all`, { 'cache-control': 'max-age=10' }),
    },
  })
  await site.ask('/x', { 'Accept-Language': 'de' })
  await site.ask('/x', { 'Accept-Language': 'en' })
  clock.advance(11)
  expect((await site.ask('/x', { 'Accept-Language': 'de' })).text).toBe('3 all')
  expect(await site.ask('/x', { 'Accept-Language': 'en' })).toMatchObject({ text: '3 all', cacheStatus: hit(10) })
  expect((await site.ask('/x')).text).toBe('3 all')
})

scenario('VARY-09', 'repeated lines of a selecting header are all in the key', async ({ serve }) => {
  const site = await serve({ options: { vary: ['x-a'] }, routes: { '/x': numbered() } })
  expect((await site.ask('/x', { 'X-A': ['1', '2'] })).text).toBe('render 1')
  expect((await site.ask('/x', { 'X-A': '1' })).text).toBe('render 2')
  expect((await site.ask('/x', { 'X-A': '2' })).text).toBe('render 3')
  expect((await site.ask('/x', { 'X-A': ['2', '1'] })).text).toBe('render 4')
  expect((await site.ask('/x', { 'X-A': ['1', '2'] })).text).toBe('render 1')
})

scenario(
  'VARY-10',
  'a selecting value over 1 KiB bypasses, and long values never share a response',
  async ({ serve }) => {
    const site = await serve({
      options: { vary: ['x-a'] },
      routes: {
        '/configured': numbered(),
        '/named': ({ n, headers }) =>
          text(`${n} ${String(headers['x-b']).at(-1)}`, { 'cache-control': 'max-age=10', vary: 'X-B' }),
      },
    })
    const long = 'x'.repeat(1400)
    expect((await site.ask('/configured', { 'X-A': long })).cacheStatus).toBe(bypass('selecting-length'))
    expect((await site.ask('/named', { 'X-B': `${long}a` })).text).toContain(' a')
    expect((await site.ask('/named', { 'X-B': `${long}b` })).text).toContain(' b')
    expect((await site.ask('/named', { 'X-B': `${long}a` })).text).toContain(' a')
  },
)

scenario('VARY-11', 'many variants stay bounded, and one purge removes them all', async ({ serve }) => {
  const site = await serve({ routes: { '/x': ({ n, headers }) => language(n, headers['accept-language']) } })
  for (let i = 0; i < 72; i++) {
    expect((await site.ask('/x', { 'Accept-Language': `v${i}` })).text).toBe(`${i + 1} v${i}`)
  }
  expect(await site.ask('/x', { 'Accept-Language': 'v71' })).toMatchObject({ text: '72 v71', cacheStatus: hit(10) })
  await site.cache.purge({ url: '/x' })
  const before = site.renders()
  for (let i = 0; i < 72; i += 10) await site.ask('/x', { 'Accept-Language': `v${i}` })
  expect(site.renders()).toBe(before + 8)
})

scenario('VARY-12', 'Vary on a credential is not stored', async ({ serve }) => {
  const names = ['Authorization', 'X-Api-Key']
  const site = await serve({
    routes: {
      '/:i': ({ n, params }) => text(`${n}`, { 'cache-control': 'max-age=10', vary: names[Number(params['i'])]! }),
    },
  })
  for (const i of names.keys()) expect((await site.ask(`/${i}`)).cacheStatus).toBe(unstored('vary-credential'))
})

scenario('VARY-13', 'variants under a newer Vary do not hide each other when they expire', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': ({ n, headers }) => language(n, headers['accept-language']) } })
  await site.ask('/x', { 'Accept-Language': 'de' })
  clock.advance(6)
  await site.ask('/x', { 'Accept-Language': 'en' })
  clock.advance(6)
  expect((await site.ask('/x', { 'Accept-Language': 'en' })).text).toBe('2 en')
  const renewed = await site.ask('/x', { 'Accept-Language': 'de' })
  expect(renewed).toMatchObject({ text: '3 de', cacheStatus: 'cacheback; fwd=stale; stored' })
  expect((await site.ask('/x', { 'Accept-Language': 'en' })).text).toBe('2 en')
})
