import { expect } from 'vitest'
import { hit, STORED } from '../../support/cache-status.ts'
import { chunks, fresh10, text } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'

const ignoring = { cookies: 'ignore' } as const

scenario(
  'DETACH-01',
  'a fill that hides something comes from 192.0.2.1 with nothing of the visitor',
  async ({ serve }) => {
    const site = await serve({ options: ignoring, routes: { '/x': ({ n }) => text(`render ${n}`, fresh10) } })
    const headers = { Cookie: 'sid=alice', 'User-Agent': 'curl', 'Accept-Language': 'de', 'X-Visitor': 'alice' }
    expect(await site.ask('/x?a=1', headers)).toMatchObject({ text: 'render 1', cacheStatus: STORED })
    const seen = site.seen()[0]!
    expect(seen).toMatchObject({ method: 'GET', url: '/x?a=1', remoteAddress: '192.0.2.1', visitor: undefined })
    expect(seen.headers).toMatchObject({ host: 'example.test', accept: '*/*' })
    expect(seen.headers['user-agent']).toMatch(/^cacheback\//)
    expect(seen.headers['cookie']).toBeUndefined()
    expect(seen.headers['accept-language']).toBeUndefined()
  },
)

scenario('DETACH-02', "a fill that hides nothing is the visitor's own request", async ({ serve }) => {
  const site = await serve({ options: ignoring, routes: { '/x': ({ n }) => text(`render ${n}`, fresh10) } })
  await site.ask('/x', { 'User-Agent': 'curl', 'X-Visitor': 'alice' })
  expect(site.seen()[0]).toMatchObject({ remoteAddress: '127.0.0.1', visitor: 'alice' })
  expect(site.seen()[0]!.headers['user-agent']).toBe('curl')
})

scenario(
  'DETACH-03',
  "if its head may not be stored, the visitor's own request goes to the handler",
  async ({ serve }) => {
    const site = await serve({
      options: ignoring,
      routes: {
        '/x': ({ n, headers }) =>
          text(`${n} for ${headers.cookie}`, { 'cache-control': 'private', 'set-cookie': `render=${n}` }),
      },
    })
    const alice = await site.ask('/x', { Cookie: 'sid=alice' })
    expect(alice).toMatchObject({ status: 200, text: '2 for sid=alice' })
    // The cookie of the render that was thrown away reaches nobody.
    expect(alice.headers['set-cookie']).toBe('render=2')
    expect(site.seen().map(({ headers }) => headers.cookie)).toEqual([undefined, 'sid=alice'])
  },
)

scenario('DETACH-04', 'hit-for-miss remembers it: the app is entered once from then on', async ({ serve }) => {
  const site = await serve({
    options: ignoring,
    routes: { '/x': ({ n, headers }) => text(`${n} for ${headers.cookie}`, { 'cache-control': 'private' }) },
  })
  await site.ask('/x', { Cookie: 'sid=alice' })
  expect((await site.ask('/x', { Cookie: 'sid=bob' })).text).toBe('3 for sid=bob')
  expect((await site.ask('/x', { Cookie: 'sid=carol' })).text).toBe('4 for sid=carol')
})

scenario(
  'DETACH-05',
  'a Set-Cookie of a detached render never reaches a visitor, nor does what it belongs to',
  async ({ serve }) => {
    const site = await serve({
      options: { query: ['page'] },
      routes: { '/x': ({ n, url }) => text(`${n} ${url}`, { ...fresh10, 'set-cookie': `render=${n}` }) },
    })
    for (const [utm, n] of [
      ['a', 2],
      ['b', 3],
    ] as const) {
      const got = await site.ask(`/x?utm=${utm}`)
      expect(got).toMatchObject({ text: `${n} /x?utm=${utm}`, headers: { 'set-cookie': `render=${n}` } })
    }
  },
)

scenario(
  'DETACH-06',
  'sealed: every render that may be stored sees what the key covers, and nothing else',
  async ({ serve }) => {
    const site = await serve({
      options: { sealed: true, vary: ['Accept-Language'] },
      routes: { '/x': ({ n }) => text(`render ${n}`, fresh10) },
    })
    const headers = {
      'Accept-Language': 'de',
      Accept: 'text/x-component',
      RSC: '1',
      'X-Middleware-Prefetch': '1',
      Origin: 'https://evil.test',
      'User-Agent': 'evil',
      Referer: 'evil',
      'X-Forwarded-Host': 'shop.test',
    }
    expect(await site.ask('/x', headers)).toMatchObject({ text: 'render 1', cacheStatus: STORED })
    const seen = site.seen()[0]!.headers
    expect(seen).toMatchObject({ host: 'example.test', 'accept-language': 'de', 'x-forwarded-host': 'shop.test' })
    expect(seen.accept).toBe('*/*')
    const foreign = ['rsc', 'x-middleware-prefetch', 'origin', 'referer']
    expect(foreign.filter((name) => name in seen)).toEqual([])
    expect(seen['user-agent']).not.toBe('evil')
  },
)

scenario('DETACH-07', 'sealed: what is not storable is answered for the visitor himself', async ({ serve }) => {
  const site = await serve({
    options: { sealed: true },
    routes: { '/x': ({ n, headers }) => text(`${n} ${headers['user-agent']}`, { 'cache-control': 'no-store' }) },
  })
  expect((await site.ask('/x', { 'User-Agent': 'curl' })).text).toBe('2 curl')
  expect((await site.ask('/x', { 'User-Agent': 'wget' })).text).toBe('3 wget')
})

scenario('DETACH-08', 'sealed: a request with Authorization goes to the handler', async ({ serve }) => {
  const site = await serve({
    options: { sealed: true },
    routes: {
      '/x': ({ n, headers }) => text(`${n} ${headers.authorization}`, { 'cache-control': 'public, max-age=10' }),
    },
  })
  const got = await site.ask('/x', { Authorization: 'Basic YTpi' })
  expect(got.text).toBe('1 Basic YTpi')
  expect(got.cacheStatus).toContain('detail=authorization')
  expect((await site.ask('/x')).text).toBe('2 undefined')
})

scenario('DETACH-09', 'a detached fill streams to its visitor', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    options: ignoring,
    routes: {
      '/x': () =>
        chunks(
          async function* () {
            yield 'first '
            await hold()
            yield 'last'
          },
          { ...fresh10, 'content-type': 'text/plain' },
        ),
    },
  })
  const visit = site.visit('/x', { Cookie: 'a=1' })
  expect(await visit.first).toBe('first ')
  hold.open()
  expect(await visit.done).toMatchObject({ text: 'first last', complete: true })
  await site.cache.idle()
  expect(await site.ask('/x')).toMatchObject({ text: 'first last', cacheStatus: hit(10) })
})

