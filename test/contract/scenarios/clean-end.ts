import { expect } from 'vitest'
import type { Exchange } from '../../support/app.ts'
import { hit, STORED } from '../../support/cache-status.ts'
import { chunks, fail, fresh10, text, type Reply } from '../../support/reply.ts'
import { scenario, type Stage } from '../../support/scenario.ts'

const plain = { ...fresh10, 'content-type': 'text/plain' }

/** A page in two parts; the first render stops between them until it is let go. */
function inTwoParts(stage: Stage) {
  const hold = stage.gate()
  const left = stage.gate()
  const routes = {
    '/x': ({ n, res }: Exchange): Reply => {
      res.once('close', () => void left())
      return chunks(async function* () {
        yield 'one '
        if (n === 1) await hold()
        yield 'two'
      }, plain)
    },
  }
  return { hold, left, routes }
}

scenario('END-01', 'the leader leaves in mid-body: his follower gets the whole page', async (stage) => {
  const { hold, left, routes } = inTwoParts(stage)
  const site = await stage.serve({ routes })
  const leader = site.visit('/x')
  await leader.first
  const follower = site.visit('/x')
  await site.arrived(2)
  leader.abort()
  await left.reached()
  hold.open()
  expect(await follower.done).toMatchObject({ status: 200, text: 'one two', complete: true })
  expect(site.renders()).toBeLessThanOrEqual(2)
  await site.cache.idle()
  expect(await site.ask('/x')).toMatchObject({ text: 'one two', cacheStatus: hit(10) })
})

scenario(
  'END-02',
  'the leader leaves before the head: twenty followers cost at most one more render',
  async ({ serve, gate }) => {
    const hold = gate()
    const left = gate()
    const site = await serve({
      routes: {
        '/x': async ({ n, res }) => {
          res.once('close', () => void left())
          if (n === 1) await hold()
          return text('page', fresh10)
        },
      },
    })
    const leader = site.visit('/x')
    await hold.reached()
    const followers = site.crowd(20, '/x')
    await site.arrived(21)
    leader.abort()
    await left.reached()
    hold.open()
    for (const got of await Promise.all(followers)) expect(got).toMatchObject({ status: 200, text: 'page' })
    expect(site.renders()).toBeLessThanOrEqual(2)
  },
)

scenario('END-03', 'the only visitor leaves: nothing is stored that he did not get', async ({ serve, gate }) => {
  const hold = gate()
  const left = gate()
  const site = await serve({
    routes: {
      '/x': async ({ n, res }) => {
        res.once('close', () => void left())
        if (n === 1) await hold()
        return chunks(async function* () {
          yield 'page'
        }, plain)
      },
    },
  })
  const visit = site.visit('/x')
  await hold.reached()
  visit.abort()
  await left.reached()
  hold.open()
  await visit.done
  expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page', complete: true })
  expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page', cacheStatus: hit(10) })
})

scenario('END-04', 'one follower leaves: only he goes without', async (stage) => {
  const { hold, routes } = inTwoParts(stage)
  const site = await stage.serve({ routes })
  const leader = site.visit('/x')
  await leader.first
  const [one, two] = [site.visit('/x'), site.visit('/x')]
  await site.arrived(3)
  one.abort()
  await one.done
  hold.open()
  expect(await leader.done).toMatchObject({ text: 'one two', cacheStatus: STORED })
  expect(await two.done).toMatchObject({ status: 200, text: 'one two' })
  expect(site.renders()).toBe(1)
})

scenario(
  'END-05',
  'the leader fails before the head: every follower gets an answer of his own',
  async ({ serve, gate }) => {
    const hold = gate()
    const site = await serve({
      routes: {
        '/x': async ({ n }) => {
          if (n > 1) return text('page', fresh10)
          await hold()
          return fail()
        },
      },
    })
    const leader = site.visit('/x').done
    await hold.reached()
    const followers = site.crowd(5, '/x')
    await site.arrived(6)
    hold.open()
    expect((await leader).status).toBe(500)
    for (const got of await Promise.all(followers)) expect(got).toMatchObject({ status: 200, text: 'page' })
  },
)

scenario('END-06', 'the body of the leader breaks off: his followers get a whole one', async ({ serve, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': ({ n }) =>
        chunks(async function* () {
          yield 'one '
          if (n === 1) {
            await hold()
            throw new Error('the database is gone')
          }
          yield 'two'
        }, plain),
    },
  })
  const leader = site.visit('/x')
  await leader.first
  const followers = site.crowd(5, '/x')
  await site.arrived(6)
  hold.open()
  expect((await leader.done).complete).toBe(false)
  for (const got of await Promise.all(followers)) {
    expect(got).toMatchObject({ status: 200, text: 'one two', complete: true })
  }
  expect(site.renders()).toBe(2)
})

scenario('END-07', 'everybody leaves: the next visitor gets a page, and no capture is left behind', async (stage) => {
  const { hold, left, routes } = inTwoParts(stage)
  const site = await stage.serve({ routes })
  const leader = site.visit('/x')
  await leader.first
  const followers = [site.visit('/x'), site.visit('/x')]
  await site.arrived(3)
  for (const visit of [...followers, leader]) visit.abort()
  await left.reached()
  hold.open()
  await Promise.all([...followers, leader].map(({ done }) => done))
  expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'one two', complete: true })
  expect(site.cache.stats().capturing).toBe(0)
})

scenario(
  'END-08',
  'an empty answer to a leader who has gone is not what his follower gets',
  async ({ serve, gate }) => {
    // Koa destroys a stream with its visitor and ends the response without a body.
    const hold = gate()
    const left = gate()
    const site = await serve({
      routes: {
        '/x': ({ n, res }) => {
          res.once('close', () => void left())
          return chunks(async function* () {
            if (n === 1) await hold()
            yield 'page'
          }, plain)
        },
      },
    })
    const leader = site.visit('/x')
    await hold.reached()
    const follower = site.visit('/x')
    await site.arrived(2)
    leader.abort()
    await left.reached()
    hold.open()
    expect(await follower.done).toMatchObject({ status: 200, text: 'page', complete: true })
    expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page' })
  },
)

scenario('END-09', 'a follower leaves, then the leader: the last one gets the page', async (stage) => {
  const { hold, left, routes } = inTwoParts(stage)
  const site = await stage.serve({ routes })
  const leader = site.visit('/x')
  await leader.first
  const noticed = stage.gate()
  site.server.on('request', (_request, response) => response.once('close', () => void noticed()))
  const [gone, last] = [site.visit('/x'), site.visit('/x')]
  await site.arrived(3)
  gone.abort()
  await noticed.reached()
  leader.abort()
  await left.reached()
  hold.open()
  expect(await last.done).toMatchObject({ status: 200, text: 'one two', complete: true })
  expect(site.renders()).toBeLessThanOrEqual(2)
})
