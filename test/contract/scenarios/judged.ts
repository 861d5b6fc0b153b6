import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import session from 'express-session'
import koaSession from 'koa-session'
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { expect } from 'vitest'
import type { Middleware, Native } from '../../support/app.ts'
import { numbered } from '../../support/cache-status.ts'
import { json } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'

/** A layer outside the cache that acts when the head is written, under the capture, as on-headers does. */
const atTheHead =
  (change: (res: ServerResponse) => void): Middleware =>
  ({ res }) => {
    const writeHead = res.writeHead.bind(res) as (status: number, reason?: string) => ServerResponse
    res.writeHead = (status: number, ...rest: unknown[]) => {
      const fields = rest.at(-1) ?? []
      const lines = Array.isArray(fields) ? pairsOf(fields) : Object.entries(fields as OutgoingHttpHeaders)
      for (const [name] of lines) res.removeHeader(name)
      for (const [name, value] of lines) res.appendHeader(name, value as string | string[])
      change(res)
      return writeHead(status, ...(typeof rest[0] === 'string' ? [rest[0]] : []))
    }
  }

const pairsOf = (flat: readonly unknown[]): [string, unknown][] =>
  flat.flatMap((name, i) => (i % 2 === 0 ? [[String(name), flat[i + 1]]] : []))

const late: Record<string, [title: string, middleware: Middleware]> = {
  'JUDGE-01': ['a Set-Cookie', atTheHead((res) => res.setHeader('Set-Cookie', 'sid=1'))],
  'JUDGE-02': ['a private', atTheHead((res) => res.setHeader('Cache-Control', 'private'))],
  'JUDGE-03': ['a no-store', atTheHead((res) => res.setHeader('Cache-Control', 'no-store'))],
  'JUDGE-04': [
    'a Set-Cookie among the arguments of writeHead',
    ({ res }) => {
      const writeHead = res.writeHead.bind(res) as (status: number, headers: object) => ServerResponse
      res.writeHead = (status: number) => writeHead(status, { 'Set-Cookie': 'sid=1' })
    },
  ],
  'JUDGE-05': ['a Vary: *', atTheHead((res) => res.setHeader('Vary', '*'))],
}

for (const [id, [title, outside]] of Object.entries(late)) {
  scenario(id, `${title} that appears outside the cache, at the last moment, forbids storing`, async ({ serve }) => {
    const site = await serve({ outside, routes: { '/x': numbered() } })
    const first = await site.ask('/x')
    expect(first).toMatchObject({ status: 200, text: 'render 1' })
    expect(first.headers).toMatchObject(
      title.includes('Set-Cookie') ? { 'set-cookie': 'sid=1' } : { 'cache-status': expect.any(String) },
    )
    expect((await site.ask('/x')).text).toBe('render 2')
    expect(site.cache.stats().memory.entries).toBe(0)
  })
}

const secret = 'a secret that is long enough for everybody'
const sessions: Native = {
  fastify: async (app) => {
    await app.register(fastifyCookie)
    await app.register(fastifySession, { secret, saveUninitialized: true, cookie: { secure: false } })
  },
  express: (app) => app.use(session({ secret, resave: false, saveUninitialized: true })),
  koa: (app) => {
    app.keys = [secret]
    app.use(koaSession(app))
    app.use((ctx, next) => {
      // koa-session saves only what has been touched.
      Object.assign(ctx['session'] as object, { views: 1 })
      return next()
    })
  },
}

scenario(
  'JUDGE-06',
  'a page behind a session is never stored, and nobody gets the cookie of another',
  async ({ serve }) => {
    const site = await serve({
      before: sessions,
      options: { maxAge: 60 },
      routes: { '/form': ({ n }) => json({ token: `token of visitor ${n}` }) },
    })
    const alice = await site.ask('/form')
    const bob = await site.ask('/form')
    expect(alice.headers['set-cookie']).toBeDefined()
    expect(bob.headers['set-cookie']).toBeDefined()
    expect(bob.headers['set-cookie']).not.toBe(alice.headers['set-cookie'])
    expect(bob.text).toContain('token of visitor 2')
  },
)
