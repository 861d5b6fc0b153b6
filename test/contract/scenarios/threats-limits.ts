import { expect } from 'vitest'
import { STALE, STALE_AFTER_FAILURE } from '../../support/cache-status.ts'
import { bytes, cacheControl, fail, fresh10, type Reply, stream, text } from '../../support/reply.ts'
import { Readable } from 'node:stream'
import { anyStore, scenario } from '../../support/scenario.ts'
import { settle, watchProcess } from './regressions-tools.ts'

const LIMIT = 1000
const declared = (length: number): Reply => bytes(Buffer.alloc(length, 'a'), fresh10)
const streamed = (length: number): Reply =>
  stream(() => Readable.from([Buffer.alloc(600, 'a'), Buffer.alloc(length - 600, 'a')]), fresh10)

scenario('THREAT-13', 'a body of exactly maxEntryBytes is stored, one byte more is not', async ({ serve }) => {
  const pages: Readonly<Record<string, readonly [reply: () => Reply, length: number]>> = {
    '/declared': [() => declared(LIMIT), LIMIT],
    '/declared-more': [() => declared(LIMIT + 1), LIMIT + 1],
    '/streamed': [() => streamed(LIMIT), LIMIT],
    '/streamed-more': [() => streamed(LIMIT + 1), LIMIT + 1],
  }
  const site = await serve({
    options: { memory: { maxBytes: 1_000_000, maxEntryBytes: LIMIT } },
    routes: Object.fromEntries(Object.entries(pages).map(([path, [reply]]) => [path, reply])),
  })
  for (const [path, [, length]] of Object.entries(pages)) {
    for (let visit = 0; visit < 2; visit++) {
      const got = await site.ask(path)
      expect(got, path).toMatchObject({ status: 200, complete: true })
      expect(got.body.length, path).toBe(length)
    }
    expect(site.renders(path), path).toBe(length > LIMIT ? 2 : 1)
  }
})

scenario(
  'THREAT-14',
  'a HEAD while the render of its page takes too long is answered once, and nothing comes after it',
  anyStore,
  async ({ serve, gate, clock }) => {
    const errors = watchProcess()
    const hold = gate()
    let closed = 0
    const site = await serve({
      options: { renderTimeoutMs: 60, staleIfError: 600 },
      routes: {
        '/quick': { cacheback: false, answer: text('quick') },
        '/:way': async ({ n, params }) => {
          if (n <= 2) return text('page', fresh10)
          await hold()
          return params['way'] === 'throw' ? fail('late') : text('late', fresh10)
        },
      },
    })
    site.server.on('connection', (socket) => socket.once('close', () => closed++))
    // As a refresh, which no busy machine can make a timeout of.
    site.cache.attach(site.server)
    for (const path of ['/throw', '/text']) {
      expect(await site.cache.refresh(`http://example.test${path}`)).toBe(true)
    }
    clock.advance(11)
    const heads = ['/throw', '/text'].map((path) => site.visit(`HEAD ${path}`).done)
    await hold.reached(2)
    for (const path of ['/throw', '/text']) {
      expect(await site.ask(path)).toMatchObject({ status: 200, text: 'page', warning: STALE_AFTER_FAILURE })
    }
    hold.open()
    for (const got of await Promise.all(heads)) expect(got).toMatchObject({ status: 200, text: '', complete: true })
    await settle()
    for (const got of await Promise.all(site.crowd(6, '/quick'))) {
      expect(got).toMatchObject({ status: 200, text: 'quick', complete: true })
    }
    expect(closed).toBe(0)
    expect(errors).toEqual([])
  },
)

scenario(
  'THREAT-15',
  'a page that expires in the middle of its hit is fresh or stale, and never both',
  async ({ serve, clock }) => {
    let looks = 0
    const site = await serve({
      // Every look at the clock is a little later than the one before.
      options: { now: () => clock.now + 1100 * looks++ },
      routes: { '/x': text('page', cacheControl('max-age=60, stale-while-revalidate=600')) },
    })
    await site.ask('/x')
    const kinds = new Set<string>()
    for (let visit = 0; visit < 60; visit++) {
      const { age, cacheStatus, warning } = await site.ask('/x')
      const ttl = Number(/^cacheback; hit; ttl=(-?\d+)$/.exec(cacheStatus!)?.[1])
      const label = `visit ${visit}: Age ${age}, ${cacheStatus}`
      // Whole seconds of one moment: the two roundings lose a second at most.
      expect([59, 60], label).toContain(age! + ttl)
      expect(warning, label).toBe(ttl < 0 ? STALE : undefined)
      kinds.add(ttl < 0 ? 'stale' : 'fresh')
    }
    expect(kinds).toEqual(new Set(['fresh', 'stale']))
  },
)
