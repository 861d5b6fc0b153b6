import { expect } from 'vitest'
import { STALE } from '../../support/cache-status.ts'
import { cacheControl, raw, text } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'

const swr = cacheControl('max-age=10, stale-while-revalidate=600')

scenario('QUEUE-01', 'no more refreshes run at once than the option says', async ({ serve, clock, gate }) => {
  const hold = gate()
  let stale = false
  let running = 0
  let most = 0
  const site = await serve({
    options: { refresh: { concurrency: 2 } },
    routes: {
      '/:id': async () => {
        most = Math.max(most, ++running)
        if (stale) await hold()
        running--
        return text('page', swr)
      },
    },
  })
  const paths = ['/a', '/b', '/c', '/d', '/e']
  for (const path of paths) await site.ask(path)
  clock.advance(11)
  stale = true
  for (const path of paths) expect((await site.visit(path).done).warning).toBe(STALE)
  await hold.reached(2)
  expect(site.cache.stats().refresh).toEqual({ queued: 3, running: 2 })
  expect(site.renders()).toBe(7)
  hold.open()
  await site.cache.idle()
  expect(site.renders()).toBe(10)
  expect(most).toBe(2)
})

scenario(
  'QUEUE-02',
  'over queueLimit a refresh is dropped and counted, and tried again later',
  async ({ serve, clock, gate }) => {
    const hold = gate()
    const site = await serve({
      options: { refresh: { concurrency: 1, queueLimit: 1 } },
      routes: {
        '/:id': async ({ n }) => {
          if (n > 3) await hold()
          return text(`render ${n}`, swr)
        },
      },
    })
    const dropped: string[] = []
    site.cache.on('refresh-dropped', ({ key }) => dropped.push(key))
    for (const path of ['/a', '/b', '/c']) await site.ask(path)
    clock.advance(11)
    for (const path of ['/a', '/b', '/c']) expect((await site.visit(path).done).warning).toBe(STALE)
    await hold.reached()
    expect(site.cache.stats()).toMatchObject({
      refresh: { queued: 1, running: 1 },
      events: { 'refresh-dropped': 1, stale: 3 },
    })
    expect(dropped).toHaveLength(1)
    expect(dropped[0]).toContain('/c')
    hold.open()
    await site.cache.idle()
    expect(await site.ask('/c')).toMatchObject({ text: 'render 3', warning: STALE })
    expect((await site.ask('/c')).text).toBe('render 6')
  },
)

scenario('QUEUE-03', 'a queueLimit of 0 still lets free slots work', async ({ serve, clock }) => {
  const site = await serve({
    options: { refresh: { concurrency: 1, queueLimit: 0 } },
    routes: { '/x': ({ n }) => text(`render ${n}`, swr) },
  })
  await site.ask('/x')
  clock.advance(11)
  await site.ask('/x')
  expect((await site.ask('/x')).text).toBe('render 2')
})

scenario(
  'QUEUE-04',
  'at its deadline a refresh is aborted: the handler hears of it, the old page stays',
  async ({ serve, clock, gate }) => {
    const closed = gate()
    const site = await serve({
      options: { refresh: { timeoutMs: 40 } },
      routes: {
        '/x': ({ n, res }) => {
          if (n === 1) return text('old', swr)
          res.once('close', () => void closed())
          return raw(() => undefined)
        },
      },
    })
    const failed: (string | undefined)[] = []
    site.cache.on('refresh-failed', ({ reason }) => failed.push(reason))
    await site.ask('/x')
    clock.advance(11)
    expect(await site.ask('/x')).toMatchObject({ text: 'old', warning: STALE })
    await closed.reached()
    expect(failed).toHaveLength(1)
    expect(site.cache.stats().refresh).toEqual({ queued: 0, running: 0 })
    expect((await site.ask('/x')).text).toBe('old')
  },
)

scenario(
  'QUEUE-05',
  'an aborted refresh holds its slot until its response has closed',
  anyStore,
  async ({ serve, clock, gate }) => {
    const events: string[] = []
    const closed = gate()
    const site = await serve({
      options: { refresh: { timeoutMs: 40, concurrency: 1 } },
      routes: {
        '/:id': ({ n, res, params }) => {
          if (n <= 2) return text('old', swr)
          if (params['id'] === 'b') {
            events.push('the next begins')
            return text('new', swr)
          }
          res.once('close', () => {
            events.push('the first has closed')
            void closed()
          })
          return raw(() => undefined)
        },
      },
    })
    await site.ask('/a')
    await site.ask('/b')
    clock.advance(11)
    await site.visit('/a').done
    await site.visit('/b').done
    await closed.reached()
    await site.cache.idle()
    expect(events).toEqual(['the first has closed', 'the next begins'])
    expect((await site.ask('/b')).text).toBe('new')
  },
)

scenario(
  'QUEUE-06',
  'a page that is stale for many is refreshed for all of them, one after the other',
  async ({ serve, clock }) => {
    const site = await serve({
      options: { refresh: { concurrency: 3 } },
      routes: { '/:id': ({ params }) => text(`page ${params['id']}`, swr) },
    })
    const paths = Array.from({ length: 30 }, (_, i) => `/${i}`)
    await Promise.all(paths.map((path) => site.visit(path).done))
    await site.cache.idle()
    clock.advance(11)
    await Promise.all(paths.flatMap((path) => [site.visit(path).done, site.visit(path).done]))
    await site.cache.idle()
    expect(site.renders()).toBe(60)
    expect(site.cache.stats()).toMatchObject({ refresh: { queued: 0, running: 0 }, events: { refresh: 30 } })
  },
)
