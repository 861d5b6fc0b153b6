import { createServer, type Server } from 'node:http'

import { createCacheback, type CachebackOptions } from '@cacheback/core'
import { cacheback } from '@cacheback/express'
import KeyvRedis, { type RedisClientType } from '@keyv/redis'

import type { Page } from '../page.ts'

/** The settings of docs/stores.md, connected; but a process that is stopped in turns would miss their deadlines. */
export async function connectRedis(path: string | undefined): Promise<KeyvRedis<string>> {
  if (path === undefined) throw new Error('it needs a Redis')
  const adapter = new KeyvRedis<string>({
    socket: { path, tls: false, connectTimeout: 10_000, socketTimeout: 600_000, reconnectStrategy: () => 500 },
    pingInterval: 300_000,
    disableOfflineQueue: true,
  })
  await adapter.getClient()
  return adapter
}

/** The client that the adapter made. */
export function clientOf(adapter: KeyvRedis<string>): RedisClientType {
  return adapter.client as RedisClientType
}

/** RESP's type of a string of bytes, in node-redis's words. */
const BLOB_STRING = 36

/** The same client, whose replies are bytes. */
export function bytesOf(client: RedisClientType) {
  return client.withTypeMapping({ [BLOB_STRING]: Buffer })
}

/** The middleware on plain node:http, so that no framework's cost is in it; every hit comes from the store. */
export function serveFrom(store: CachebackOptions['store'], page: Page): Server {
  // A process that is stopped in turns would find every call of its pauses too slow.
  const storeTimeoutMs = { get: 60_000, set: 60_000 }
  const caching = cacheback(createCacheback({ store, memory: false, storeTimeoutMs }))
  return createServer((req, res) => {
    caching(req, res, () => {
      for (const [name, value] of Object.entries(page.head)) res.setHeader(name, value)
      void page.render(req.url ?? '', (body) => void res.end(body))
    })
  })
}
