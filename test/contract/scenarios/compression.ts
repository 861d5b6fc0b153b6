import fastifyCompress from '@fastify/compress'
import compression from 'compression'
import koaCompress from 'koa-compress'
import { gunzipSync } from 'node:zlib'
import { expect } from 'vitest'
import type { Native } from '../../support/app.ts'
import type { Got } from '../../support/client.ts'
import { json } from '../../support/reply.ts'
import { scenario, type Site } from '../../support/scenario.ts'

const compress: Native = {
  fastify: (app) => app.register(fastifyCompress, { threshold: 0, encodings: ['gzip'] }),
  express: (app) => app.use(compression({ threshold: 0 })),
  koa: (app) => app.use(koaCompress({ threshold: 0, br: false })),
}
const page = { page: 'compressible '.repeat(200) }
const routes = { '/x': json(page, { 'cache-control': 'max-age=10' }) }

function decoded({ headers, body }: Got): unknown {
  return JSON.parse((headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString())
}

/** Whoever comes first and whatever is stored: everybody can read what he gets. */
async function expectReadable(site: Site): Promise<void> {
  const plain = { 'Accept-Encoding': 'identity' }
  const gzip = { 'Accept-Encoding': 'gzip' }
  const encodings: (string | undefined)[] = []
  for (const headers of [gzip, plain, gzip, plain, {}, gzip]) {
    const got = await site.ask('/x', headers)
    expect(got).toMatchObject({ status: 200, complete: true })
    expect(decoded(got)).toEqual(page)
    if (headers !== gzip) expect(got.headers['content-encoding']).toBeUndefined()
    encodings.push(got.headers['content-encoding'])
  }
  // @fastify/compress sends no Vary where it does not compress: what it sent last may then be for everybody.
  expect(encodings).toContain('gzip')
  expect(site.renders()).toBeLessThanOrEqual(3)
}

scenario('ZIP-01', 'compression inside the cache: every visitor can read his variant', async ({ serve }) => {
  await expectReadable(await serve({ after: compress, routes }))
})

scenario('ZIP-02', 'compression outside the cache: every visitor can read what he gets', async ({ serve }) => {
  await expectReadable(await serve({ before: compress, routes }))
})

scenario('ZIP-03', 'a compressed page is refreshed compressed', async ({ serve, clock }) => {
  const headers = { 'cache-control': 'max-age=10, stale-while-revalidate=60' }
  const site = await serve({
    after: compress,
    routes: { '/x': ({ n }) => json({ ...page, n }, headers) },
  })
  const gzip = { 'Accept-Encoding': 'gzip' }
  expect(decoded(await site.ask('/x', gzip))).toMatchObject({ n: 1 })
  clock.advance(11)
  expect(decoded(await site.ask('/x', gzip))).toMatchObject({ n: 1 })
  const renewed = await site.ask('/x', gzip)
  expect(decoded(renewed)).toMatchObject({ n: 2 })
  expect(renewed.headers['content-encoding']).toBe('gzip')
})
