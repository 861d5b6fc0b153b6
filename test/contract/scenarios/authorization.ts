import { expect } from 'vitest'
import { hit, numbered, STORED } from '../../support/cache-status.ts'
import { cacheControl, text } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'

const alice = { Authorization: 'Bearer alice' }
const allowing = ['public, max-age=10', 's-maxage=10', 'must-revalidate, max-age=10']

scenario('AUTH-01', 'what an authorized request gets is not stored for max-age alone', async ({ serve }) => {
  const site = await serve({
    options: { maxAge: 60 },
    routes: {
      '/x': ({ n, headers }) => text(`${n} ${headers.authorization}`, cacheControl('max-age=10')),
      '/silent': numbered({}),
    },
  })
  const got = await site.ask('/x', alice)
  expect(got.text).toBe('1 Bearer alice')
  expect(got.cacheStatus).toContain('detail=authorization')
  expect((await site.ask('/x')).text).toBe('2 undefined')
  await site.ask('/silent', alice)
  expect((await site.ask('/silent')).text).toBe('render 2')
})

scenario('AUTH-02', 'it is stored, for everybody, under public, s-maxage or must-revalidate', async ({ serve }) => {
  const site = await serve({
    routes: { '/:i': ({ n, params }) => text(`render ${n}`, cacheControl(allowing[Number(params['i'])]!)) },
  })
  for (const i of allowing.keys()) {
    expect((await site.ask(`/${i}`, alice)).cacheStatus).toBe(STORED)
    expect((await site.ask(`/${i}`)).cacheStatus).toBe(hit(10))
    expect((await site.ask(`/${i}`, { Authorization: 'Bearer bob' })).cacheStatus).toBe(hit(10))
  }
  expect(site.renders()).toBe(allowing.length)
})

scenario('AUTH-03', 'an authorized request is not answered with what anonymous ones share', async ({ serve }) => {
  const site = await serve({ routes: { '/x': numbered() } })
  await site.ask('/x')
  const got = await site.ask('/x', alice)
  expect(got).toMatchObject({ text: 'render 2', age: undefined })
  expect(await site.ask('/x')).toMatchObject({ text: 'render 1', cacheStatus: hit(10) })
})

scenario('AUTH-04', 'authorized requests never wait for each other', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async ({ headers }) => {
        await hold()
        return text(`for ${headers.authorization}`, cacheControl('max-age=10'))
      },
    },
  })
  const visits = ['alice', 'bob', 'carol'].map((name) => site.visit('/x', { Authorization: name }).done)
  await hold.reached(3)
  hold.open()
  expect((await Promise.all(visits)).map((got) => got.text)).toEqual(['for alice', 'for bob', 'for carol'])
})

scenario(
  'AUTH-05',
  'stale: the authorized visitor waits for a render, and none starts behind him',
  async ({ serve, clock }) => {
    const swr = cacheControl('public, max-age=10, stale-while-revalidate=60')
    const site = await serve({ routes: { '/x': numbered(swr) } })
    await site.ask('/x')
    clock.advance(11)
    expect(await site.ask('/x', alice)).toMatchObject({ text: 'render 2', warning: undefined })
    expect(site.seen()[1]!.headers.authorization).toBe('Bearer alice')
    expect(site.renders()).toBe(2)
    expect(site.cache.stats().events.refresh).toBe(0)
    // What he got is stored for everybody.
    expect((await site.ask('/x')).text).toBe('render 2')
  },
)

scenario('AUTH-06', 'a refresh for an anonymous visitor carries no Authorization', async ({ serve, clock }) => {
  const swr = cacheControl('public, max-age=10, stale-while-revalidate=60')
  const site = await serve({ routes: { '/x': numbered(swr) } })
  await site.ask('/x', alice)
  clock.advance(11)
  expect((await site.ask('/x')).text).toBe('render 1')
  expect(site.renders()).toBe(2)
  expect(site.seen()[1]!.headers.authorization).toBeUndefined()
})
