import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect } from 'vitest'
import type { Description, Middleware, Native } from '../support/app.ts'
import { text } from '../support/reply.ts'
import { anyStore, scenario } from '../support/scenario.ts'
import { swr } from './attack.ts'
import { expectOwn } from './people.ts'

// Tokens in forms that must be those of a cookie (double submit), and cookies that are set late.

const tokens = new WeakMap<IncomingMessage, string>()

/** Gives a visitor without a token one, as a cookie and for his forms. */
const doubleSubmit: Middleware = ({ req, set }) => {
  const own = /(?:^|; )csrf=([\w-]+)/.exec(req.headers.cookie ?? '')?.[1]
  const token = own ?? `secret-${randomUUID()}`
  if (own === undefined) set('Set-Cookie', `csrf=${token}; Path=/; SameSite=Lax`)
  tokens.set(req, token)
}

/** The same, but the cookie is set just before the head is written, as on-headers does. */
const lateSubmit: Middleware = ({ req, res }) => {
  const writeHead = res.writeHead.bind(res) as (...args: unknown[]) => ServerResponse
  const cookies: string[] = []
  doubleSubmit({ req, res, set: (_name, value) => cookies.push(value), answer: () => undefined })
  res.writeHead = (...args: unknown[]) => {
    for (const cookie of cookies) res.appendHeader('Set-Cookie', cookie)
    return writeHead(...args)
  }
}

const forms: Description['routes'] = {
  '/form': ({ req }) => text(`<input name="csrf" value="${tokens.get(req)}">`),
  '/page': text('a page for everybody'),
}
const RULES: NonNullable<Description['options']>[] = [
  {},
  { cookies: 'ignore' },
  { cookies: { bypass: ['csrf'] } },
  { cookies: { bypass: ['sid'] } },
  { cookies: { key: ['theme'] } },
  { cookies: { key: ['csrf'] } },
  { sealed: true },
  { sealed: true, cookies: 'ignore' },
]

const SUBMITS: [id: string, place: string, app: Partial<Description>][] = [
  ['TOKEN-01', 'outside the cache', { outside: doubleSubmit }],
  ['TOKEN-02', 'inside the cache', { inside: doubleSubmit }],
  ['TOKEN-06', 'outside the cache, its cookie set at the last moment,', { outside: lateSubmit }],
]

for (const [id, place, app] of SUBMITS) {
  scenario(
    id,
    `a token that middleware ${place} writes into a form is that of the visitor’s own cookie`,
    anyStore,
    async (stage) => {
      for (const rule of RULES) {
        const options = { maxAge: 10, staleWhileRevalidate: 600, ...rule }
        const { known } = await expectOwn(stage, { ...app, options, routes: forms }, ['/form', '/page'])
        for (const { name, secrets, cookie, received } of known) {
          // One token, the same in cookie and form, from the first visit to the last.
          expect(secrets.size, name).toBe(1)
          expect(cookie()['Cookie'], name).toContain(`csrf=${[...secrets].join()}`)
          for (const got of received) expect(got.text).toMatch(/value="secret-|^a page/)
        }
      }
    },
  )
}

/** A new visitor's token stands in his page, and his cookie is set as late as it can be. */
function tokenOf(req: IncomingMessage): string | undefined {
  if (req.headers['x-visitor'] !== 'nobody') return undefined
  const token = tokens.get(req) ?? `secret-${randomUUID()}`
  tokens.set(req, token)
  return token
}
const cookieOf = (token: string): string => `sid=${token}; Path=/`

/** As on-headers does: just before the head is written. */
const atTheHead: Middleware = ({ req, res }) => {
  const token = tokenOf(req)
  const writeHead = res.writeHead.bind(res) as (...args: unknown[]) => ServerResponse
  if (token === undefined) return
  res.writeHead = (...args: unknown[]) => {
    res.appendHeader('Set-Cookie', cookieOf(token))
    return writeHead(...args)
  }
}

/** Among the arguments of writeHead, whatever their form. */
const inTheHead: Middleware = ({ req, res }) => {
  const token = tokenOf(req)
  const writeHead = res.writeHead.bind(res) as (...args: unknown[]) => ServerResponse
  if (token === undefined) return
  res.writeHead = (...args: unknown[]) => {
    const given = args.findLast((arg) => typeof arg === 'object')
    const cookie = cookieOf(token)
    const fields = Array.isArray(given)
      ? [...given, 'Set-Cookie', cookie]
      : { ...(given as object), 'Set-Cookie': cookie }
    return writeHead(...args.filter((arg) => typeof arg !== 'object' && arg !== undefined), fields)
  }
}

/** As late as each framework lets a layer outside do it. */
const afterwards: Native = {
  koa: (app) =>
    app.use(async (ctx, next) => {
      const token = tokenOf(ctx.req)
      await next()
      if (token !== undefined) ctx.append('Set-Cookie', cookieOf(token))
    }),
  fastify: (app) => {
    app.addHook('onRequest', async (request) => void tokenOf(request.raw))
    app.addHook('onSend', async (request, reply) => {
      const token = tokenOf(request.raw)
      if (token !== undefined) reply.header('Set-Cookie', cookieOf(token))
    })
  },
  express: (app) =>
    app.use((req, res, next) => {
      const token = tokenOf(req)
      const end = res.end.bind(res) as (...args: unknown[]) => typeof res
      if (token !== undefined) {
        res.end = (...args: unknown[]) => {
          if (!res.headersSent) res.append('Set-Cookie', cookieOf(token))
          return end(...args)
        }
      }
      next()
    }),
}

const LATE: [id: string, how: string, app: Partial<Description>][] = [
  ['TOKEN-03', 'as the head is written', { outside: atTheHead }],
  ['TOKEN-04', 'among the arguments of writeHead', { outside: inTheHead }],
  ['TOKEN-05', 'after the app has answered', { before: afterwards }],
]
const personal: Description['routes'] = {
  '/page': ({ req }) => text(`your token: ${tokens.get(req) ?? 'none'}`, swr),
  '/other': ({ req }) => text(`your token: ${tokens.get(req) ?? 'none'}`),
}

for (const [id, how, app] of LATE) {
  scenario(id, `a cookie that a layer outside sets ${how} keeps its page for one visitor`, anyStore, async (stage) => {
    for (const rule of [{}, { cookies: 'ignore' }, { sealed: true }] as const) {
      const options = { maxAge: 10, ...rule }
      const { site } = await expectOwn(stage, { ...app, options, routes: personal }, ['/page', '/other'])
      expect(site.cache.stats().events.hit).toBeGreaterThan(0)
    }
  })
}
