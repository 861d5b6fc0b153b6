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

for (const [id, place, where] of [
  ['TOKEN-01', 'outside', 'outside'],
  ['TOKEN-02', 'inside', 'inside'],
] as const) {
  scenario(
    id,
    `a token that middleware ${place} the cache writes into a form is that of the visitor’s own cookie`,
    anyStore,
    async (stage) => {
      for (const rule of RULES) {
        const options = { maxAge: 10, staleWhileRevalidate: 600, ...rule }
        const { known } = await expectOwn(stage, { options, [where]: doubleSubmit, routes: forms }, ['/form', '/page'])
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

const isNew = (req: IncomingMessage): boolean => req.headers['x-visitor'] === 'nobody'
const newCookie = (): string => `sid=secret-${randomUUID()}`

/** As on-headers does: just before the head is written. */
const atTheHead: Middleware = ({ req, res }) => {
  const writeHead = res.writeHead.bind(res) as (...args: unknown[]) => ServerResponse
  if (!isNew(req)) return
  res.writeHead = (...args: unknown[]) => {
    res.appendHeader('Set-Cookie', newCookie())
    return writeHead(...args)
  }
}

/** Among the arguments of writeHead, whatever their form. */
const inTheHead: Middleware = ({ req, res }) => {
  const writeHead = res.writeHead.bind(res) as (...args: unknown[]) => ServerResponse
  if (!isNew(req)) return
  res.writeHead = (...args: unknown[]) => {
    const fields = args.findLast((arg) => typeof arg === 'object')
    const added = Array.isArray(fields)
      ? [...fields, 'Set-Cookie', newCookie()]
      : { ...(fields as object), 'Set-Cookie': newCookie() }
    return writeHead(...args.filter((arg) => typeof arg !== 'object' && arg !== undefined), added)
  }
}

/** As late as each framework lets a layer outside do it. */
const afterwards: Native = {
  koa: (app) =>
    app.use(async (ctx, next) => {
      await next()
      if (isNew(ctx.req)) ctx.append('Set-Cookie', newCookie())
    }),
  fastify: (app) =>
    app.addHook('onSend', async (request, reply) => {
      if (isNew(request.raw)) reply.header('Set-Cookie', newCookie())
    }),
  express: (app) =>
    app.use((req, res, next) => {
      const end = res.end.bind(res) as (...args: unknown[]) => typeof res
      if (isNew(req)) {
        res.end = (...args: unknown[]) => {
          if (!res.headersSent) res.append('Set-Cookie', newCookie())
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

for (const [id, how, app] of LATE) {
  scenario(id, `a cookie that a layer outside sets ${how} is that of one visitor`, anyStore, async (stage) => {
    for (const rule of RULES) {
      const routes = { '/page': text('a page for everybody', swr), '/other': text('another page') }
      const { site } = await expectOwn(stage, { ...app, options: { maxAge: 10, ...rule }, routes }, ['/page', '/other'])
      expect(site.cache.stats().events.hit).toBeGreaterThan(0)
    }
  })
}
