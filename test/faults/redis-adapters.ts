import KeyvRedis from '@keyv/redis'

const reconnectStrategy = (tries: number): number => Math.min(50 * 2 ** tries, 500)

/** What docs/stores.md asks for. */
export function carefulAdapter(port: number, more: { password?: string } = {}): KeyvRedis<string> {
  const socket = { host: '127.0.0.1', port, connectTimeout: 1000, socketTimeout: 1500, reconnectStrategy }
  return new KeyvRedis<string>(
    { socket, pingInterval: 500, disableOfflineQueue: true, ...more },
    { throwOnErrors: true },
  )
}

/** The same, past the proxy. */
export function directAdapter(path: string): KeyvRedis<string> {
  const socket = { path, tls: false as const, connectTimeout: 1000, socketTimeout: 1500, reconnectStrategy }
  return new KeyvRedis<string>({ socket, pingInterval: 500, disableOfflineQueue: true }, { throwOnErrors: true })
}

/** What somebody writes who has read nothing. */
export const naiveAdapter = (port: number): KeyvRedis<string> => new KeyvRedis<string>(`redis://127.0.0.1:${port}`)
