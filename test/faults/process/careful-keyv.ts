import KeyvRedis from '@keyv/redis'
import { Keyv } from 'keyv'

const reconnectStrategy = (tries: number): number => Math.min(50 * 2 ** tries, 500)

/** A Keyv on Redis with the settings of the README, connected. */
export async function carefulKeyv(path: string, namespace: string): Promise<Keyv> {
  const socket = { path, tls: false as const, connectTimeout: 1000, socketTimeout: 1500, reconnectStrategy }
  const adapter = new KeyvRedis<string>(
    { disableOfflineQueue: true, pingInterval: 500, socket },
    { throwOnErrors: true },
  )
  const keyv = new Keyv({ store: adapter, namespace })
  keyv.on('error', () => undefined)
  await adapter.getClient()
  return keyv
}
