import { type RedisClientOptions, type RedisClientType, createClient } from '@redis/client'
import { type IRedisClient, createNodeRedisClient } from 'bullmq'

/** Options of node-redis: `url`, or `socket` with `host` and `port` or `path`; `username`, `password`, `database`, … */
export type ConnectionOptions = Pick<
  RedisClientOptions,
  'url' | 'socket' | 'username' | 'password' | 'credentialsProvider' | 'database' | 'name' | 'clientInfoTag'
>

type Client = RedisClientType
type Settings = Pick<RedisClientOptions, 'pingInterval' | 'disableOfflineQueue' | 'commandsQueueMaxLength' | 'socket'>

export const isConnection = (value: unknown): boolean =>
  typeof value === 'string'
    ? /^rediss?:\/\//.test(value)
    : typeof value === 'object' && value !== null && !isClient(value)

/** A client of the application has settings of its own, and an offline queue perhaps. */
const isClient = (value: object): boolean => 'sendCommand' in value || 'defineCommand' in value

const reconnectStrategy = (tries: number): number => Math.min(50 * 2 ** tries, 2000)

/** A command that Redis does not take now is refused now: nothing waits for it, and nothing lands after an outage. */
const PRODUCER: Settings = {
  pingInterval: 500,
  disableOfflineQueue: true,
  commandsQueueMaxLength: 1000,
  socket: { connectTimeout: 1000, socketTimeout: 1500, reconnectStrategy },
}

/**
 * A worker waits: BullMQ blocks its connection for up to ten seconds, so silence is longer here before it means that
 * Redis hangs, and what is to be said of a job that has been done waits for the connection to be back.
 */
const WORKER: Settings = {
  pingInterval: 4000,
  commandsQueueMaxLength: 1000,
  socket: { connectTimeout: 1000, socketTimeout: 20_000, reconnectStrategy },
}

/** Connections of our own to Redis, for one queue or worker of BullMQ. */
export class Link {
  /** What BullMQ takes. */
  readonly adapter: IRedisClient
  readonly #client: Client
  readonly #onError: (error: unknown) => void
  /** It, and all that BullMQ has made of it. */
  readonly #adapters: IRedisClient[] = []

  constructor(connection: string | ConnectionOptions, role: 'producer' | 'worker', onError: (error: unknown) => void) {
    this.#onError = onError
    this.#client = makeClient(connection, role === 'producer' ? PRODUCER : WORKER)
    this.adapter = this.#known(createNodeRedisClient(this.#client))
  }

  get isReady(): boolean {
    return this.#client.isReady
  }

  /** What Redis does when its memory is full, if it says so. */
  async evictionPolicy(): Promise<string | undefined> {
    const memory = await this.#client.info('memory')
    return /^maxmemory_policy:(\S+)/m.exec(memory)?.[1]
  }

  /** Ends them now, whatever they wait for, and says so to those who wait for them. */
  end(): void {
    for (const adapter of this.#adapters) adapter.disconnect()
  }

  /** BullMQ stops listening before its connections have ended, and an error that nobody hears ends the process. */
  #known(adapter: IRedisClient): IRedisClient {
    this.#adapters.push(adapter)
    adapter.on('error', (error) => this.#onError(error))
    const duplicate = adapter.duplicate.bind(adapter)
    return Object.assign(adapter, { duplicate: (...overrides: unknown[]) => this.#known(duplicate(...overrides)) })
  }
}

function makeClient(connection: string | ConnectionOptions, settings: Settings): Client {
  const given = typeof connection === 'string' ? { url: connection } : connection
  const socket = { ...given.socket, ...settings.socket } as NonNullable<RedisClientOptions['socket']>
  return createClient({ ...given, ...settings, socket }) as Client
}
