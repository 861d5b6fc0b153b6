import { expect } from 'vitest'
import { hit, STORED } from '../../support/cache-status.ts'
import { cacheControl, fresh10, text } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'

scenario('COLLAPSE-01', 'a thousand visitors of a cold page cost one render', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async ({ n }) => {
        await hold()
        return text(`render ${n}`, fresh10)
      },
    },
  })
  const visits = site.crowd(1000, '/x')
  await site.arrived(1000)
  hold.open()
  const got = await Promise.all(visits)
  expect(site.renders()).toBe(1)
  expect(got.every(({ status, complete, text: body }) => status === 200 && complete && body === 'render 1')).toBe(true)
  await site.cache.idle()
  expect(await site.ask('/x')).toMatchObject({ text: 'render 1', cacheStatus: hit(10) })
})

scenario(
  'COLLAPSE-02',
  'a follower says that he was one, with the Age of what he got',
  anyStore,
  async ({ serve, gate, clock }) => {
    const hold = gate()
    const site = await serve({
      routes: {
        '/x': async ({ n }) => {
          await hold()
          return text(`render ${n}`, fresh10)
        },
      },
    })
    const leader = site.visit('/x').done
    await hold.reached()
    const follower = site.visit('/x').done
    await site.arrived(2)
    clock.advance(2)
    hold.open()
    expect(await leader).toMatchObject({ text: 'render 1', cacheStatus: STORED })
    const followed = await follower
    expect(followed).toMatchObject({ text: 'render 1', age: 2 })
    expect(followed.cacheStatus).toMatch(/^cacheback; fwd=uri-miss; (stored; )?collapsed$/)
  },
)

scenario('COLLAPSE-03', 'followers of a page that may not be shared go on in parallel', async ({ serve, gate }) => {
  const first = gate()
  const all = gate()
  const site = await serve({
    routes: {
      '/x': async ({ n }) => {
        await (n === 1 ? first() : all())
        return text(`render ${n}`, cacheControl('private'))
      },
    },
  })
  const leader = site.visit('/x').done
  await first.reached()
  const followers = site.crowd(6, '/x')
  await site.arrived(7)
  first.open()
  expect((await leader).text).toBe('render 1')
  // One after the other they would never all be inside.
  await all.reached(6)
  all.open()
  const bodies = (await Promise.all(followers)).map((got) => got.text)
  expect(new Set(bodies).size).toBe(6)
})

scenario('COLLAPSE-04', 'a follower waits collapse.waitMs at most, then renders alone', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    options: { collapse: { waitMs: 30 } },
    routes: {
      '/x': async ({ n }) => {
        if (n === 1) await hold()
        return text(`render ${n}`, fresh10)
      },
    },
  })
  const leader = site.visit('/x').done
  await hold.reached()
  const follower = await site.visit('/x').done
  expect(follower).toMatchObject({ status: 200, text: 'render 2' })
  // The late result of the first render does not replace the newer one.
  hold.open()
  expect((await leader).text).toBe('render 1')
  await site.cache.idle()
  expect((await site.ask('/x')).text).toBe('render 2')
})

scenario('COLLAPSE-05', 'with waitMs 0 nobody waits', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    options: { collapse: { waitMs: 0 } },
    routes: {
      '/x': async ({ n }) => {
        await hold()
        return text(`render ${n}`, fresh10)
      },
    },
  })
  const visits = site.crowd(3, '/x')
  await hold.reached(3)
  hold.open()
  expect(new Set((await Promise.all(visits)).map((got) => got.text)).size).toBe(3)
})

scenario('COLLAPSE-06', 'an uncacheable page does not put its visitors in a row', async ({ serve, gate }) => {
  const all = gate()
  const site = await serve({
    routes: {
      '/x': async ({ n }) => {
        if (n > 1) await all()
        return text(`render ${n}`, cacheControl('no-store'))
      },
    },
  })
  await site.ask('/x')
  const visits = site.crowd(10, '/x')
  await all.reached(10)
  all.open()
  expect(new Set((await Promise.all(visits)).map((got) => got.text)).size).toBe(10)
})

scenario('COLLAPSE-07', "the leader's Vary splits his followers", async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async ({ n, headers }) => {
        if (n === 1) await hold()
        return text(`${headers['accept-language']}`, { ...fresh10, vary: 'Accept-Language' })
      },
    },
  })
  const leader = site.visit('/x', { 'Accept-Language': 'de' }).done
  await hold.reached()
  const german = site.crowd(3, '/x', { 'Accept-Language': 'de' })
  const english = site.crowd(3, '/x', { 'Accept-Language': 'en' })
  await site.arrived(7)
  hold.open()
  for (const got of [await leader, ...(await Promise.all(german))]) expect(got.text).toBe('de')
  for (const got of await Promise.all(english)) expect(got.text).toBe('en')
  expect(site.renders()).toBe(2)
})

