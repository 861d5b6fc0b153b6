import session from 'express-session'
import type { FastifyInstance } from 'fastify'
import { Readable } from 'node:stream'
import { expect } from 'vitest'
import type { Middleware } from '../../support/app.ts'
import { hit, STORED } from '../../support/cache-status.ts'
import { cacheControl, fresh10, stream, text } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'
import { methodsOf } from './regressions-tools.ts'

const kilobytes = (): Readable => Readable.from(Array.from({ length: 40 }, () => Buffer.alloc(1000, 'a')))

/** Forgets what `write` has said of the visitor's pace. */
const forgetful: Middleware = ({ res }) => {
  const methods = methodsOf(res)
  const write = methods.write.bind(res)
  methods.write = (...args) => void write(...args)
}

scenario('REG-10', 'a layer outside whose write returns nothing stalls no stream', anyStore, async ({ serve }) => {
  const site = await serve({
    outside: forgetful,
    routes: {
      '/x': { methods: ['GET', 'POST'], answer: stream(kilobytes, fresh10) },
      '/never': stream(kilobytes, cacheControl('no-store')),
    },
  })
  const visits = [
    await site.ask('/never'),
    await site.ask('/x', { Cookie: 'a=1' }),
    await site.ask('POST /x'),
    await site.ask('/x'),
    await site.ask('/x'),
  ]
  for (const got of visits) expect(got).toMatchObject({ status: 200, complete: true })
  expect(visits.map(({ body }) => body.length)).toEqual([40_000, 40_000, 40_000, 40_000, 40_000])
  expect(visits.at(-1)!.cacheStatus).toBe(hit(10))
})

/** Gathers the page, changes it and says how long it is when it ends. */
const buffering: Middleware = ({ res }) => {
  const methods = methodsOf(res)
  const end = methods.end.bind(res)
  const held: Buffer[] = []
  const hold = (chunk: unknown): void => {
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) held.push(Buffer.from(chunk as string))
  }
  methods.write = (chunk) => {
    hold(chunk)
    return true
  }
  methods.end = (chunk) => {
    hold(chunk)
    const page = Buffer.concat(held).toString().replace('</body>', '<script></script></body>')
    res.setHeader('Content-Length', Buffer.byteLength(page))
    return end(page)
  }
}

scenario(
  'REG-11',
  'a layer outside that gathers the page and sets its length at the end: as without a cache, and not stored',
  anyStore,
  async ({ serve, framework }) => {
    const html = { ...fresh10, 'content-type': 'text/html' }
    const page = stream(() => Readable.from(['<body>', 'hello', '</body>']), html)
    const site = await serve({
      outside: buffering,
      options: { staleIfError: 60 },
      routes: { '/x': page, '/bare': { cacheback: false, answer: page }, '/text': text('<body></body>', html) },
    })
    const bare = await site.ask('/bare')
    expect(bare.text).toBe('<body>hello<script></script></body>')
    for (const headers of [{}, {}, { 'If-None-Match': '*' }]) {
      const got = await site.ask('/x', headers)
      expect(got).toMatchObject({ status: 200, text: bare.text, complete: true })
      for (const name of ['content-length', 'content-type', 'transfer-encoding']) {
        expect(got.headers[name], name).toBe(bare.headers[name])
      }
    }
    expect(site.renders('/x')).toBe(3)
    // Fastify writes the head before it ends a string: there no such layer can live.
    if (framework.name !== 'fastify') {
      for (let n = 0; n < 2; n++) expect((await site.ask('/text')).text).toBe('<body><script></script></body>')
    }
    expect(site.cache.stats().memory.entries).toBe(0)
  },
)

/** Ends by writing: `end(chunk)` is `write(chunk)` and `end()`, through whatever stands on the response. */
const endsByWriting: Middleware = ({ res }) => {
  const methods = methodsOf(res)
  const end = methods.end.bind(res)
  methods.end = (chunk, ...rest) => {
    if (typeof chunk === 'function' || chunk === undefined || chunk === null) return end(chunk, ...rest)
    methods.write(chunk)
    return end()
  }
}

scenario(
  'REG-12',
  'a layer outside whose end writes: the page is stored once, not twice',
  anyStore,
  async ({ serve }) => {
    const site = await serve({
      outside: endsByWriting,
      routes: { '/text': text('page', fresh10), '/stream': stream(() => Readable.from(['pa', 'ge']), fresh10) },
    })
    for (const path of ['/text', '/stream']) {
      expect(await site.ask(path)).toMatchObject({ text: 'page', cacheStatus: STORED })
      expect(await site.ask(path)).toMatchObject({ text: 'page', cacheStatus: hit(10) })
      expect(site.renders(path)).toBe(1)
    }
  },
)

