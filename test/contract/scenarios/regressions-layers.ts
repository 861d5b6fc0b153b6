import { type RequestListener, ServerResponse } from 'node:http'
import { expect } from 'vitest'
import type { Middleware } from '../../support/app.ts'
import { hit } from '../../support/cache-status.ts'
import { cacheControl, fresh10, text } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'
import { behind, methodsOf, patient, watchProcess, ways } from './regressions-tools.ts'

// Layers outside with a `writeHead` of their own, and nothing else of their own.

/** Adds to the very array that it is given. */
const pushing: Middleware = ({ req, res }) => {
  const methods = methodsOf(res)
  const writeHead = methods.writeHead.bind(res)
  methods.writeHead = (...args) => {
    const fields = args.at(-1)
    if (Array.isArray(fields)) fields.push('X-Visitor', String(req.headers['x-visitor']), 'X-B', 'b', 'X-C', 'c')
    return writeHead(...args)
  }
}

scenario(
  'REG-99',
  'a layer that adds to the fields of one visitor’s hit adds nothing to the next',
  async ({ serve }) => {
    for (const options of ways) {
      const site = await serve({ options, outside: pushing, routes: { '/x': text('page', fresh10) } })
      for (const visitor of ['nobody', 'alice', 'bob', 'carol']) {
        const got = await site.ask('/x', { 'X-Visitor': visitor })
        expect(got).toMatchObject({ status: 200, text: 'page', complete: true })
        const said = got.rawHeaders.filter((name) => /^X-(Visitor|B|C)$/.test(name))
        expect(new Set(said).size, visitor).toBe(said.length)
        expect([undefined, visitor]).toContain(got.headers['x-visitor'])
      }
      const got = await site.ask('/x', { 'X-Visitor': 'dave' })
      expect(got.cacheStatus).toBe(hit(10))
      expect(got.rawHeaders.join()).not.toMatch(/nobody|alice|bob|carol/)
    }
  },
)

/** As on-headers 1.0 reads what it is given: every array is one of pairs. */
const ofPairs: Middleware = ({ res }) => {
  const methods = methodsOf(res)
  const writeHead = methods.writeHead.bind(res)
  methods.writeHead = (...args) => {
    const [status, ...rest] = args as [number, ...unknown[]]
    const index = typeof rest[0] === 'string' ? 1 : 0
    const fields = rest[index]
    res.statusCode = status
    if (Array.isArray(fields)) {
      for (const pair of fields as [string, string][]) res.setHeader(pair[0], pair[1])
    } else if (typeof fields === 'object' && fields !== null) {
      for (const [name, value] of Object.entries(fields)) res.setHeader(name, value as string)
    }
    res.setHeader('X-Late', 'yes')
    return index === 1 ? writeHead(status, rest[0]) : writeHead(status)
  }
}
const LATE = { 'x-late': 'yes', 'x-kept': 'yes', 'content-type': 'text/plain; charset=utf-8' }
const sie = { ...cacheControl('max-age=10, stale-if-error=60'), 'x-kept': 'yes', 'content-type': LATE['content-type'] }

scenario('REG-100', 'a layer whose writeHead knows no flat arrays: hits are whole', async ({ serve }) => {
  for (const options of ways) {
    const site = await serve({ options, outside: ofPairs, routes: { '/x': text('page', sie) } })
    for (const headers of [{}, {}, { 'If-None-Match': '"other"' }, {}]) {
      expect(await site.ask('/x', headers)).toMatchObject({ status: 200, text: 'page', complete: true, headers: LATE })
    }
    const { etag } = (await site.ask('/x')).headers
    expect(await site.ask('/x', { 'If-None-Match': etag! })).toMatchObject({ status: 304, text: '', complete: true })
    expect(await site.ask('/x', { Range: 'bytes=1-2' })).toMatchObject({ status: 206, text: 'ag', complete: true })
    expect(site.renders()).toBe(1)
  }
})

scenario(
  'REG-101',
  'a layer whose writeHead knows no flat arrays: what stands in for a failure is whole',
  async ({ serve, clock }) => {
    const site = await serve({
      outside: ofPairs,
      routes: { '/x': ({ n }) => (n === 1 ? text('page', sie) : text('ill', {}, 503)) },
    })
    await site.ask('/x')
    clock.advance(15)
    for (let i = 0; i < 2; i++) {
      const got = await site.ask('/x')
      expect(got).toMatchObject({ status: 200, text: 'page', complete: true, headers: LATE })
      expect(got.warning).toMatch(/^110/)
    }
    expect(site.renders()).toBe(3)
  },
)

scenario(
  'REG-102',
  'a layer whose writeHead knows no flat arrays: who waits for another’s render gets it whole',
  anyStore,
  async ({ serve, gate }) => {
    const hold = gate()
    const site = await serve({
      options: { ...patient, cookies: 'ignore' },
      outside: ofPairs,
      routes: {
        '/x': async () => {
          await hold()
          return text('page', sie)
        },
      },
    })
    // The second is rendered detached from its visitor.
    for (const [i, headers] of [{}, { Cookie: 'a=1' }].entries()) {
      await site.cache.purge({ all: true })
      const visits = site.crowd(3, '/x', headers)
      await site.arrived(3 * (i + 1))
      await hold.reached(i + 1)
      hold.open()
      for (const got of await Promise.all(visits)) {
        expect(got).toMatchObject({ status: 200, text: 'page', complete: true, headers: LATE })
      }
    }
    expect(site.renders()).toBe(2)
  },
)

