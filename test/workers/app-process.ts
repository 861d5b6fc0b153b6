// One app, as a server or as its worker: `node app-process.ts <order as JSON>`. Tells its port, its renders and its events.
import { bullmqQueue } from '@cacheback/bullmq'
import { createCacheback } from '@cacheback/core'
import { AsyncLocalStorage } from 'node:async_hooks'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Framework } from '../support/app.ts'
import { expressFramework } from '../support/express.ts'
import { fastify } from '../support/fastify.ts'
import { koa } from '../support/koa.ts'
import { text } from '../support/reply.ts'
import { redisKeyv } from '../support/stores.ts'
import type { ProcessOptions } from './process.ts'

const FRAMEWORKS: Readonly<Record<string, Framework>> = { fastify, express: expressFramework, koa }

const { role, framework, name, redisPath, queuePath, lostAfterMs, renderMs } = JSON.parse(
  process.argv[2]!,
) as ProcessOptions
const tell = (told: object): void => {
  if (process.connected) process.send!(told)
}

const cache = createCacheback({
  name,
  store: await redisKeyv(redisPath, 'workers'),
  storeTimeoutMs: { get: 1000, set: 1000 },
  maxAge: 2,
  staleWhileRevalidate: 600,
  refresh: {
    queue: bullmqQueue({ connection: { socket: { path: queuePath, tls: false } }, backOffMs: 100 }),
    lostAfterMs,
  },
})
let renders = 0
const app = await FRAMEWORKS[framework]!.start({
  cache,
  visitors: new AsyncLocalStorage(),
  routes: { '/page': { answer: () => text(''), cacheback: { maxAge: 2, query: false } } },
  async render() {
    renders += 1
    tell({ render: renders })
    if (role === 'worker') await sleep(renderMs)
    return text(`${role} ${process.pid}`)
  },
})
cache.attach(app.server)
for (const event of ['refresh', 'refresh-sent', 'refresh-failed', 'refresh-dropped', 'queue-error'] as const) {
  cache.on(event, ({ reason }) => tell({ event, reason }))
}
if (role === 'worker') cache.work({ concurrency: 2 })
tell({ port: (app.server.address() as AddressInfo).port })

process.once('SIGTERM', () => {
  process.disconnect()
  void app.close().then(() => cache.close())
})
