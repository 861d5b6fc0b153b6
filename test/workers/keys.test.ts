import { text as textOf } from 'node:stream/consumers'
import { expect, inject, test } from 'vitest'
import { redisCommand, redisKeys } from '../faults/redis-command.ts'
import type { Exchange } from '../support/app.ts'
import { expressFramework } from '../support/express.ts'
import { fastify } from '../support/fastify.ts'
import { koa } from '../support/koa.ts'
import { type Reply, empty, text } from '../support/reply.ts'
import { soon, startPair } from './site.ts'

const FRAMEWORKS = [fastify, expressFramework, koa]

const validated = ({ headers }: Exchange): Reply =>
  headers['if-none-match'] === '"1"' ? empty(304, { ETag: '"1"' }) : text('page', { ETag: '"1"' })

const echoed = async ({ req }: Exchange): Promise<Reply> => text(await textOf(req))

test('WORKER-7 nothing of a visitor is in a job but what is in the key', async () => {
  const { web, clock, name } = await startPair({
    options: { cookies: { key: ['theme'] }, query: ['page'], vary: ['X-Country'] },
    answer: () => text('page', { Vary: 'Accept-Language' }),
  })
  const headers = {
    'Accept-Language': 'de',
    'X-Country': 'NZ',
    'User-Agent': 'SECRET-AGENT',
    Cookie: 'theme=dark; session=SECRET-SESSION',
    'X-Forwarded-Host': 'public.test',
    'X-Forwarded-For': '203.0.113.77',
    'X-Anything': 'SECRET-HEADER',
    Referer: 'http://SECRET-REFERER/',
  }
  await web.visit('/page?page=2&token=SECRET-TOKEN', headers)
  await web.cache.idle()
  clock.advance(11)
  await web.visit('/page?page=2&token=SECRET-TOKEN', headers)
  await web.cache.idle()
  const [key] = (await redisKeys(inject('redisSocket'))).filter((found) =>
    new RegExp(`^bull:${name}:\\d+$`).test(found),
  )
  const job = await redisCommand(inject('redisSocket'), ['HGET', key!, 'data'])
  for (const kept of ['NZ', 'de', 'theme=dark', 'public.test', '/page?page=2']) expect(job).toContain(kept)
  expect(job).not.toMatch(/SECRET|203\.0\.113\.77|session/)
})

test('WORKER-8 variants, keyed cookies and the forwarded origin are rendered as the web process would', async () => {
  const { web, worker, clock } = await startPair({
    options: { cookies: { key: ['theme'] }, vary: ['X-Country'] },
    answer: ({ headers }) =>
      text(
        ['accept-language', 'x-country', 'cookie', 'x-forwarded-host'].map((name) => String(headers[name])).join(' '),
        {
          Vary: 'Accept-Language',
        },
      ),
  })
  worker.cache.work()
  const visitors = ['de', 'en'].map((language) => ({
    'Accept-Language': language,
    'X-Country': 'NZ',
    Cookie: 'theme=dark; session=1',
    'X-Forwarded-Host': 'public.test',
  }))
  const texts = ['de', 'en'].map((language) => `${language} NZ theme=dark public.test`)
  for (const visitor of visitors) await web.visit('/page', visitor)
  await web.cache.idle()
  const rendered = web.renders.length
  clock.advance(11)
  for (const [i, visitor] of visitors.entries()) expect((await web.visit('/page', visitor)).text).toBe(texts[i])
  await soon(() => expect(worker.renders).toHaveLength(2))
  for (const [i, visitor] of visitors.entries()) {
    await soon(async () => expect((await web.visit('/page', visitor)).warning).toBeUndefined())
    expect((await web.visit('/page', visitor)).text).toBe(texts[i])
  }
  expect(web.renders).toHaveLength(rendered)
})

test('WORKER-11 what something before the cache has rewritten is rewritten in the worker as well', async () => {
  const before = {
    express: (app: { use: (middleware: unknown) => void }) =>
      app.use((req: { url: string }, _res: unknown, next: () => void) => {
        req.url = req.url.replace('/old/', '/new/')
        next()
      }),
  }
  const { web, worker, clock } = await startPair({ framework: expressFramework, before })
  worker.cache.work()
  expect((await web.visit('/old/page')).cacheStatus).toContain('stored')
  await web.cache.idle()
  clock.advance(11)
  await web.visit('/old/page')
  await soon(async () => expect((await web.visit('/old/page')).text).toBe('worker 1'))
  expect(web.renders).toHaveLength(1)
})

test('WORKER-14 parameters that a page has said do not matter', async () => {
  const { web, worker, clock } = await startPair({
    options: { noVarySearch: true },
    answer: ({ n, url }) => text(`${url} ${n}`, { 'No-Vary-Search': 'params=("utm")' }),
  })
  worker.cache.work()
  await web.visit('/page?utm=1')
  await web.cache.idle()
  expect((await web.visit('/page?utm=2')).cacheStatus).toContain('hit')
  clock.advance(11)
  expect((await web.visit('/page?utm=3')).text).toBe('/page?utm=1 1')
  await soon(async () => expect((await web.visit('/page?utm=3')).warning).toBeUndefined())
  expect(worker.renders).toHaveLength(1)
  expect(web.renders).toHaveLength(1)
})

test('WORKER-15 a QUERY is asked again with its content, also where only its route caches it', async () => {
  const routes = { '/search': { methods: ['QUERY'], cacheback: { queryMethod: true }, answer: echoed } }
  const { web, worker, clock } = await startPair({ framework: expressFramework, routes })
  worker.cache.work()
  const ask = () =>
    web.client.visit('QUERY /search', { 'Content-Type': 'application/json' }, { body: '{"q":"tui"}' }).done
  const first = await ask()
  expect(first.cacheStatus).toContain('stored')
  await web.cache.idle()
  clock.advance(11)
  expect((await ask()).text).toBe(first.text)
  await soon(async () => expect((await ask()).cacheStatus).toMatch(/hit; ttl=\d/))
  expect((await ask()).text).toBe('{"q":"tui"}')
  // The first was to find out the rules of its route.
  expect(worker.renders).toHaveLength(2)
  expect(web.renders).toHaveLength(1)
})

test.each(FRAMEWORKS)(
  'WORKER-18 a page that the app says to be the same is freshened, and never gone meanwhile ($name)',
  async (framework) => {
    const routes = { '/page': { answer: validated, cacheback: { maxAge: 5 } } }
    const { web, worker, clock } = await startPair({ framework, routes })
    worker.cache.work()
    await web.visit('/page')
    await web.cache.idle()
    for (const asked of [[undefined, '"1"'], ['"1"']]) {
      const before = worker.renders.length
      clock.advance(6)
      expect((await web.visit('/page')).cacheStatus).toMatch(/ttl=-\d/)
      await soon(async () => expect((await web.visit('/page')).cacheStatus).toMatch(/hit; ttl=\d/))
      // The first finds out the rules of the route, the second is by these.
      expect(worker.renders.slice(before).map(({ headers }) => headers['if-none-match'])).toEqual(asked)
    }
    expect(worker.count('refresh')).toBe(2)
    expect(web.renders).toHaveLength(1)
  },
)
