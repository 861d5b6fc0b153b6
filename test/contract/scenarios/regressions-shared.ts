import { expect } from 'vitest'
import { hit, STORED } from '../../support/cache-status.ts'
import { cacheControl, type Fields, fresh10 } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'
import { notModified, plain } from './http-origin.ts'
import { patient } from './regressions-tools.ts'

const sie = cacheControl('max-age=10, stale-if-error=600')
const of = (tenant: string, language = 'en'): Fields => ({ 'X-Tenant': tenant, 'Accept-Language': language })
const ILL = { status: 503, text: 'ill', complete: true }

scenario(
  'REG-70',
  'two Vary lists in turn: a follower whom the leader’s page was not made for gets his own, or the answer of the app',
  anyStore,
  async ({ serve, clock, gate }) => {
    const hold = gate()
    let isIll = false
    const site = await serve({
      options: patient,
      routes: {
        '/x': async ({ headers }) => {
          const vary = headers['accept-language'] === 'de' ? 'Accept-Language' : 'X-Tenant'
          if (!isIll) return plain(`of ${String(headers['x-tenant'])}`, { ...sie, vary })
          await hold()
          return plain('ill', {}, 503)
        },
      },
    })
    await site.ask('/x', of('a'))
    await site.ask('/x', of('c'))
    // The newest list: whoever asks in the same language waits for the same render.
    await site.ask('/x', of('d', 'de'))
    clock.advance(11)
    isIll = true
    const leader = site.visit('/x', of('a')).done
    await hold.reached()
    const stranger = site.visit('/x', of('b')).done
    const known = site.visit('/x', of('c')).done
    await site.arrived(6)
    expect(hold.arrivals).toBe(1)
    hold.open()
    expect(await leader).toMatchObject({ status: 200, text: 'of a' })
    expect(await stranger).toMatchObject(ILL)
    expect(await known).toMatchObject({ status: 200, text: 'of c' })
    // The leader and he for whom nothing stood in.
    expect(hold.arrivals).toBe(2)
  },
)

scenario(
  'REG-71',
  'a No-Vary-Search speaks for the response that says it: a page of the same path that says nothing is kept apart',
  anyStore,
  async ({ serve }) => {
    const site = await serve({
      options: { noVarySearch: true },
      routes: {
        '/doc': ({ url }) => {
          const query = new URLSearchParams(url.split('?')[1])
          const says = query.get('id') === '1' ? { 'no-vary-search': 'params=("token")' } : {}
          return plain(`${query.get('id')} for ${query.get('token') ?? 'all'}`, { ...fresh10, ...says })
        },
      },
    })
    await site.ask('/doc?id=3')
    await site.ask('/doc?id=1')
    expect(await site.ask('/doc?id=1&token=x')).toMatchObject({ text: '1 for all', cacheStatus: hit(10) })
    const own = await site.ask('/doc?id=3&token=x')
    expect(own).toMatchObject({ text: '3 for x', cacheStatus: STORED })
    for (const [query, text] of [
      ['id=3&token=x', '3 for x'],
      ['id=3', '3 for all'],
    ]) {
      expect(await site.ask(`/doc?${query}`), query).toMatchObject({ text, cacheStatus: hit(10) })
    }
    expect((await site.ask('/doc?id=3&token=y')).text).toBe('3 for y')
  },
)

scenario(
  'REG-72',
  'sealed: a 304 that names a new Vary is about a page for nobody, and the visitor gets his own',
  anyStore,
  async ({ serve, clock }) => {
    let isDeployed = false
    const site = await serve({
      options: { sealed: true },
      routes: {
        '/x': ({ headers }) => {
          const whose = isDeployed ? String(headers['x-tenant'] ?? 'nobody') : 'nobody'
          const fields = { ...fresh10, etag: `"${whose}"`, ...(isDeployed ? { vary: 'X-Tenant' } : {}) }
          return headers['if-none-match'] === fields.etag ? notModified(fields) : plain(`of ${whose}`, fields)
        },
      },
    })
    const bob = { 'X-Tenant': 'bob' }
    expect((await site.ask('/x', bob)).text).toBe('of nobody')
    isDeployed = true
    clock.advance(11)
    for (let visit = 1; visit <= 3; visit++) {
      const got = await site.ask('/x', bob)
      expect(got, `visit ${visit}`).toMatchObject({ status: 200, text: 'of bob', complete: true })
    }
    expect((await site.ask('/x', bob)).cacheStatus).toBe(hit(10))
    expect((await site.ask('/x')).text).toBe('of nobody')
  },
)

const renders = {
  'REG-73': ['', {}],
  'REG-75': [' without its cookies', { Cookie: 'a=1' }],
} as const

for (const [id, [how, headers]] of Object.entries(renders)) {
  scenario(
    id,
    `what is purged while it is rendered anew${how} stands in for nobody when that fails`,
    anyStore,
    async ({ serve, clock, gate }) => {
      const hold = gate()
      const site = await serve({
        options: { cookies: 'ignore', ...patient },
        routes: {
          '/x': async ({ n }) => {
            if (n === 1) return plain('page', sie)
            await hold()
            return plain('ill', {}, 503)
          },
        },
      })
      await site.ask('/x')
      clock.advance(11)
      const leader = site.visit('/x', headers).done
      await hold.reached()
      const follower = site.visit('/x', headers).done
      // He does not wait: his own request is on its way.
      const head = site.visit('HEAD /x', headers).done
      await hold.reached(2)
      await site.arrived(4)
      expect(hold.arrivals).toBe(2)
      await site.cache.purge({ all: true })
      hold.open()
      expect(await leader).toMatchObject(ILL)
      expect(await follower).toMatchObject(ILL)
      expect(await head).toMatchObject({ status: 503, text: '' })
      await site.cache.idle()
      expect(site.cache.stats().memory.entries).toBe(0)
    },
  )
}

for (const [id, etag] of [
  ['REG-74', undefined],
  ['REG-76', '"v1"'],
] as const) {
  scenario(
    id,
    `hit-for-miss over a stored page ${etag ? 'with' : 'without'} an ETag: a client’s own is held against what the app says`,
    anyStore,
    async ({ serve, clock }) => {
      let version = 1
      const site = await serve({
        routes: {
          '/x': ({ headers }) => {
            const vary = { vary: 'X-V' }
            if (headers['x-v'] === '2') return plain('private', { ...vary, ...cacheControl('private') })
            const tag = version === 1 ? etag : '"v2"'
            const fields = { ...sie, ...vary, ...(tag === undefined ? {} : { etag: tag }) }
            const isKnown = tag !== undefined && headers['if-none-match'] === tag
            return isKnown ? notModified(fields) : plain(`v${version}`, fields)
          },
        },
      })
      expect((await site.ask('/x', { 'X-V': '1' })).text).toBe('v1')
      expect((await site.ask('/x', { 'X-V': '2' })).text).toBe('private')
      clock.advance(11)
      version = 2
      // It is kept for its window; from another process he has what is new already.
      const got = await site.ask('/x', { 'X-V': '1', 'If-None-Match': '"v2"' })
      expect(got).toMatchObject({ status: 304, text: '', headers: { etag: '"v2"' } })
      // What the app has been asked: his own, or that of the stored page.
      expect(site.seen().at(-1)?.headers['if-none-match']).toBe(etag ?? '"v2"')
      expect(await site.ask('/x', { 'X-V': '1', 'If-None-Match': '"v1"' })).toMatchObject({ status: 200, text: 'v2' })
      expect((await site.ask('/x', { 'X-V': '1' })).text).toBe('v2')
    },
  )
}
