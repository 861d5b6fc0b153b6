import { Readable } from 'node:stream'
import { expect } from 'vitest'
import { hit, STALE, STALE_AFTER_FAILURE, STORED } from '../../support/cache-status.ts'
import { cacheControl, fail, raw, stream, text, type Reply } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'

const swr = cacheControl('max-age=10, stale-while-revalidate=600')

const breaking = (): Readable =>
  Readable.from(
    (async function* () {
      yield 'half'
      await new Promise(setImmediate)
      throw new Error('the database is gone')
    })(),
  )

const failures: Record<string, [title: string, reply: Reply]> = {
  'FAIL-01': ['that throws', fail()],
  'FAIL-02': ['with status 500', text('oops', {}, 500)],
  'FAIL-03': ['with status 503, even explicitly fresh', text('busy', cacheControl('max-age=60'), 503)],
  'FAIL-04': ['with status 408', text('late', {}, 408)],
  'FAIL-05': ['with status 429', text('too many', {}, 429)],
  'FAIL-06': ['whose body breaks off', stream(breaking, swr)],
  'FAIL-07': [
    'shorter than its Content-Length',
    raw((_req, res) => res.writeHead(200, { ...swr, 'Content-Length': '100' }).end('short')),
  ],
  'FAIL-08': [
    'that destroys its connection',
    raw((_req, res) => {
      res.writeHead(200, swr as Record<string, string>).write('half')
      res.destroy()
    }),
  ],
}

for (const [id, [title, reply]] of Object.entries(failures)) {
  scenario(id, `a refresh ${title} has failed: the old page stays, with Warning 111`, async ({ serve, clock }) => {
    const site = await serve({ routes: { '/x': ({ n }) => (n === 2 ? reply : text(`render ${n}`, swr)) } })
    await site.ask('/x')
    clock.advance(11)
    expect(await site.ask('/x')).toMatchObject({ text: 'render 1', warning: STALE })
    expect(await site.ask('/x')).toMatchObject({ text: 'render 1', warning: STALE_AFTER_FAILURE, cacheStatus: hit(-1) })
    expect(site.renders()).toBe(2)
    expect(site.cache.stats().events['refresh-failed']).toBe(1)
    clock.advance(2)
    await site.ask('/x')
    expect(await site.ask('/x')).toMatchObject({ text: 'render 3', warning: undefined })
  })
}

scenario('FAIL-09', 'after failures the tries grow apart, from one second to thirty', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': ({ n }) => (n === 1 ? text('old', swr) : fail()) } })
  await site.ask('/x')
  clock.advance(11)
  await site.ask('/x')
  expect(site.renders()).toBe(2)
  let renders = 2
  for (const wait of [1, 2, 4, 8, 16, 30, 30]) {
    clock.advance(wait * 0.7)
    await site.ask('/x')
    expect(site.renders(), `${wait} s: not yet`).toBe(renders)
    clock.advance(wait * 0.5)
    await site.ask('/x')
    expect(site.renders(), `${wait} s: now`).toBe(++renders)
  }
})

scenario('FAIL-10', 'a success ends the back-off', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': ({ n }) => ([2, 3, 5].includes(n) ? fail() : text(`render ${n}`, swr)) } })
  await site.ask('/x')
  clock.advance(11)
  for (const wait of [1.2, 2.4]) {
    await site.ask('/x')
    clock.advance(wait)
  }
  await site.ask('/x')
  expect((await site.ask('/x')).text).toBe('render 4')
  clock.advance(11)
  await site.ask('/x')
  clock.advance(1.2)
  await site.ask('/x')
  expect((await site.ask('/x')).text).toBe('render 6')
})

scenario('FAIL-11', 'a refresh that never reaches the cache has failed', async ({ serve, clock }) => {
  const statuses = [401, 404, 200]
  const site = await serve({
    // A guard before the cache that lets nobody in whom it does not know.
    outside: ({ req, answer }) => {
      if (req.socket.remoteAddress === '192.0.2.1') answer(statuses.shift() ?? 403, 'who are you?')
    },
    routes: { '/x': ({ n }) => text(`render ${n}`, swr) },
  })
  await site.ask('/x')
  for (let tries = 1; tries <= 3; tries++) {
    clock.advance(11)
    expect((await site.ask('/x')).text).toBe('render 1')
    expect(await site.ask('/x')).toMatchObject({ text: 'render 1', warning: STALE_AFTER_FAILURE })
    expect(site.cache.stats().events['refresh-failed']).toBe(tries)
  }
  expect(site.renders()).toBe(1)
})

scenario('FAIL-12', "one page's failure is not another's", async ({ serve, clock }) => {
  const site = await serve({
    routes: {
      '/x': ({ n }) => (n === 2 ? fail() : text(`render ${n}`, swr)),
      '/y': ({ n }) => text(`other ${n}`, swr),
    },
  })
  await site.ask('/x')
  await site.ask('/y')
  clock.advance(11)
  await site.ask('/x')
  await site.ask('/y')
  expect((await site.ask('/y')).text).toBe('other 2')
  expect((await site.ask('/x')).warning).toBe(STALE_AFTER_FAILURE)
})

const removals: Record<string, [title: string, reply: Reply]> = {
  'GONE-01': ['a 404', text('not here', {}, 404)],
  'GONE-02': ['a 410', text('gone', {}, 410)],
  'GONE-03': ['a redirect', text('', { location: '/elsewhere' }, 302)],
  'GONE-04': ['a 401', text('who are you?', {}, 401)],
  'GONE-05': ['a 403', text('not you', {}, 403)],
  'GONE-06': ['a private page', text('mine', cacheControl('private, max-age=60'))],
  'GONE-07': ['no-store', text('secret', cacheControl('no-store'))],
  'GONE-08': ['a Set-Cookie', text('hello', { ...swr, 'set-cookie': 'sid=1' })],
  'GONE-09': ['Vary: *', text('any', { ...swr, vary: '*' })],
}

for (const [id, [title, reply]] of Object.entries(removals)) {
  scenario(id, `a refresh that brings ${title} removes the old page`, async ({ serve, clock }) => {
    const site = await serve({ routes: { '/x': ({ n }) => (n === 2 ? reply : text(`render ${n}`, swr)) } })
    await site.ask('/x')
    clock.advance(11)
    const stale = await site.ask('/x')
    expect(stale.text).toBe('render 1')
    expect(stale.headers['set-cookie']).toBeUndefined()
    expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'render 3', cacheStatus: STORED })
    expect(site.cache.stats().events['refresh-failed']).toBe(0)
  })
}
