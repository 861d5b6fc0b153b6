import { expect } from 'vitest'
import { cacheControl, fresh10, text } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'

const numbered =
  (fields = fresh10) =>
  ({ n }: { n: number }) =>
    text(`render ${n}`, fields)

scenario(
  'AHEAD-01',
  'a request shortly before the end of a lifetime gets a new one made behind it',
  async ({ serve, clock }) => {
    const site = await serve({ options: { refreshAhead: 0.8 }, routes: { '/x': numbered() } })
    await site.ask('/x')
    clock.advance(7)
    await site.ask('/x')
    expect(site.renders()).toBe(1)
    clock.advance(1)
    const hit = await site.ask('/x')
    expect(hit).toMatchObject({ text: 'render 1', age: 8, warning: undefined })
    expect(site.renders()).toBe(2)
    expect(await site.ask('/x')).toMatchObject({ text: 'render 2', age: 0 })
    // Nobody asks: nothing is made.
    clock.advance(9)
    expect(site.renders()).toBe(2)
  },
)

scenario(
  'AHEAD-02',
  'one refresh, however many ask; a failed one leaves the response, fresh as it is',
  async ({ serve, clock, gate }) => {
    const hold = gate()
    const site = await serve({
      options: { refreshAhead: 0.8 },
      routes: {
        '/x': async ({ n }) => {
          if (n === 1) return text('render 1', fresh10)
          await hold()
          return text('broken', {}, 500)
        },
      },
    })
    await site.ask('/x')
    clock.advance(9)
    const answers = await Promise.all(site.crowd(5, '/x'))
    await hold.reached()
    for (const answer of answers) expect(answer).toMatchObject({ text: 'render 1', warning: undefined })
    hold.open()
    expect(await site.ask('/x')).toMatchObject({ text: 'render 1', status: 200 })
    expect(site.renders()).toBe(2)
  },
)

scenario('AHEAD-03', 'a request with Authorization starts none', async ({ serve, clock }) => {
  const site = await serve({
    options: { refreshAhead: 0.8 },
    routes: { '/x': numbered(cacheControl('public, max-age=10')) },
  })
  await site.ask('/x')
  clock.advance(9)
  expect((await site.ask('/x', { Authorization: 'Bearer a' })).text).toBe('render 1')
  expect(site.renders()).toBe(1)
})

scenario(
  'JITTER-01',
  'what is stored together does not go stale together, and nothing lives longer than it says',
  anyStore,
  async ({ serve, clock }) => {
    const site = await serve({ options: { jitter: 0.5 }, routes: { '*': text('page', cacheControl('max-age=1000')) } })
    const ends = new Set<number>()
    for (let i = 0; i < 40; i++) {
      await site.ask(`/${i}`)
      const seen = await site.cache.inspect(`http://example.test/${i}`)
      const lifetime = seen!.freshUntil - clock.now
      expect(lifetime).toBeGreaterThan(499_000)
      expect(lifetime).toBeLessThanOrEqual(1_000_000)
      ends.add(seen!.freshUntil)
    }
    expect(ends.size).toBeGreaterThan(30)
  },
)
