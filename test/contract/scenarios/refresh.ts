import { createCacheback } from '@cacheback/core'
import { expect } from 'vitest'
import { hit, numbered, STALE } from '../../support/cache-status.ts'
import { bytes, cacheControl, raw, text } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'

const swr = cacheControl('max-age=10, stale-while-revalidate=600')

scenario('SWR-01', 'a stale response is served at once and rendered once behind it', async ({ serve, clock, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async ({ n }) => {
        if (n > 1) await hold()
        return text(`render ${n}`, swr)
      },
    },
  })
  await site.ask('/x')
  clock.advance(11)
  for (let visitor = 0; visitor < 20; visitor++) {
    expect(await site.visit('/x').done).toMatchObject({ text: 'render 1', warning: STALE, cacheStatus: hit(-1) })
  }
  await hold.reached()
  expect(site.renders()).toBe(2)
  expect(site.cache.stats().refresh).toEqual({ queued: 0, running: 1 })
  hold.open()
  await site.cache.idle()
  expect(await site.ask('/x')).toMatchObject({ text: 'render 2', age: 0, warning: undefined, cacheStatus: hit(10) })
  expect(site.cache.stats()).toMatchObject({ refresh: { queued: 0, running: 0 }, events: { refresh: 1, stale: 20 } })
})

scenario('SWR-07', 'a visitor who leaves takes no refresh with him', async ({ serve, clock, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async ({ n }) => {
        if (n > 1) await hold()
        return text(`render ${n}`, swr)
      },
    },
  })
  await site.ask('/x')
  clock.advance(11)
  const visit = site.visit('/x')
  await visit.done
  visit.abort()
  await hold.reached()
  hold.open()
  await site.cache.idle()
  expect((await site.ask('/x')).text).toBe('render 2')
})

scenario('SWR-08', 'a big stale body is whole before a slow refresh ends', async ({ serve, clock, gate }) => {
  const hold = gate()
  const big = Buffer.alloc(900_000, 'stale')
  const site = await serve({
    routes: {
      '/x': async ({ n }) => {
        if (n > 1) await hold()
        return bytes(big, swr)
      },
    },
  })
  await site.ask('/x')
  clock.advance(11)
  const got = await site.visit('/x').done
  expect(got.complete && got.body.equals(big)).toBe(true)
})

scenario('SWR-09', 'a HEAD on a stale page refreshes it with GET', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': numbered(swr) } })
  await site.ask('/x')
  clock.advance(11)
  expect(await site.ask('HEAD /x')).toMatchObject({ status: 200, text: '', warning: STALE })
  expect(site.seen()[1]!.method).toBe('GET')
  expect((await site.ask('/x')).text).toBe('render 2')
})

scenario('SWR-10', 'a refresh of one variant leaves the others alone', async ({ serve, clock }) => {
  const site = await serve({
    routes: {
      '/x': ({ n, headers }) => text(`${n} ${headers['accept-language']}`, { ...swr, vary: 'Accept-Language' }),
    },
  })
  const [de, en] = [{ 'Accept-Language': 'de' }, { 'Accept-Language': 'en' }]
  await site.ask('/x', de)
  await site.ask('/x', en)
  clock.advance(11)
  expect((await site.ask('/x', de)).text).toBe('1 de')
  expect(await site.ask('/x', de)).toMatchObject({ text: '3 de', cacheStatus: hit(10) })
  expect(await site.ask('/x', en)).toMatchObject({ text: '2 en', warning: STALE })
  expect((await site.ask('/x', en)).text).toBe('4 en')
})

scenario('SWR-11', 'a page can be refreshed for ever', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': numbered(swr) } })
  await site.ask('/x')
  for (let round = 1; round <= 5; round++) {
    clock.advance(11)
    expect((await site.ask('/x')).text).toBe(`render ${round}`)
    expect((await site.ask('/x')).text).toBe(`render ${round + 1}`)
  }
})

scenario('SWR-12', 'handlers of raw node answer a refresh as they answer a visitor', async ({ serve, clock }) => {
  let n = 0
  const site = await serve({
    routes: {
      '/x': () =>
        raw((request, response) => {
          request.setTimeout(5000)
          response.setTimeout(5000)
          request.socket.setNoDelay(true)
          request.socket.setKeepAlive(true)
          request.socket.ref()
          request.socket.unref()
          response.writeHead(200, swr as Record<string, string>)
          response.write(`raw ${++n} `)
          response.end('end')
        }),
    },
  })
  await site.ask('/x')
  clock.advance(11)
  expect((await site.ask('/x')).text).toBe('raw 1 end')
  expect(await site.ask('/x')).toMatchObject({ text: 'raw 2 end', cacheStatus: hit(10) })
})

scenario(
  'SWR-15',
  'a page that expires while it is refreshed: nobody gets the old one any more',
  async ({ serve, clock, gate }) => {
    const hold = gate()
    const site = await serve({
      routes: {
        '/x': async ({ n }) => {
          if (n === 2) await hold()
          return text(`render ${n}`, cacheControl('max-age=10, stale-while-revalidate=5'))
        },
      },
    })
    await site.ask('/x')
    clock.advance(11)
    expect((await site.visit('/x').done).warning).toBe(STALE)
    await hold.reached()
    clock.advance(5)
    const visit = site.visit('/x').done
    await site.arrived(3)
    hold.open()
    // Whether he waits for the refresh or renders himself: he gets a new page, and so does everybody after him.
    expect((await visit).text).not.toBe('render 1')
    await site.cache.idle()
    const last = await site.ask('/x')
    expect(last.text).toBe(`render ${site.renders()}`)
    expect(last.cacheStatus).toMatch(/hit/)
  },
)

scenario(
  'SWR-16',
  'two servers with one cache: each refreshes what it has rendered',
  async ({ serve, clock, options }) => {
    const cache = createCacheback(await options())
    const [one, two] = [
      await serve({ cache, routes: { '/x': ({ n }) => text(`one ${n}`, swr) } }),
      await serve({ cache, routes: { '/x': ({ n }) => text(`two ${n}`, swr) } }),
    ]
    for (const round of [1, 2]) {
      expect((await one.ask('/x', { Host: 'one.test' })).text).toBe(`one ${round}`)
      expect((await two.ask('/x', { Host: 'two.test' })).text).toBe(`two ${round}`)
      clock.advance(11)
      expect((await one.ask('/x', { Host: 'one.test' })).text).toBe(`one ${round}`)
      expect((await two.ask('/x', { Host: 'two.test' })).text).toBe(`two ${round}`)
    }
  },
)

scenario('SWR-17', 'a crowd on a stale page costs one render and waits for nothing', async ({ serve, clock, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async ({ n }) => {
        if (n > 1) await hold()
        return text(`render ${n}`, swr)
      },
    },
  })
  await site.ask('/x')
  clock.advance(11)
  for (const got of await Promise.all(site.crowd(200, '/x')))
    expect(got).toMatchObject({ text: 'render 1', warning: STALE })
  await hold.reached()
  hold.open()
  await site.cache.idle()
  expect(site.renders()).toBe(2)
})