scenario(
  'REG-13',
  'app.inject() gets a hit the second time',
  { ...anyStore, frameworks: ['fastify'], because: 'inject is a method of Fastify' },
  async ({ serve }) => {
    let app: FastifyInstance | undefined
    await serve({ before: { fastify: (instance) => (app = instance) }, routes: { '/x': text('page', fresh10) } })
    const first = await app!.inject('/x')
    const second = await app!.inject('/x')
    expect(first).toMatchObject({ statusCode: 200, body: 'page' })
    expect(second).toMatchObject({ statusCode: 200, body: 'page' })
    expect([first.headers['cache-status'], second.headers['cache-status']]).toEqual([STORED, hit(10)])
  },
)

scenario(
  'REG-14',
  'a detached fill for which a layer outside opens a session late: the visitor gets his own page',
  anyStore,
  async ({ serve }) => {
    let sessions = 0
    const site = await serve({
      options: { cookies: 'ignore', maxAge: 60 },
      outside({ req, res }) {
        if (req.headers.cookie !== undefined) return
        const methods = methodsOf(res)
        const writeHead = methods.writeHead.bind(res)
        methods.writeHead = (...args) => {
          res.setHeader('Set-Cookie', `sid=${++sessions}`)
          return writeHead(...args)
        }
      },
      routes: { '/x': ({ headers }) => text(`for ${headers.cookie}`) },
    })
    for (const name of ['alice', 'bob', 'alice']) {
      const got = await site.ask('/x', { Cookie: `sid=${name}` })
      expect(got).toMatchObject({ status: 200, text: `for sid=${name}`, complete: true })
      expect(got.headers['set-cookie']).toBeUndefined()
    }
    expect(site.cache.stats().memory.entries).toBe(0)
  },
)

scenario(
  'REG-15',
  'the same with express-session, which saves a session that nobody has touched',
  { ...anyStore, frameworks: ['express'], because: 'express-session is a middleware of Express' },
  async ({ serve }) => {
    const site = await serve({
      options: { cookies: 'ignore', maxAge: 60 },
      before: {
        express: (app) => app.use(session({ secret: 'a long secret', resave: false, saveUninitialized: true })),
      },
      routes: {},
      extra: {
        express(app) {
          app.get('/login', (req, res) => void res.set('cache-control', 'no-store').send(req.sessionID))
          app.get('/form', (req, res) => void res.send(`token for ${req.sessionID}`))
        },
      },
    })
    for (let visitor = 0; visitor < 2; visitor++) {
      const login = await site.ask('/login')
      const [Cookie] = login.headers['set-cookie']!.split(';') as [string]
      expect((await site.ask('/form', { Cookie })).text).toBe(`token for ${login.text}`)
    }
  },
)

/** Turns the letters of what passes it, in the very bytes that it is given. */
const turning: Middleware = ({ res }) => {
  const methods = methodsOf(res)
  for (const name of ['write', 'end'] as const) {
    const below = methods[name].bind(res)
    methods[name] = (chunk, ...rest) => {
      if (chunk instanceof Uint8Array) chunk.forEach((byte, index) => (chunk[index] = byte ^ 1))
      return below(chunk, ...rest)
    }
  }
}

scenario(
  'REG-119',
  'a layer outside that writes into the bytes of a body longer than what may be stored: all of it alike',
  anyStore,
  async ({ serve }) => {
    const page = stream(() => Readable.from(Array.from({ length: 4 }, () => Buffer.alloc(9000, 'a'))), fresh10)
    const site = await serve({
      outside: turning,
      options: { memory: { maxBytes: 10_000_000, maxEntryBytes: 20_000 } },
      routes: {
        '/bare': { cacheback: false, answer: page },
        '/x': page,
        '/sealed': { cacheback: { sealed: true }, answer: page },
      },
    })
    for (const path of ['/bare', '/x', '/sealed']) {
      const { status, text: letters } = await site.ask(path)
      // Once for each layer that it passes: in front of the app, what is sealed passes two.
      expect({ path, status, length: letters.length, alike: new Set(letters).size }).toEqual({
        path,
        status: 200,
        length: 36_000,
        alike: 1,
      })
    }
  },
)