/** Fails for whoever asks for it, in the method that he names. */
const breaking: Middleware = ({ req, res }) => {
  const name = req.headers['x-break']
  if (name !== 'writeHead' && name !== 'end') return
  methodsOf(res)[name] = () => {
    throw new Error('a layer failed')
  }
}
const BREAK = { 'X-Break': 'writeHead' }

scenario(
  'REG-103',
  'a layer that fails on a hit: the connection ends at once, nobody answers twice, and the process lives',
  async ({ serve }) => {
    const errors = watchProcess()
    for (const options of ways) {
      const site = await serve({ options, outside: breaking, routes: { '/x': text('page', fresh10) } })
      await site.ask('/x')
      for (const headers of [{}, { 'If-None-Match': '"other"' }, { Range: 'bytes=0-1' }, { 'X-Break': 'end' }]) {
        expect(await site.ask('/x', { ...BREAK, ...headers })).toMatchObject({ status: 0, text: '', complete: false })
        expect(await site.ask('/x')).toMatchObject({ text: 'page', cacheStatus: hit(10) })
      }
      expect(await site.ask('HEAD /x', BREAK)).toMatchObject({ status: 0, complete: false })
      expect(site.renders()).toBe(1)
    }
    expect(errors).toEqual([])
  },
)

scenario(
  'REG-104',
  'a layer that fails on what another has rendered, or on what nobody may have: the connection ends at once',
  anyStore,
  async ({ serve, gate }) => {
    const errors = watchProcess()
    const hold = gate()
    const site = await serve({
      options: { ...patient, requestCacheControl: true, cookies: 'ignore' },
      outside: breaking,
      routes: {
        '/x': async () => {
          await hold()
          return text('page', fresh10)
        },
      },
    })
    const leader = site.visit('/x').done
    await hold.reached()
    const follower = site.visit('/x', BREAK).done
    await site.arrived(2)
    hold.open()
    expect(await leader).toMatchObject({ status: 200, text: 'page' })
    expect(await follower).toMatchObject({ status: 0, complete: false })
    const onlyIfCached = { ...BREAK, 'Cache-Control': 'only-if-cached' }
    expect(await site.ask('/x?other', onlyIfCached)).toMatchObject({ status: 0, complete: false })
    // Rendered detached from him.
    expect(await site.ask('/x?third', { ...BREAK, Cookie: 'a=1' })).toMatchObject({ status: 0, complete: false })
    expect(await site.ask('/x')).toMatchObject({ text: 'page', cacheStatus: hit(10) })
    expect(errors).toEqual([])
  },
)

const httpOnly = { frameworks: ['express'], stores: ['memory'], because: 'the layer is one of node:http' } as const

scenario(
  'REG-105',
  'a layer that stands before a cache in front of the app, and fails',
  httpOnly,
  async ({ options }) => {
    const errors = watchProcess()
    for (const more of ways) {
      const client = await behind(breaking, await options({ maxAge: 10, ...more }), (_req, res) => void res.end('page'))
      await client.visit('/x').done
      for (const headers of [{}, { 'If-None-Match': '"other"' }]) {
        expect(await client.visit('/x', { ...BREAK, ...headers }).done).toMatchObject({ status: 0, complete: false })
        expect(await client.visit('/x').done).toMatchObject({ text: 'page', cacheStatus: hit(10) })
      }
    }
    expect(errors).toEqual([])
  },
)

/** As long as its URL says. */
const longPage: RequestListener = (req, res) => res.end(`<head>${'a'.repeat(Number(req.url!.slice(1)))}`)

/** Looks for a mark in what is text, as some tools do; they know nothing of what is bytes. */
class Marking extends ServerResponse {
  override end(...args: unknown[]): this {
    const [chunk, ...rest] = args
    const marked = typeof chunk === 'string' ? chunk.replace('<head>', '<head><meta>') : chunk
    return (super.end as (...all: unknown[]) => this).call(this, marked, ...rest)
  }
}

scenario(
  'REG-120',
  'a class of responses that looks into texts gets a long one as a text',
  httpOnly,
  async ({ options }) => {
    const client = await behind(() => undefined, await options({ maxAge: 10 }), longPage, {
      ServerResponse: Marking as never,
    })
    for (const length of [100, 20_000]) {
      const got = await client.visit(`/${length}`).done
      expect(got.text).toBe(`<head><meta>${'a'.repeat(length)}`)
    }
  },
)

scenario(
  'REG-106',
  'layers of each kind before a cache in front of the app: hits are whole, and no visitor’s fields are another’s',
  httpOnly,
  async ({ options }) => {
    for (const [layer, more] of [pushing, ofPairs].flatMap((each) => ways.map((way) => [each, way] as const))) {
      const client = await behind(layer, await options(more), (_req, res) => {
        for (const [name, value] of Object.entries(sie)) res.setHeader(name, value)
        res.end('page')
      })
      await client.visit('/x').done
      for (const visitor of ['alice', 'bob', 'carol']) {
        const got = await client.visit('/x', { 'X-Visitor': visitor }).done
        const headers = layer === ofPairs ? LATE : { 'x-kept': 'yes' }
        expect(got).toMatchObject({ status: 200, text: 'page', cacheStatus: hit(10), complete: true, headers })
        expect([undefined, visitor]).toContain(got.headers['x-visitor'])
      }
    }
  },
)
