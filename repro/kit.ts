import { createCacheback, type CachebackOptions } from '@cacheback/core'
import { redisStore } from '@cacheback/redis'
import { createClient } from '@redis/client'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { onTestFinished } from 'vitest'
import { startRedis } from '../test/support/redis.ts'

export const sleep = (ms: number) => new Promise<void>((r) => setTimeout(r, ms))
export async function redis(args: string[] = []) {
  const server = await startRedis({ args })
  onTestFinished(server.stop)
  const admin = createClient({ socket: { path: server.socketPath, tls: false } })
  admin.on('error', () => undefined)
  await admin.connect()
  onTestFinished(() => void (admin.isOpen && admin.destroy()))
  return { server, admin, path: server.socketPath }
}
export async function proc(path: string, app: RequestListener, options: CachebackOptions = {}, wrap?: (member: any) => void) {
  const store = redisStore({ client: createClient({ socket: { path, tls: false } }), prefix: 'p:' })
  if (wrap) {
    const join = store.join.bind(store)
    store.join = (party) => { const m: any = join(party); wrap(m); return m }
  }
  await store.ready()
  const cache = createCacheback({ store, maxAge: 60, storeTimeoutMs: { get: 1000, set: 1000 }, ...options })
  const server = createServer(cache.listener(app))
  await new Promise<void>((r) => server.listen(0, r))
  const port = (server.address() as any).port
  onTestFinished(async () => { server.closeAllConnections(); server.close(); await cache.close() })
  const events: string[] = []
  for (const e of ['store-error', 'breaker', 'refresh-failed'] as const) cache.on(e, (x: any) => events.push(`${e}:${x.reason}`))
  const ask = async (p: string, headers: Record<string, string> = {}) => {
    const res = await new Promise<IncomingMessage>((resolve, reject) => {
      const req = (globalThis as any).__http.request({ port, path: p, headers: { host: 'x', ...headers }, agent: false }, resolve)
      req.on('error', reject); req.end()
    })
    let text = ''
    for await (const c of res) text += c
    return { status: res.statusCode, text, cs: String(res.headers['cache-status']), headers: res.headers }
  }
  await sleep(20)
  return { cache, ask, events, store, port }
}
import http from 'node:http'
;(globalThis as any).__http = http
