import { expect } from 'vitest'
import { hit, numbered, STORED } from '../../support/cache-status.ts'
import { cacheControl, fresh10, raw, text } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'
import { methodsOf, watchProcess } from './regressions-tools.ts'

const banned: Record<string, readonly string[]> = {
  '/space': ['max-age=60, private'],
  '/tab': ['max-age=60,\tprivate'],
  '/no-comma': ['max-age=60 private'],
  '/open-quote': ['max-age=60, foo="x', 'private'],
  '/quote-in-token': ['max-age=60, foo=a"b, no-store'],
  '/no-name': ['max-age=60,=x, private'],
  '/semicolon': ['no-store;x'],
  '/open-argument': ['max-age="60, private'],
}

scenario('REG-01', 'junk in Cache-Control hides no ban: it is not stored', anyStore, async ({ serve }) => {
  const routes = Object.entries(banned).map(([path, lines]) => [path, numbered({ 'cache-control': lines })])
  const site = await serve({ options: { maxAge: 60 }, routes: Object.fromEntries(routes) })
  const texts: Record<string, string> = {}
  for (const path of Object.keys(banned)) {
    await site.ask(path)
    texts[path] = (await site.ask(path)).text
  }
  expect(texts).toEqual(Object.fromEntries(Object.keys(banned).map((path) => [path, 'render 2'])))
  expect(site.cache.stats().memory.entries).toBe(0)
})

const forThePage = cacheControl('public, max-age=60, stale-while-revalidate=600, stale-if-error=600')

scenario(
  'REG-02',
  'an error that goes out with the Cache-Control of the page is kept 10 s at most',
  anyStore,
  async ({ serve, clock }) => {
    const site = await serve({ routes: { '/x': [text('db', forThePage, 500), text('good', forThePage)] } })
    expect(await site.ask('/x')).toMatchObject({ status: 500, text: 'db' })
    clock.advance(11)
    // Neither fresh nor stale: nothing of the error is left.
    expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'good' })
    expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'good', cacheStatus: hit(60) })
  },
)

scenario('REG-03', 'such an error is no refresh: the good page stays', anyStore, async ({ serve, clock }) => {
  const site = await serve({
    routes: { '/x': ({ n }) => (n === 1 ? text('good', forThePage) : text('db', forThePage, 500)) },
  })
  await site.ask('/x')
  clock.advance(61)
  expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'good' })
  expect(site.renders()).toBe(2)
  expect(site.cache.stats().events).toMatchObject({ 'refresh-failed': 1, refresh: 0, store: 1 })
  expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'good' })
})

scenario(
  'REG-04',
  'base64 with line breaks, written as such: a hit has the very same bytes',
  anyStore,
  async ({ serve }) => {
    const page = Buffer.from(Array.from({ length: 3000 }, (_, i) => i % 256))
    const broken = page.toString('base64').replaceAll(/(.{10})/g, '$1\r\n')
    const site = await serve({
      routes: {
        '/x': raw((_req, res) => {
          for (const [name, value] of Object.entries(fresh10)) res.setHeader(name, value)
          res.write(broken, 'base64')
          res.end()
        }),
      },
    })
    // Node takes a guess at the length of such a string: in chunks it would come out wrong without any cache.
    const ask = async (): Promise<string[]> => {
      const message = await site.send('GET /x HTTP/1.0\r\nHost: example.test\r\n\r\n')
      const end = message.indexOf('\r\n\r\n')
      return [message.slice(0, end), message.slice(end + 4)]
    }
    const [miss, first] = await ask()
    const [head, second] = await ask()
    expect(miss).toContain(STORED)
    expect(head).toContain(hit(10))
    expect(first === page.toString('latin1') && second === first).toBe(true)
    expect((await site.ask('/x')).body.equals(page)).toBe(true)
    expect(site.renders()).toBe(1)
  },
)

scenario(
  'REG-05',
  'a head that Node refuses: the error page is not stored under the status of the page',
  anyStore,
  async ({ serve, framework }) => {
    const bad = { ...fresh10, etag: '"v"', 'x-bad': 'a\nb' }
    const refused = raw((_req, res) => {
      res.writeHead(200, bad)
      res.end('page')
    })
    // Behind a hijacked reply Fastify answers no error.
    const reply = framework.name === 'fastify' ? text('page', bad) : refused
    const site = await serve({ routes: { '/x': ({ n }) => (n === 1 ? reply : text('good', fresh10)) } })
    const first = await site.ask('/x', { 'If-None-Match': '*' })
    expect(first.status).toBe(500)
    expect(site.cache.stats().memory.entries).toBe(0)
    expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'good' })
    expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'good', cacheStatus: hit(10) })
  },
)

scenario(
  'REG-06',
  'a layer inside turns the status into 503 as the head is written, while a page could stand in: no crash',
  anyStore,
  async ({ serve, clock }) => {
    const errors = watchProcess()
    let ill = false
    const site = await serve({
      options: { staleIfError: 600 },
      inside({ res }) {
        const methods = methodsOf(res)
        const writeHead = methods.writeHead.bind(res)
        methods.writeHead = (status, ...rest) => {
          if (ill) res.statusCode = 503
          return writeHead(ill ? 503 : status, ...rest)
        }
      },
      routes: { '/x': text('page', fresh10) },
    })
    await site.ask('/x')
    clock.advance(11)
    ill = true
    for (const request of ['/x', 'HEAD /x', '/x']) {
      const got = await site.ask(request)
      expect(got).toMatchObject({ text: request === '/x' ? 'page' : '', complete: true })
      expect([200, 503]).toContain(got.status)
    }
    ill = false
    expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page' })
    expect(errors).toEqual([])
  },
)
