import { once } from 'node:events'
import { Readable } from 'node:stream'
import { expect } from 'vitest'
import { hit } from '../../support/cache-status.ts'
import { fresh10, raw, stream, text } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'

const MiB = 1024 * 1024
const roomy = { memory: { maxBytes: 128 * MiB, maxEntryBytes: 32 * MiB } }
/** More than what kernel and sockets between two ends of the loopback can hold. */
const bigger = (): Readable => Readable.from(Array.from({ length: 24 }, (_, i) => Buffer.alloc(MiB, i)))

scenario('PACE-01', 'a leader who does not read holds nobody up', anyStore, async ({ serve }) => {
  const site = await serve({ options: roomy, routes: { '/x': () => stream(bigger, fresh10) } })
  const leader = site.visit('/x', {}, { slow: true })
  await leader.head
  const follower = await site.visit('/x').done
  expect(follower).toMatchObject({ status: 200, complete: true })
  expect(follower.body.length).toBe(24 * MiB)
  expect(site.renders()).toBe(1)
  leader.read()
  expect((await leader.done).body.equals(follower.body)).toBe(true)
})

scenario('PACE-02', 'a follower who does not read holds nobody up', anyStore, async ({ serve }) => {
  const site = await serve({ options: roomy, routes: { '/x': () => stream(bigger, fresh10) } })
  const leader = site.visit('/x')
  const slow = site.visit('/x', {}, { slow: true })
  expect((await leader.done).body.length).toBe(24 * MiB)
  await slow.head
  expect(await site.ask('/x')).toMatchObject({ complete: true, cacheStatus: hit(10) })
  slow.read()
  expect((await slow.done).body.length).toBe(24 * MiB)
  expect(site.renders()).toBe(1)
})

scenario(
  'PACE-03',
  'above maxEntryBytes the visitor sets the pace again, and followers go on',
  anyStore,
  async ({ serve, gate }) => {
    const stalled = gate()
    let written = 0
    const site = await serve({
      routes: {
        '/x': ({ n }) =>
          n > 1
            ? text('small', fresh10)
            : raw(async (_req, res) => {
                const gone = once(res, 'close')
                res.writeHead(200, fresh10 as Record<string, string>)
                while (written < 256 * MiB && !res.destroyed) {
                  written += 65_536
                  if (res.write(Buffer.alloc(65_536))) continue
                  if (written > 2 * MiB) void stalled()
                  await Promise.race([once(res, 'drain'), gone])
                }
              }),
      },
    })
    const leader = site.visit('/x', {}, { slow: true })
    await leader.head
    const follower = site.visit('/x').done
    await stalled.reached()
    expect(await follower).toMatchObject({ text: 'small', complete: true })
    expect(written).toBeLessThan(64 * MiB)
    leader.abort()
    await leader.done
  },
)

scenario('PACE-04', 'while a capture lives, writing does not wait for the visitor', anyStore, async ({ serve }) => {
  const answers: boolean[] = []
  const site = await serve({
    routes: {
      '/x': () =>
        raw((_req, res) => {
          res.writeHead(200, fresh10 as Record<string, string>)
          for (let i = 0; i < 12; i++) answers.push(res.write(Buffer.alloc(65_536)))
          res.end()
        }),
    },
  })
  const visit = site.visit('/x', {}, { slow: true })
  await visit.head
  expect(answers).toEqual(Array.from({ length: 12 }, () => true))
  visit.read()
  expect((await visit.done).body.length).toBe(12 * 65_536)
})

scenario(
  'PACE-05',
  'a declared length over maxEntryBytes releases followers at the head',
  anyStore,
  async ({ serve, gate }) => {
    const hold = gate()
    const all = gate()
    const site = await serve({
      options: { memory: { maxBytes: MiB, maxEntryBytes: 1000 } },
      routes: {
        '/x': ({ n }) =>
          raw(async (_req, res) => {
            res.writeHead(200, { ...fresh10, 'Content-Length': '5000' })
            res.write(Buffer.alloc(2000))
            await (n === 1 ? hold() : all())
            res.end(Buffer.alloc(3000))
          }),
      },
    })
    const leader = site.visit('/x')
    await leader.first
    const followers = site.crowd(3, '/x')
    // All of them are inside while the leader is still at it.
    await all.reached(3)
    all.open()
    expect((await Promise.all(followers)).map(({ body }) => body.length)).toEqual([5000, 5000, 5000])
    hold.open()
    expect((await leader.done).body.length).toBe(5000)
  },
)