scenario('DETACH-10', 'detached fills collapse', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    options: { query: ['page'] },
    routes: {
      '/x': async ({ n }) => {
        await hold()
        return text(`render ${n}`, fresh10)
      },
    },
  })
  const visits = Array.from({ length: 20 }, (_, i) => site.visit(`/x?utm=${i}`).done)
  await site.arrived(20)
  await hold.reached()
  hold.open()
  for (const got of await Promise.all(visits)) expect(got).toMatchObject({ status: 200, text: 'render 1' })
  expect(site.renders()).toBe(1)
})

scenario(
  'DETACH-11',
  'the visitor of a detached fill leaves: whoever follows him still gets the page',
  async ({ serve, gate }) => {
    const hold = gate()
    const site = await serve({
      options: ignoring,
      routes: {
        '/x': async ({ n }) => {
          if (n === 1) await hold()
          return text('page', fresh10)
        },
      },
    })
    const leader = site.visit('/x', { Cookie: 'a=1' })
    await hold.reached()
    const follower = site.visit('/x', { Cookie: 'a=2' })
    await site.arrived(2)
    leader.abort()
    await leader.done
    hold.open()
    expect(await follower.done).toMatchObject({ status: 200, text: 'page' })
    expect(site.renders()).toBeLessThanOrEqual(2)
  },
)

scenario('DETACH-12', "a detached fill that throws gives way to the visitor's own request", async ({ serve }) => {
  const site = await serve({
    options: ignoring,
    routes: {
      '/x': ({ headers }) => {
        // An app that cannot live without its cookie.
        if (headers.cookie === undefined) throw new Error('no session')
        return text(`for ${headers.cookie}`, { 'cache-control': 'private' })
      },
    },
  })
  expect(await site.ask('/x', { Cookie: 'sid=alice' })).toMatchObject({ status: 200, text: 'for sid=alice' })
})

scenario(
  'DETACH-13',
  'behind a proxy a detached render keeps the peer, with 192.0.2.1 as the client',
  async ({ serve }) => {
    const site = await serve({ options: ignoring, routes: { '/x': text('page', fresh10) } })
    const proxied = { 'X-Forwarded-For': '203.0.113.9', 'X-Forwarded-Host': 'shop.test', 'X-Forwarded-Proto': 'https' }
    await site.ask('/x', { ...proxied, Cookie: 'a=1' })
    const seen = site.seen()[0]!
    expect(seen.remoteAddress).toMatch(/127\.0\.0\.1$/)
    expect(seen.headers).toMatchObject({
      'x-forwarded-for': '192.0.2.1',
      'x-forwarded-host': 'shop.test',
      'x-forwarded-proto': 'https',
    })
  },
)

scenario('DETACH-14', 'a redirect of a visitor with hidden parameters keeps them', async ({ serve }) => {
  const site = await serve({
    options: { query: ['page'] },
    routes: { '/old': ({ url }) => text('', { location: url.replace('/old', '/new') }, 302) },
  })
  const got = await site.ask('/old?page=1&utm=a')
  expect(got).toMatchObject({ status: 302, headers: { location: '/new?page=1&utm=a' } })
})
