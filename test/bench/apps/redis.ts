import KeyvRedis, { type RedisClientType } from '@keyv/redis'

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
