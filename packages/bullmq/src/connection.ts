import { type RedisClientOptions, type RedisClientType, createClient } from '@redis/client'

/** Options of node-redis: `url`, or `socket` with `host` and `port` or `path`; `username`, `password`, `database`, … */
export type ConnectionOptions = Pick<
  RedisClientOptions,
  'url' | 'socket' | 'username' | 'password' | 'credentialsProvider' | 'database' | 'name' | 'clientInfoTag'
>

export type Client = RedisClientType

export const isConnection = (value: unknown): boolean =>
  typeof value === 'string'
    ? /^rediss?:\/\//.test(value)
    : typeof value === 'object' && value !== null && !isClient(value)

/** A client of the application has settings of its own, and an offline queue perhaps. */
const isClient = (value: object): boolean => 'sendCommand' in value || 'defineCommand' in value

const reconnectStrategy = (tries: number): number => Math.min(50 * 2 ** tries, 2000)

/** A command that Redis does not take now is refused now: nothing waits for it, and nothing lands after an outage. */
export const producerClient = (connection: string | ConnectionOptions): Client =>
  makeClient(connection, {
    pingInterval: 500,
    disableOfflineQueue: true,
    commandsQueueMaxLength: 1000,
    socket: { connectTimeout: 1000, socketTimeout: 1500, reconnectStrategy },
  })

/**
 * Of a worker, who waits: BullMQ blocks its connection for up to ten seconds, so silence is longer here before it means
 * that Redis hangs, and what is to be said of a job that has been done waits for the connection to be back.
 */
export const workerClient = (connection: string | ConnectionOptions): Client =>
  makeClient(connection, {
    pingInterval: 4000,
    commandsQueueMaxLength: 1000,
    socket: { connectTimeout: 1000, socketTimeout: 20_000, reconnectStrategy },
  })

function makeClient(connection: string | ConnectionOptions, own: RedisClientOptions): Client {
  const given = typeof connection === 'string' ? { url: connection } : connection
  const socket = { ...given.socket, ...own.socket } as NonNullable<RedisClientOptions['socket']>
  return createClient({ ...given, ...own, socket }) as Client
}