scenario('COLLAPSE-08', 'a page that is over at once is not shared', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async ({ n }) => {
        if (n === 1) await hold()
        return text(`render ${n}`, cacheControl('max-age=0'))
      },
    },
  })
  const leader = site.visit('/x').done
  await hold.reached()
  const followers = site.crowd(3, '/x')
  await site.arrived(4)
  hold.open()
  const bodies = (await Promise.all([leader, ...followers])).map((got) => got.text)
  expect(new Set(bodies).size).toBe(4)
})

scenario('COLLAPSE-09', 'requests with cookies and unsafe requests are never collapsed', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': {
        methods: ['GET', 'POST'],
        answer: async ({ method, headers }) => {
          await hold()
          return text(`${method} ${headers.cookie}`, fresh10)
        },
      },
    },
  })
  const visits = [
    site.visit('/x', { Cookie: 'sid=alice' }).done,
    site.visit('/x', { Cookie: 'sid=bob' }).done,
    site.visit('POST /x').done,
    site.visit('POST /x').done,
  ]
  await hold.reached(4)
  hold.open()
  const bodies = (await Promise.all(visits)).map((got) => got.text)
  expect(bodies).toEqual(['GET sid=alice', 'GET sid=bob', 'POST undefined', 'POST undefined'])
})

scenario('COLLAPSE-10', 'an expired page collapses like a cold one', async ({ serve, clock, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async ({ n }) => {
        if (n > 1) await hold()
        return text(`render ${n}`, fresh10)
      },
    },
  })
  await site.ask('/x')
  clock.advance(11)
  const visits = site.crowd(50, '/x')
  await site.arrived(51)
  hold.open()
  for (const got of await Promise.all(visits)) expect(got.text).toBe('render 2')
  expect(site.renders()).toBe(2)
})

scenario('COLLAPSE-11', 'different pages, hosts and variants do not wait for each other', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    options: { vary: ['x-a'] },
    routes: {
      '/:id': async ({ n }) => {
        await hold()
        return text(`render ${n}`, fresh10)
      },
    },
  })
  const visits = [
    site.visit('/x').done,
    site.visit('/y').done,
    site.visit('/x?q').done,
    site.visit('/x', { Host: 'other.test' }).done,
    site.visit('/x', { 'X-A': '1' }).done,
  ]
  await hold.reached(5)
  hold.open()
  expect(new Set((await Promise.all(visits)).map((got) => got.text)).size).toBe(5)
})

scenario('COLLAPSE-12', 'a follower who asks with HEAD gets no body', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async () => {
        await hold()
        return text('page', fresh10)
      },
    },
  })
  const leader = site.visit('/x').done
  await hold.reached()
  const head = site.visit('HEAD /x').done
  await site.arrived(2)
  hold.open()
  expect((await leader).text).toBe('page')
  expect(await head).toMatchObject({ status: 200, text: '', complete: true, headers: { 'content-length': '4' } })
})

scenario(
  'COLLAPSE-13',
  'an error is not shared with those who waited, and a leader with 404 neither',
  async ({ serve, gate }) => {
    const hold = gate()
    const site = await serve({
      routes: {
        '/x': async ({ n }) => {
          if (n === 1) await hold()
          return n === 1 ? text('gone', {}, 404) : text(`render ${n}`, fresh10)
        },
      },
    })
    const leader = site.visit('/x').done
    await hold.reached()
    const followers = site.crowd(3, '/x')
    await site.arrived(4)
    hold.open()
    expect((await leader).status).toBe(404)
    for (const got of await Promise.all(followers)) expect(got.status).toBe(200)
  },
)

scenario('COLLAPSE-14', 'every visitor counts once, as a miss', anyStore, async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async () => {
        await hold()
        return text('page', fresh10)
      },
    },
  })
  const visits = site.crowd(5, '/x')
  await site.arrived(5)
  hold.open()
  await Promise.all(visits)
  await site.cache.idle()
  expect(site.cache.stats().events).toMatchObject({ miss: 5, store: 1, hit: 0, stale: 0 })
  expect((await site.ask('/x')).text).toBe('page')
  expect(site.cache.stats().events).toMatchObject({ miss: 5, hit: 1 })
})

scenario('COLLAPSE-15', 'visitors of one route with different pages all get their own', async ({ serve }) => {
  const site = await serve({ routes: { '/:id': ({ params }) => text(`page ${params['id']}`, fresh10) } })
  const visits = Array.from({ length: 100 }, (_, i) => site.visit(`/${i % 10}`).done)
  for (const [i, got] of (await Promise.all(visits)).entries()) expect(got.text).toBe(`page ${i % 10}`)
  expect(site.renders()).toBeLessThanOrEqual(20)
})
