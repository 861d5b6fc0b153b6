import { createCacheback, type KeyvLike } from '@cacheback/core'
import { cacheback as expressCacheback } from '@cacheback/express'
import { cachebackPlugin } from '@cacheback/fastify'
import { cacheback as koaCacheback } from '@cacheback/koa'
import express from 'express'
import Fastify from 'fastify'
import Koa from 'koa'
import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { carefulKeyv } from './careful-keyv.ts'
import type { StoppingOptions } from './stop.ts'

// Apps that end at SIGTERM as those of careful users do, and say on stdout what happens when. Nobody calls process.exit.

const [name = 'fastify', given = '{}'] = process.argv.slice(2)
const { redisSocket, namespace, refresh } = JSON.parse(given) as StoppingOptions

const say = (line: string): void => void process.stdout.write(`${line}\n`)

process.on('warning', ({ name: kind, message }) => kind !== 'ExperimentalWarning' && say(`warning: ${message}`))

const telling = <T>(line: string, result: Promise<T>): Promise<T> => {
  say(line)
  return result
}

async function redisStore(path: string): Promise<KeyvLike> {
  const keyv = await carefulKeyv(path, namespace)
  return {
    get: (key) => telling('store read', keyv.get(key)),
    set: (key, value, ttl) => telling('store write', keyv.set(key, value, ttl)),
    delete: (key) => telling('store delete', keyv.delete(key)),
    on: (event, listener) => keyv.on(event, listener),
    disconnect: () => telling('store closed', keyv.disconnect()),
  }
}

let elapsedMs = 0
let pages = 0
const cache = createCacheback({
  now: () => Date.now() + elapsedMs,
  maxAge: 10,
  staleWhileRevalidate: 600,
  ...(redisSocket === undefined ? {} : { store: await redisStore(redisSocket) }),
})

async function answer(url: string, res: ServerResponse): Promise<string> {
  if (url === '/later') elapsedMs += 11_000
  if (url === '/slow') {
    say('visitor waits')
    await sleep(400)
  }
  if (url === '/x' && ++pages > 1) {
    res.once('close', () => say('refresh ended'))
    say('refresh began')
    if (refresh === 'hangs') await new Promise(() => undefined)
    await sleep(800)
  }
  return url
}

async function listen(server: Server): Promise<Server> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return server
}

/** Closes the server, and the cache with it. */
const stopBoth = (server: Server) => async (): Promise<void> => {
  await Promise.all([new Promise((resolve) => server.close(resolve)), cache.close()])
}

interface Running {
  readonly server: Server
  readonly stop: () => Promise<unknown>
}

const STARTS: Readonly<Record<string, () => Promise<Running>>> = {
  async fastify() {
    const app = Fastify()
    await app.register(cachebackPlugin, { cache })
    app.get('/*', (request, reply) => answer(request.url, reply.raw))
    await app.listen({ host: '127.0.0.1', port: 0 })
    // The plugin closes the cache.
    return { server: app.server, stop: () => app.close() }
  },
  async express() {
    const app = express()
    app.use(expressCacheback(cache))
    app.use(async (req, res) => void res.send(await answer(req.url, res)))
    const server = await listen(createServer(app))
    return { server, stop: stopBoth(server) }
  },
  async koa() {
    const app = new Koa()
    app.use(koaCacheback(cache))
    app.use(async (ctx) => {
      ctx.body = await answer(ctx.url, ctx.res)
    })
    const server = await listen(createServer(app.callback()))
    return { server, stop: stopBoth(server) }
  },
}

const { server, stop } = await STARTS[name]!()
process.once('SIGTERM', () => {
  void stop().then(() => say('stopped'))
})
say(`port ${(server.address() as AddressInfo).port}`)
