import { expect } from 'vitest'
import { hit, numbered, STALE } from '../../support/cache-status.ts'
import { cacheControl } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'

const stale = { text: 'render 1', warning: STALE, cacheStatus: hit(-1) }
const rendered = { text: 'render 2', warning: undefined }

scenario(
  'WINDOW-01',
  'stale-while-revalidate of the response opens a window, and closes it',
  async ({ serve, clock }) => {
    const swr = cacheControl('max-age=10, stale-while-revalidate=30')
    const site = await serve({ routes: { '/in': numbered(swr), '/out': numbered(swr) } })
    await site.ask('/in')
    await site.ask('/out')
    clock.advance(11)
    expect(await site.ask('/in')).toMatchObject(stale)
    clock.advance(29)
    expect(await site.ask('/out')).toMatchObject({ ...rendered, cacheStatus: 'cacheback; fwd=stale; stored' })
  },
)

scenario('WINDOW-02', 'the options open one where the response is silent', async ({ serve, clock }) => {
  const site = await serve({
    options: { staleWhileRevalidate: 30 },
    routes: {
      '/silent': numbered(cacheControl('max-age=10')),
      '/zero': numbered(cacheControl('max-age=10, stale-while-revalidate=0')),
      '/short': numbered(cacheControl('max-age=10, stale-while-revalidate=5')),
    },
  })
  for (const path of ['/silent', '/zero', '/short']) await site.ask(path)
  clock.advance(11)
  expect(await site.ask('/silent')).toMatchObject(stale)
  expect(await site.ask('/zero')).toMatchObject(rendered)
  clock.advance(5)
  expect(await site.ask('/short')).toMatchObject(rendered)
})

scenario('WINDOW-03', 'must-revalidate and proxy-revalidate close every window', async ({ serve, clock }) => {
  const directives = ['must-revalidate', 'proxy-revalidate']
  const site = await serve({
    options: { staleWhileRevalidate: 30, staleIfError: 30 },
    routes: Object.fromEntries(
      directives.flatMap((directive) => [
        [`/${directive}`, numbered(cacheControl(`max-age=10, ${directive}`))],
        [`/${directive}/explicit`, numbered(cacheControl(`max-age=10, ${directive}, stale-while-revalidate=30`))],
      ]),
    ),
  })
  const paths = directives.flatMap((directive) => [`/${directive}`, `/${directive}/explicit`])
  for (const path of paths) await site.ask(path)
  for (const path of paths) expect((await site.ask(path)).cacheStatus, path).toBe(hit(10))
  clock.advance(11)
  for (const path of paths) expect(await site.ask(path), path).toMatchObject(rendered)
})

scenario('WINDOW-04', 's-maxage closes the configured window and honours an explicit one', async ({ serve, clock }) => {
  const site = await serve({
    options: { staleWhileRevalidate: 30 },
    routes: {
      '/configured': numbered(cacheControl('s-maxage=10')),
      '/explicit': numbered(cacheControl('s-maxage=10, stale-while-revalidate=30')),
    },
  })
  await site.ask('/configured')
  await site.ask('/explicit')
  clock.advance(11)
  expect(await site.ask('/configured')).toMatchObject(rendered)
  expect(await site.ask('/explicit')).toMatchObject(stale)
})

scenario('WINDOW-05', 'stale at birth is still usable', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/aged': numbered({ 'cache-control': 'max-age=30, stale-while-revalidate=30', age: '40' }),
      '/zero': numbered(cacheControl('max-age=0, stale-while-revalidate=30')),
    },
  })
  await site.ask('/aged')
  expect(await site.ask('/aged')).toMatchObject({ text: 'render 1', age: 40, warning: STALE, cacheStatus: hit(-10) })
  await site.ask('/zero')
  // A negative ttl means stale (RFC 9211 §2.4): 0 would not do.
  expect(await site.ask('/zero')).toMatchObject({ text: 'render 1', age: 0, warning: STALE, cacheStatus: hit(-1) })
})

scenario('WINDOW-06', 'a lifetime ends exactly when its seconds are over', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': numbered(cacheControl('max-age=10')) } })
  await site.ask('/x')
  clock.advance(9.999)
  expect(await site.ask('/x')).toMatchObject({ text: 'render 1', age: 9 })
  clock.advance(0.001)
  expect((await site.ask('/x')).text).toBe('render 2')
})

scenario('WINDOW-07', 'without a window nothing stale is ever served', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': numbered(cacheControl('max-age=10')) } })
  await site.ask('/x')
  clock.advance(11)
  expect(await site.ask('/x')).toMatchObject({ ...rendered, cacheStatus: 'cacheback; fwd=stale; stored' })
})

scenario('WINDOW-08', 'fractions of a second are lifetimes too', async ({ serve, clock }) => {
  const site = await serve({ options: { maxAge: 0.5, staleWhileRevalidate: 0.5 }, routes: { '/x': numbered({}) } })
  await site.ask('/x')
  clock.advance(0.4)
  expect(await site.ask('/x')).toMatchObject({ text: 'render 1', warning: undefined, age: 0 })
  clock.advance(0.2)
  expect(await site.ask('/x')).toMatchObject({ text: 'render 1', warning: STALE })
})
