import { expect } from 'vitest'
import type { Middleware } from '../../support/app.ts'
import { hit } from '../../support/cache-status.ts'
import { fresh10, text } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'
import { behind, ways } from './regressions-tools.ts'

// What a layer before the cache has made of the request is what counts, on every way to a hit.

const ALICE = { 'X-Session': 'alice' }

scenario(
  'REG-91',
  'a layer before the cache replaces a selecting header: nobody gets another’s page by sending it himself',
  async ({ serve }) => {
    const users: Record<string, string | undefined> = { alice: 'alice', mallory: 'mallory' }
    for (const options of ways) {
      const site = await serve({
        options,
        outside({ req }) {
          const user = users[String(req.headers['x-session'])]
          if (user === undefined) delete req.headers['x-user']
          else req.headers['x-user'] = user
        },
        routes: { '/x': ({ headers }) => text(`for ${String(headers['x-user'])}`, { ...fresh10, vary: 'X-User' }) },
      })
      for (let i = 0; i < 2; i++) {
        expect((await site.ask('/x', ALICE)).text).toBe('for alice')
        expect((await site.ask('/x', { 'X-Session': 'mallory', 'X-User': 'alice' })).text).toBe('for mallory')
        expect((await site.ask('/x', { 'X-User': 'alice' })).text).toBe('for undefined')
      }
      expect((await site.ask('/x', ALICE)).cacheStatus).toBe(hit(10))
    }
  },
)

for (const [id, name] of [
  ['REG-92', 'authorization'],
  ['REG-93', 'cookie'],
  ['REG-94', 'x-api-key'],
] as const) {
  scenario(id, `a layer before the cache adds ${name}: the page for all is not for him`, async ({ serve }) => {
    for (const options of ways) {
      const site = await serve({
        options,
        outside({ req }) {
          if (req.headers['x-session'] !== undefined) req.headers[name] = 'sid=alice'
        },
        routes: { '/x': ({ headers }) => text(headers[name] === undefined ? 'for all' : 'for her', fresh10) },
      })
      await site.ask('/x')
      expect(await site.ask('/x')).toMatchObject({ text: 'for all', cacheStatus: hit(10) })
      for (let i = 0; i < 2; i++) expect((await site.ask('/x', ALICE)).text).toBe('for her')
      expect(await site.ask('/x')).toMatchObject({ text: 'for all', cacheStatus: hit(10) })
    }
  })
}

const tenant: Middleware = ({ req }) => {
  req.headers.host = `${String(req.headers['x-tenant'])}.internal`
}

scenario(
  'REG-95',
  'a layer before the cache names the host: whoever sends another’s host gets the page of his own',
  async ({ serve }) => {
    for (const options of ways) {
      const site = await serve({
        options,
        outside: tenant,
        routes: { '/x': ({ headers }) => text(`of ${headers.host}`, fresh10) },
      })
      expect((await site.ask('/x', { 'X-Tenant': 'a' })).text).toBe('of a.internal')
      const b = { 'X-Tenant': 'b', Host: 'a.internal' }
      for (let i = 0; i < 2; i++) expect((await site.ask('/x', b)).text).toBe('of b.internal')
      expect(await site.ask('/x', { 'X-Tenant': 'a' })).toMatchObject({ text: 'of a.internal', cacheStatus: hit(10) })
    }
  },
)

scenario(
  'REG-96',
  'the same where the layer stands before a cache in front of the app',
  { frameworks: ['express'], stores: ['memory'], because: 'the layer is one of node:http' },
  async ({ options }) => {
    for (const more of ways) {
      const client = await behind(tenant, await options({ maxAge: 10, ...more }), (req, res) => {
        res.end(`of ${req.headers.host}`)
      })
      await client.visit('/x', { 'X-Tenant': 'a' }).done
      const b = await client.visit('/x', { 'X-Tenant': 'b', Host: 'a.internal' }).done
      expect(b.text).toBe('of b.internal')
      const a = await client.visit('/x', { 'X-Tenant': 'a' }).done
      expect(a).toMatchObject({ text: 'of a.internal', cacheStatus: hit(10) })
    }
  },
)

scenario(
  'REG-97',
  'a layer makes a selecting header of the User-Agent: a refresh, which has another, stores no page of another variant',
  async ({ framework, serve, clock }) => {
    const site = await serve({
      options: { maxAge: 10, staleWhileRevalidate: 30 },
      outside({ req }) {
        req.headers['x-device'] = String(req.headers['user-agent']).includes('Mobile') ? 'phone' : 'desk'
      },
      routes: { '/x': ({ n, headers }) => text(`${n} for ${String(headers['x-device'])}`, { vary: 'X-Device' }) },
    })
    // In front it is known before the render that this is another request than the one that came.
    const reason = framework.isInFront === true ? 'layers' : 'key-changed'
    const failures: (string | undefined)[] = []
    site.cache.on('refresh-failed', (event) => failures.push(event.reason))
    const phone = { 'User-Agent': 'a Mobile' }
    expect((await site.ask('/x', phone)).text).toBe('1 for phone')
    for (let i = 1; i <= 3; i++) {
      clock.advance(11)
      expect((await site.ask('/x', phone)).text).toBe('1 for phone')
      expect(failures).toEqual(Array.from({ length: i }, () => reason))
    }
    clock.advance(11)
    expect(await site.ask('/x', phone)).toMatchObject({ text: '5 for phone', warning: undefined })
    expect(await site.ask('/x', phone)).toMatchObject({ text: '5 for phone', cacheStatus: hit(10) })
    expect(site.cache.stats().events).toMatchObject({ refresh: 0, 'refresh-failed': 3 })
    // What a desk gets is not made of it either.
    expect((await site.ask('/x')).text).toBe('6 for desk')
  },
)

scenario(
  'REG-98',
  'the status and the reason that stand on a response before the cache are no part of a hit',
  anyStore,
  async ({ serve }) => {
    for (const options of ways) {
      const site = await serve({
        options,
        outside({ req, res }) {
          if (req.headers['x-odd'] === undefined) return
          res.statusCode = 404
          res.statusMessage = 'Quite Odd'
        },
        routes: { '/x': text('page', fresh10) },
      })
      await site.ask('/x')
      const got = await site.ask('/x', { 'X-Odd': 'yes' })
      expect(got).toMatchObject({ status: 200, reason: 'OK', text: 'page', cacheStatus: hit(10) })
    }
  },
)
