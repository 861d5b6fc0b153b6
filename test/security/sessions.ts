import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import type { CachebackOptions } from '@cacheback/core'
import session from 'express-session'
import koaSession from 'koa-session'
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { expect } from 'vitest'
import type { Description, Native } from '../support/app.ts'
import { text } from '../support/reply.ts'
import { anyStore, scenario, type Site, type Stage } from '../support/scenario.ts'
import { expectOwn } from './people.ts'

// Sessions, tokens in forms and cookies that are set late, with the libraries of the frameworks, outside the cache and inside.

interface Session {
  user?: string
  token?: string
}
const sessions = new WeakMap<IncomingMessage, Session>()
const sessionOf = (req: IncomingMessage): Session => sessions.get(req) ?? {}
const secret = 'a secret that is long enough for everybody'

interface Habits {
  /** A new session is saved, and its cookie sent, even if nothing was put into it. */
  readonly eager: boolean
}

/** The sessions of each framework; a handler finds his by `sessionOf`. */
const sessionLayer = ({ eager }: Habits): Native => ({
  fastify: async (app) => {
    await app.register(fastifyCookie)
    await app.register(fastifySession, { secret, saveUninitialized: eager, rolling: eager, cookie: { secure: false } })
    app.addHook('onRequest', async (request) => {
      sessions.set(request.raw, request.session as Session)
    })
  },
  express: (app) => {
    app.use(session({ secret, resave: eager, rolling: eager, saveUninitialized: eager }))
    app.use((req, _res, next) => {
      sessions.set(req, req.session as Session)
      next()
    })
  },
  koa: (app) => {
    app.keys = [secret]
    app.use(koaSession({ rolling: eager, signed: true }, app))
    app.use((ctx, next) => {
      const own = ctx['session'] as Session & { visit?: string }
      // koa-session saves only what has been touched.
      if (eager) own.visit ??= randomUUID()
      sessions.set(ctx.req, own)
      return next()
    })
  },
})

/** Careless: no page says anything of caching, and the cache is told to keep them all. */
const routes: Description['routes'] = {
  '/login': {
    methods: ['POST'],
    answer: ({ req, headers }) => {
      sessionOf(req).user = String(headers['x-name'])
      return text('welcome')
    },
  },
  '/me': ({ req }) => text(`for ${sessionOf(req).user ?? 'nobody'}`),
  '/form': ({ req }) => {
    const own = sessionOf(req)
    own.token ??= `secret-${randomUUID()}`
    return text(`for ${own.user ?? 'nobody'}: ${own.token}`)
  },
  '/page': text('a page for everybody'),
}
const PATHS = ['/me', '/form', '/page']
const keepAll: CachebackOptions = { maxAge: 10, staleWhileRevalidate: 600, staleIfError: 600 }
const COOKIE_NAMES = ['connect.sid', 'sessionId', 'koa.sess', 'koa.sess.sig', 'csrf']

/** Under which rules a person is known by his session cookie, and under which he may be a stranger like all others. */
const RULES: [outside: string, inside: string, what: string, isKnown: boolean, options: CachebackOptions][] = [
  ['SESSION-01', 'SESSION-11', 'by default', true, {}],
  ['SESSION-02', 'SESSION-12', "with cookies: 'ignore'", false, { cookies: 'ignore' }],
  ['SESSION-03', 'SESSION-13', 'where the cookies of sessions bypass', true, { cookies: { bypass: COOKIE_NAMES } }],
  ['SESSION-04', 'SESSION-14', 'where another cookie is keyed', false, { cookies: { key: ['theme'] } }],
  ['SESSION-05', 'SESSION-15', 'where the cookies of sessions are keyed', true, { cookies: { key: COOKIE_NAMES } }],
  ['SESSION-06', 'SESSION-16', 'sealed', true, { sealed: true }],
  ['SESSION-07', 'SESSION-17', "sealed, with cookies: 'ignore'", false, { sealed: true, cookies: 'ignore' }],
]

/** Everybody has his own session, and is known by it where the rule lets him be. */
async function expectOwnSessions(stage: Stage, app: Description, isKnown: boolean): Promise<Site> {
  const { site, known } = await expectOwn(stage, app, PATHS)
  if (isKnown) for (const one of known) expect(one.names(), one.name).toEqual(new Set([one.name]))
  return site
}

for (const [outside, inside, what, isKnown, options] of RULES) {
  for (const [id, place, where] of [
    [outside, 'outside', 'before'],
    [inside, 'inside', 'after'],
  ] as const) {
    scenario(id, `a session ${place} the cache is its owner’s, ${what}`, anyStore, async (stage) => {
      const app = { options: { ...keepAll, ...options }, [where]: sessionLayer({ eager: false }), routes }
      const site = await expectOwnSessions(stage, app, isKnown)
      // It is a cache that all this was about.
      expect(site.cache.stats().events.hit).toBeGreaterThan(0)
    })
  }
}

for (const [id, place, where] of [
  ['SESSION-08', 'outside', 'before'],
  ['SESSION-18', 'inside', 'after'],
] as const) {
  scenario(id, `likewise ${place} the cache where every answer brings a new cookie`, anyStore, async (stage) => {
    // By default, ignored, keyed, sealed.
    for (const [, , , isKnown, options] of RULES.filter((_, i) => i !== 2 && i !== 3 && i !== 6)) {
      const app = { options: { ...keepAll, ...options }, [where]: sessionLayer({ eager: true }), routes }
      await expectOwnSessions(stage, app, isKnown)
    }
  })
}
