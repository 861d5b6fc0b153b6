import type { CachebackOptions } from '@cacheback/core'
import { expect } from 'vitest'
import { hit, STALE, STALE_AFTER_FAILURE, STORED } from '../../support/cache-status.ts'
import { cacheControl, type Reply, text } from '../../support/reply.ts'
import { anyStore, scenario, type Stage } from '../../support/scenario.ts'
import { FakeStore } from '../../support/stores.ts'
import { plain } from './http-origin.ts'
import { settle } from './regressions-tools.ts'

const swr = cacheControl('max-age=10, stale-while-revalidate=600')

scenario(
  'THREAT-01',
  'a window for refreshes is none for errors: when it is over, the error passes',
  async ({ serve, clock }) => {
    const page = text('page', cacheControl('max-age=10, stale-while-revalidate=30'))
    const site = await serve({ routes: { '/x': ({ n }) => (n === 1 ? page : text('ill', {}, 503)) } })
    await site.ask('/x')
    clock.advance(11)
    expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page', warning: STALE })
    clock.advance(28.999)
    expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page', warning: STALE_AFTER_FAILURE })
    clock.advance(0.001)
    const over = await site.ask('/x')
    expect(over).toMatchObject({ status: 503, text: 'ill', age: undefined, warning: undefined })
    expect(over.cacheStatus).not.toContain('hit')
  },
)

const windows = 'stale-while-revalidate=60, stale-if-error=60'
/** What forbids stale, beside the windows that the same response asks for; s-maxage forbids those of the options. */
const bans: Readonly<Record<string, string>> = {
  '/must-revalidate': `max-age=10, must-revalidate, ${windows}`,
  '/proxy-revalidate': `max-age=10, proxy-revalidate, ${windows}`,
  '/no-cache': `no-cache, ${windows}`,
  '/s-maxage': 's-maxage=10',
}

const thenIll = (control: string): readonly Reply[] => [
  plain('page', { ...cacheControl(control), etag: '"v1"' }),
  plain('ill', {}, 503),
  plain('ill', {}, 500),
]

scenario('THREAT-02', 'what forbids stale forbids it when the app fails as well', async ({ serve, clock }) => {
  const site = await serve({
    options: { staleWhileRevalidate: 60, staleIfError: 60 },
    routes: Object.fromEntries(Object.entries(bans).map(([path, control]) => [path, thenIll(control)])),
  })
  for (const path of Object.keys(bans)) expect((await site.ask(path)).cacheStatus, path).toBe(STORED)
  clock.advance(11)
  for (const status of [503, 500]) {
    for (const path of Object.keys(bans)) expect(await site.ask(path), path).toMatchObject({ status, text: 'ill' })
  }
})

scenario('THREAT-03', 'a refresh of a route with parameters keeps each page its own', async ({ serve, clock }) => {
  const site = await serve({
    routes: {
      '/articles/:id/:part': ({ n, params, query }) =>
        text(`${n}: ${params['id']} ${params['part']} ${JSON.stringify(query)}`, swr),
    },
  })
  const pages = { '/articles/7/b%20c?page=2': '7 b c {"page":"2"}', '/articles/8/b?page=2': '8 b {"page":"2"}' }
  for (const path of Object.keys(pages)) await site.ask(path)
  clock.advance(11)
  for (const path of Object.keys(pages)) expect((await site.ask(path)).warning, path).toBe(STALE)
  for (const [i, [path, page]] of Object.entries(pages).entries()) {
    expect(await site.ask(path)).toMatchObject({ text: `${i + 3}: ${page}`, cacheStatus: hit(10) })
  }
})

scenario(
  'THREAT-04',
  'a visitor has hung up before his refresh has its turn: it is made all the same',
  async ({ serve, clock, gate }) => {
    const hold = gate()
    const left = gate()
    const site = await serve({
      options: { refresh: { concurrency: 1 } },
      routes: {
        '/slow': async ({ n }) => {
          if (n > 1) await hold()
          return text('slow', swr)
        },
        // More than he takes in before he hangs up.
        '/x': ({ n }) => text(`${n} `.repeat(400_000), swr),
      },
    })
    site.server.on('connection', (socket) => socket.once('close', () => void left()))
    for (const path of ['/slow', '/x']) await site.ask(path)
    clock.advance(11)
    await site.visit('/slow').done
    await hold.reached()
    const visit = site.visit('/x', {}, { slow: true })
    expect((await visit.head).warning).toBe(STALE)
    visit.abort()
    await left.reached()
    expect(site.cache.stats().refresh).toEqual({ queued: 1, running: 1 })
    hold.open()
    await site.cache.idle()
    const next = await site.ask('/x')
    expect(next).toMatchObject({ complete: true, cacheStatus: hit(10) })
    expect(next.text.slice(0, 2)).toBe('2 ')
  },
)

/** Beyond its window, while its refresh is under way: who comes now must not render it once more. */
async function comeTooLate({ serve, clock, gate }: Stage, options: CachebackOptions): Promise<void> {
  const hold = gate()
  const site = await serve({
    options,
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
  const visits = site.crowd(3, '/x')
  await site.arrived(5)
  // Whoever does not wait has begun to render by now.
  await settle()
  hold.open()
  for (const got of await Promise.all(visits)) expect(got).toMatchObject({ status: 200, text: 'render 2' })
  expect(site.renders()).toBe(2)
}

scenario(
  'THREAT-05',
  'whoever comes when a page may no longer be served stale waits for the refresh that is under way',
  (stage) => comeTooLate(stage, {}),
)

scenario('THREAT-22', 'likewise where every look is one into the store', anyStore, (stage) =>
  comeTooLate(stage, { store: new FakeStore(), memory: false }),
)
