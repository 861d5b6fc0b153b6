import { expect } from 'vitest'
import { bypass, hit, numbered, STORED, unstored } from '../../support/cache-status.ts'
import type { Exchange } from '../../support/app.ts'
import { fresh10, text } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'

const echoCookie = {
  '/x': ({ n, headers }: Exchange) => text(`${n} ${headers.cookie ?? 'none'}`, fresh10),
}

scenario(
  'COOKIE-01',
  'by default a request with a Cookie goes to the handler and leaves nothing behind',
  async ({ serve }) => {
    const site = await serve({ routes: echoCookie })
    expect(await site.ask('/x', { Cookie: 'sid=alice' })).toMatchObject({
      text: '1 sid=alice',
      cacheStatus: bypass('cookie'),
    })
    expect(await site.ask('/x')).toMatchObject({ text: '2 none', cacheStatus: STORED })
    expect((await site.ask('/x', { Cookie: 'sid=bob' })).text).toBe('3 sid=bob')
    expect(await site.ask('/x')).toMatchObject({ text: '2 none', cacheStatus: hit(10) })
  },
)

scenario('COOKIE-02', "under 'ignore' cookies are hidden from what is stored, and share it", async ({ serve }) => {
  const site = await serve({ options: { cookies: 'ignore' }, routes: echoCookie })
  expect(await site.ask('/x', { Cookie: 'sid=alice' })).toMatchObject({ text: '1 none', cacheStatus: STORED })
  expect(await site.ask('/x', { Cookie: 'sid=bob' })).toMatchObject({ text: '1 none', cacheStatus: hit(10) })
  expect((await site.ask('/x')).text).toBe('1 none')
})

scenario('COOKIE-03', 'with { bypass } only the named cookies bypass', async ({ serve }) => {
  const site = await serve({ options: { cookies: { bypass: ['sid'] } }, routes: echoCookie })
  expect(await site.ask('/x', { Cookie: '_ga=1; sid=alice' })).toMatchObject({
    text: '1 _ga=1; sid=alice',
    cacheStatus: bypass('cookie'),
  })
  expect((await site.ask('/x', { Cookie: '_ga=1' })).text).toBe('2 none')
  expect((await site.ask('/x', { Cookie: '_ga=2' })).text).toBe('2 none')
  expect((await site.ask('/x', { Cookie: 'xsid=2; sidx=3' })).text).toBe('2 none')
  expect((await site.ask('/x', { Cookie: ['_ga=1', 'sid=alice'] })).cacheStatus).toBe(bypass('cookie'))
})

scenario('COOKIE-04', 'with { key } the named cookies select, and the handler sees those alone', async ({ serve }) => {
  const site = await serve({ options: { cookies: { key: ['lang'] } }, routes: echoCookie })
  expect((await site.ask('/x', { Cookie: 'sid=alice; lang=de' })).text).toBe('1 lang=de')
  expect((await site.ask('/x', { Cookie: 'lang=de' })).text).toBe('1 lang=de')
  expect((await site.ask('/x', { Cookie: 'lang=en; sid=bob' })).text).toBe('2 lang=en')
  expect((await site.ask('/x')).text).toBe('3 none')
  expect((await site.ask('/x', { Cookie: 'sid=carol' })).text).toBe('3 none')
  expect((await site.ask('/x', { Cookie: 'lang=' })).text).toBe('4 lang=')
})

scenario('COOKIE-05', 'keyed cookie values appear nowhere but before the handler', async ({ serve }) => {
  const site = await serve({
    options: { cookies: { key: ['lang'] }, cacheStatus: { key: true } },
    routes: { '/x': numbered() },
  })
  const keys: string[] = []
  site.cache.on('store', ({ key }) => keys.push(key))
  const got = await site.ask('/x', { Cookie: 'lang=secretvalue' })
  expect(keys).toHaveLength(1)
  const inspected = await site.cache.inspect('http://example.test/x')
  const told = JSON.stringify([got.rawHeaders, keys, inspected, site.cache.stats()])
  expect(told).not.toContain('secretvalue')
})

scenario(
  'COOKIE-06',
  'Vary: Cookie is stored where the rule keeps cookies apart, and only there',
  async ({ serve }) => {
    const routes = {
      '/bypass': numbered({ 'cache-control': 'max-age=10', vary: 'Cookie' }),
      '/ignore': {
        cacheback: { cookies: 'ignore' as const },
        answer: numbered({ 'cache-control': 'max-age=10', vary: 'Cookie' }),
      },
      '/names': {
        cacheback: { cookies: { bypass: ['sid'] } },
        answer: numbered({ 'cache-control': 'max-age=10', vary: 'Cookie' }),
      },
      '/key': {
        cacheback: { cookies: { key: ['lang'] } },
        answer: numbered({ 'cache-control': 'max-age=10', vary: 'Cookie' }),
      },
    }
    const site = await serve({ routes })
    expect((await site.ask('/bypass')).cacheStatus).toBe(STORED)
    expect((await site.ask('/bypass')).text).toBe('render 1')
    expect((await site.ask('/ignore')).cacheStatus).toBe(unstored('vary-cookie'))
    expect((await site.ask('/names')).cacheStatus).toBe(unstored('vary-cookie'))
    expect((await site.ask('/key', { Cookie: 'lang=de' })).text).toBe('render 1')
    expect((await site.ask('/key', { Cookie: 'lang=de; other=1' })).text).toBe('render 1')
    expect((await site.ask('/key', { Cookie: 'lang=en' })).text).toBe('render 2')
  },
)

scenario('COOKIE-07', 'a Set-Cookie is never stored, whatever else the response says', async ({ serve }) => {
  const headers = { 'cache-control': 'public, max-age=60, s-maxage=60', 'set-cookie': 'sid=1' }
  const site = await serve({ routes: { '/x': numbered(headers) } })
  expect(await site.ask('/x')).toMatchObject({ cacheStatus: unstored('set-cookie') })
  const second = await site.ask('/x')
  expect(second.text).toBe('render 2')
  expect(second.headers['set-cookie']).toBe('sid=1')
})
