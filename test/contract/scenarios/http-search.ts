import { expect } from 'vitest'
import { hit, STALE } from '../../support/cache-status.ts'
import { cacheControl, fresh10 } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'
import { plain } from './http-origin.ts'

const saying =
  (rule: string | readonly string[], control = 'max-age=10') =>
  ({ n }: { n: number }) =>
    plain(`render ${n}`, { ...cacheControl(control), 'no-vary-search': rule })
const options = { noVarySearch: true }

/** Rule, a stored query, queries that are the same, queries that are not. */
const rules: Record<string, readonly [title: string, rule: string, stored: string, same: string[], other: string[]]> = {
  'NVS-01': [
    'params names the parameters that do not matter',
    'params=("utm" "ref")',
    '?a=1&utm=2&b=3',
    ['?a=1&b=3', '?ref=9&a=1&utm=7&utm=8&b=3', '?utm&a=1&b=3', '?a=1&b=3&%75tm=2'],
    ['?a=1', '?b=3&a=1', '?a=1&b=3&c=4', '?a=1&b=3&UTM=1', '?a=2&b=3'],
  ],
  'NVS-02': [
    'except names those that do',
    'except=("page")',
    '?page=2&utm=1',
    ['?page=2', '?x=1&page=2&y', '?utm=5&page=2', '?p%61ge=2'],
    ['?page=1', '', '?page=2&page=2', '?Page=2'],
  ],
  'NVS-03': ['an empty except: none matters', 'except=()', '?a=1', ['', '?', '?b=2&c', '?a=1'], []],
  'NVS-04': [
    'key-order: the order of names does not matter, that of equal names does',
    'key-order',
    '?b=1&a=2&a=3',
    ['?a=2&a=3&b=1', '?a=2&b=1&a=3'],
    ['?a=3&a=2&b=1', '?a=2&b=1', '?b=1&a=2&a=3&c'],
  ],
  'NVS-05': [
    'both together',
    'key-order, params=("utm")',
    '?b=1&utm=1&a=2',
    ['?a=2&b=1', '?utm=3&a=2&utm=4&b=1'],
    ['?a=2', '?a=2&b=1&ref=1'],
  ],
}

for (const [id, [title, rule, stored, same, other]] of Object.entries(rules)) {
  scenario(id, `No-Vary-Search: ${title}`, async ({ serve }) => {
    const site = await serve({ options, routes: { '/x': saying(rule) } })
    await site.ask(`/x${stored}`)
    for (const query of same) {
      const got = await site.ask(`/x${query}`)
      expect(got, `same ${query}`).toMatchObject({ text: 'render 1', cacheStatus: hit(10) })
    }
    for (const query of other) expect((await site.ask(`/x${query}`)).text, query).not.toBe('render 1')
    expect((await site.ask(`/x${stored}`)).text).toBe('render 1')
  })
}

const invalid = [
  'params',
  'params=?1',
  'params="utm"',
  'params=("utm" 1)',
  'params=(utm)',
  'except',
  'params=("utm"), except=("a")',
  'params=("utm',
  'key-order="yes", params=("utm")',
  'PARAMS=("utm")',
  'params=("utm"),',
  '',
]

scenario('NVS-06', 'an invalid No-Vary-Search says nothing: every difference matters', async ({ serve }) => {
  const site = await serve({
    options,
    routes: Object.fromEntries(invalid.map((rule, i) => [`/${i}`, saying(rule)])),
  })
  for (const [i, rule] of invalid.entries()) {
    await site.ask(`/${i}?utm=1`)
    expect((await site.ask(`/${i}?utm=2`)).text, rule).toBe('render 2')
    expect((await site.ask(`/${i}?utm=1`)).cacheStatus, rule).toBe(hit(10))
  }
})

scenario('NVS-07', 'it is off by default, and passed on either way', async ({ serve }) => {
  const site = await serve({ routes: { '/x': saying('params=("utm")') } })
  await site.ask('/x?utm=1')
  const got = await site.ask('/x?utm=2')
  expect(got).toMatchObject({ text: 'render 2', headers: { 'no-vary-search': 'params=("utm")' } })
})

scenario('NVS-08', 'a purge by any of its URLs removes the page', async ({ serve }) => {
  const site = await serve({ options, routes: { '/x': saying('params=("utm")') } })
  for (const [n, url] of ['/x?utm=1&a=1', '/x?a=1', '/x?a=1&utm=5', 'http://example.test/x?a=1'].entries()) {
    await site.ask('/x?a=1&utm=2')
    await site.cache.purge({ url: '/x?a=2' })
    expect((await site.ask('/x?a=1')).cacheStatus, url).toBe(hit(10))
    await site.cache.purge({ url })
    expect((await site.ask('/x?a=1&utm=3')).text, url).toBe(`render ${n + 2}`)
  }
})

scenario('NVS-09', 'an unsafe request to any of its URLs invalidates the page', async ({ serve }) => {
  const site = await serve({
    options,
    routes: { '/x': { methods: ['GET', 'POST'], answer: saying('params=("utm")') } },
  })
  await site.ask('/x?a=1&utm=1')
  await site.ask('POST /x?utm=2&a=1')
  expect((await site.ask('/x?a=1')).text).toBe('render 3')
})

scenario('NVS-10', 'a refresh asks with the query of the visitor, and serves all of them', async ({ serve, clock }) => {
  const site = await serve({
    options,
    routes: { '/x': saying('params=("utm")', 'max-age=10, stale-while-revalidate=60') },
  })
  await site.ask('/x?utm=1')
  clock.advance(11)
  expect(await site.ask('/x?utm=2')).toMatchObject({ text: 'render 1', warning: STALE })
  for (const query of ['', '?utm=1', '?utm=2', '?utm=3']) {
    expect(await site.ask(`/x${query}`), query).toMatchObject({ text: 'render 2', cacheStatus: hit(10) })
  }
})

scenario('NVS-11', 'variants by Vary and by search are kept apart', async ({ serve }) => {
  const site = await serve({
    options,
    routes: {
      '/x': ({ headers }) =>
        plain(`in ${headers['accept-language']}`, {
          ...fresh10,
          vary: 'Accept-Language',
          'no-vary-search': 'params=("utm")',
        }),
    },
  })
  for (const language of ['de', 'fr']) await site.ask('/x?utm=1', { 'Accept-Language': language })
  for (const language of ['de', 'fr']) {
    const got = await site.ask('/x?utm=2', { 'Accept-Language': language })
    expect(got).toMatchObject({ text: `in ${language}`, cacheStatus: hit(10) })
  }
})

scenario('NVS-12', 'a page of the same path that does not say so is found again by its own URL', async ({ serve }) => {
  const site = await serve({
    options,
    routes: {
      '/x': ({ n, url }) => (url.includes('own') ? plain(`render ${n}`, fresh10) : saying('params=("utm")')({ n })),
    },
  })
  await site.ask('/x?utm=1')
  await site.ask('/x?own&utm=1')
  expect(await site.ask('/x?own&utm=1')).toMatchObject({ text: 'render 2', cacheStatus: hit(10) })
  expect((await site.ask('/x?own&utm=2')).text).toBe('render 3')
})
