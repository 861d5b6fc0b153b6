import type { AddressInfo } from 'node:net'
import http from 'node:http'

import { type Cacheback, createCacheback } from '@cacheback/core'
import { type Layer, type Visit, layerOf } from '@cacheback/core/adapter'
import KeyvRedis from '@keyv/redis'
import { Keyv } from 'keyv'
import { expect, inject, onTestFinished, test } from 'vitest'

import { startRedis } from '../support/redis.ts'

/** The second pair of libraries: keyv 6 with the release candidate of its Redis adapter. */
const stores = {
  'in memory': () => new Keyv(),
  'on Redis': () => onRedis(inject('redisSocket')),
}

let namespaces = 0

test.each(Object.entries(stores))('a response outlives its process in keyv 6 %s', async (_name, makeKeyv) => {
  namespaces += 1
  const name = `keyv6-${namespaces}`
  const keyv = makeKeyv()
  // Bytes that are no text, and enough of them to need base64 lines.
  const body = Buffer.from(Uint8Array.from({ length: 5000 }, (_, index) => index % 256))
  const first = createCacheback({ store: keyv, name, maxAge: 60 })
  const one = await serve(first, (_req, res) => void res.end(body))
  expect((await ask(one)).cacheStatus).toBe(`${name}; fwd=uri-miss; stored`)
  await first.idle()

  const second = createCacheback({ store: keyv, name, maxAge: 60 })
  const other = await serve(second, (_req, res) => void res.end('rendered again'))
  const hit = await ask(other)
  expect(hit.cacheStatus).toMatch(/; hit; ttl=/)
  expect(hit.body).toEqual(body)

  await first.purge({ prefix: '/' })
  const third = createCacheback({ store: keyv, name, maxAge: 60 })
  expect((await ask(await serve(third, (_req, res) => void res.end('new')))).body.toString()).toBe('new')
  await Promise.all([first, second, third].map((cache) => cache.idle()))
  await first.close()
})

test('keyv 6 loses its Redis: every request is answered, and nothing ends the process', async () => {
  const redis = await startRedis()
  onTestFinished(redis.stop)
  const cache = createCacheback({ store: onRedis(redis.socketPath), memory: false, maxAge: 60 })
  const port = await serve(cache, (_req, res) => void res.end('rendered'))
  expect((await ask(port)).status).toBe(200)
  await cache.idle()
  expect((await ask(port)).cacheStatus).toContain('; hit')

  await redis.kill()
  for (let i = 0; i < 10; i += 1) {
    const answer = await ask(port)
    expect(answer.body.toString()).toBe('rendered')
  }
  // One page: after its first failed write nothing is asked about it any more, so the breaker need not open.
  expect(cache.stats().events['store-error']).toBeGreaterThan(0)
  await cache.close()
})

function onRedis(path: string): Keyv {
  const client = { socket: { path, tls: false as const, connectTimeout: 1000, socketTimeout: 1500 } }
  return new Keyv(new KeyvRedis({ ...client, pingInterval: 500, disableOfflineQueue: true }))
}

/** The cache before a bare listener, without any framework. */
async function serve(cache: Cacheback, listener: http.RequestListener): Promise<number> {
  const enter = layerOf(cache)
  const server = http.createServer((req, res) => void passThrough(enter, req, res, listener))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())))
  return (server.address() as AddressInfo).port
}

const nothing = (): undefined => undefined

async function passThrough(
  enter: Layer,
  req: http.IncomingMessage,
  res: http.ServerResponse,
  listener: http.RequestListener,
): Promise<void> {
  const target = req.url ?? ''
  const visit: Visit = { req, res, target, rewritten: undefined, standing: nothing, route: nothing, take: nothing }
  if ((await enter(visit)) === 'proceed') listener(req, res)
}

function ask(port: number): Promise<{ status: number | undefined; cacheStatus: string; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const get = http.get({ port, path: '/page', headers: { Host: 'example.test' }, agent: false }, (res) => {
      const chunks: Buffer[] = []
      res.on('data', (chunk: Buffer) => chunks.push(chunk))
      res.on('end', () => {
        const cacheStatus = String(res.headers['cache-status'])
        resolve({ status: res.statusCode, cacheStatus, body: Buffer.concat(chunks) })
      })
    })
    get.on('error', reject)
  })
}
