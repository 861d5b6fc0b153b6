import { type RedisClient, RedisConnection, isRedisClient } from '@cacheback/core/store'
import { createClient } from '@redis/client'

export type Word = string | Buffer

/** Hears what is published. */
export type Hear = (text: string) => void

/** The connections of one store: one for commands, one that listens. */
export interface Link {
  /** The number of the database that it works in. */
  readonly database: number
  /** Sends a command to the server that has this key. Rejects where there is no connection. */
  run(key: string, words: readonly Word[]): Promise<unknown>
  /** Listens to channels, from now on and after every reconnection. */
  listen(channels: readonly string[], hear: Hear): void
  /** Listens anew: nothing has been heard for too long. */
  listenAgain(): void
  onConnected(listener: () => void): void
  /** Settles with the first connection. */
  ready(): Promise<void>
  /** A new connection for commands: what this one says can no longer be believed. */
  reset(): void
  close(): Promise<void>
}

interface CommandOptions {
  readonly typeMapping: object
}

/** A client of node-redis, as far as it is needed here. */
export interface NodeRedisClient extends Omit<RedisClient, 'sendCommand'> {
  sendCommand(words: readonly Word[], options?: CommandOptions): Promise<unknown>
  duplicate(overrides?: object): NodeRedisClient
  subscribe(channels: readonly string[], listener: (text: string, channel: string) => unknown): Promise<unknown>
}

/** A cluster of node-redis. */
export interface NodeRedisCluster {
  readonly isOpen: boolean
  readonly slots: unknown
  connect(): Promise<unknown>
  destroy(): void
  on(event: string, listener: (...args: unknown[]) => void): unknown
  duplicate(overrides?: object): NodeRedisCluster
  sendCommand(key: string, isReadonly: boolean, words: readonly Word[], options?: CommandOptions): Promise<unknown>
  subscribe(channels: readonly string[], listener: (text: string, channel: string) => unknown): Promise<unknown>
}

/** A sentinel of node-redis. */
export interface NodeRedisSentinel {
  readonly isOpen: boolean
  readonly isReady: boolean
  connect(): Promise<unknown>
  destroy(): unknown
  on(event: string, listener: (...args: unknown[]) => void): unknown
  getSentinelNode(): unknown
  sendCommand(isReadonly: boolean, words: readonly Word[], options?: CommandOptions): Promise<unknown>
  subscribe(channels: readonly string[], listener: (text: string, channel: string) => unknown): Promise<unknown>
}

/** Bulk strings as they are; 36 is their sign in the protocol (RESP_TYPES.BLOB_STRING). */
const AS_BYTES: CommandOptions = { typeMapping: { 36: Buffer } }
const CLOSE_PATIENCE_MS = 300

/** Without these, a Redis that is away or hung would hold commands back, and let them land after an outage. */
const SAFE = { disableOfflineQueue: true, pingInterval: 500 }
const SAFE_SOCKET = { connectTimeout: 1000, socketTimeout: 1500 }
const reconnectStrategy = (tries: number): number => Math.min(50 * 2 ** Math.min(tries, 4), 500) + Math.random() * 50

/** Safe settings over those that are given; a strategy and timeouts of the user's own stay. */
export function safely(options: unknown): object {
  const given = asObject(options)
  return { ...given, ...SAFE, socket: { ...SAFE_SOCKET, reconnectStrategy, ...asObject(given['socket']) } }
}

export function linkTo(url: string): Link {
  return new ClientLink(createClient({ url, ...safely({}) }) as unknown as NodeRedisClient)
}

/** A link by what a user has: his settings, connections of our own. Undefined for what is no client. */
export function linkLike(given: unknown): Link | undefined {
  const client = asObject(given)['client'] ?? given
  if (isCluster(client)) return new ClusterLink(client)
  if (isSentinel(client)) return new SentinelLink(client)
  if (!isRedisClient(client) || typeof (client as { duplicate?: unknown }).duplicate !== 'function') return undefined
  return new ClientLink((client as unknown as NodeRedisClient).duplicate(safely(client.options)))
}

class ClientLink implements Link {
  readonly database: number
  readonly #client: NodeRedisClient
  readonly #connection: RedisConnection
  #subscriber: NodeRedisClient | undefined
  readonly #listening: { readonly channels: readonly string[]; readonly hear: Hear }[] = []

  constructor(client: NodeRedisClient) {
    this.database = databaseOf(client.options)
    this.#client = client
    this.#connection = new RedisConnection(client)
  }

  run(_key: string, words: readonly Word[]): Promise<unknown> {
    return this.#client.isReady ? this.#client.sendCommand(words, AS_BYTES) : this.#runLater(words)
  }

  async #runLater(words: readonly Word[]): Promise<unknown> {
    await this.#connection.ready()
    return this.#client.sendCommand(words, AS_BYTES)
  }

  listen(channels: readonly string[], hear: Hear): void {
    this.#listening.push({ channels, hear })
    if (this.#subscriber === undefined) this.#subscribe()
    else if (this.#subscriber.isReady) subscribe(this.#subscriber, channels, hear)
  }

  listenAgain(): void {
    destroy(this.#subscriber)
    this.#subscribe()
  }

  onConnected(listener: () => void): void {
    this.#client.on('ready', listener)
  }

  async ready(): Promise<void> {
    await this.#connection.ready()
  }

  reset(): void {
    this.#connection.reset()
  }

  async close(): Promise<void> {
    destroy(this.#subscriber)
    if (await this.#connection.answers()) await this.run('', ['QUIT']).catch(() => undefined)
    this.#connection.destroy()
  }

  #subscribe(): void {
    const subscriber = this.#client.duplicate()
    this.#subscriber = subscriber
    subscriber.on('error', () => undefined)
    // It connects again by itself, and listens again to what it has listened to.
    subscriber.connect().then(
      () => this.#listening.forEach(({ channels, hear }) => subscribe(subscriber, channels, hear)),
      () => undefined,
    )
  }
}

/** What clusters and sentinels have in common: they look after their connections themselves. */
abstract class ManyLink implements Link {
  /** A cluster has one alone; of its own a sentinel does not tell (docs/scaling.md). */
  readonly database: number = 0
  protected abstract readonly many: NodeRedisCluster | NodeRedisSentinel
  #connecting: Promise<void> | undefined
  readonly #listening: { readonly channels: readonly string[]; readonly hear: Hear }[] = []
  readonly #onConnected: (() => void)[] = []
  #isConnected = false

  protected abstract send(key: string, words: readonly Word[]): Promise<unknown>

  async run(key: string, words: readonly Word[]): Promise<unknown> {
    if (!this.#isConnected) await this.ready()
    return this.send(key, words)
  }

  listen(channels: readonly string[], hear: Hear): void {
    this.#listening.push({ channels, hear })
    if (this.#isConnected) subscribe(this.many, channels, hear)
    else void this.ready().catch(() => undefined)
  }

  listenAgain(): void {
    if (!this.#isConnected) return
    for (const { channels, hear } of this.#listening) subscribe(this.many, channels, hear)
  }

  onConnected(listener: () => void): void {
    this.#onConnected.push(listener)
  }

  ready(): Promise<void> {
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  reset(): void {
    if (!this.#isConnected) return
    this.#isConnected = false
    destroy(this.many)
  }

  async close(): Promise<void> {
    this.#isConnected = false
    const timer = new Promise((resolve) => setTimeout(resolve, CLOSE_PATIENCE_MS).unref())
    await Promise.race([Promise.resolve(destroy(this.many)).catch(() => undefined), timer])
  }

  async #connect(): Promise<void> {
    if (!this.many.isOpen) await this.many.connect()
    if (this.#isConnected) return
    this.#isConnected = true
    this.listenAgain()
    this.hasConnected()
  }

  /** Also where another server has taken the place of one. */
  protected hasConnected(): void {
    this.#onConnected.forEach((listener) => listener())
  }
}

class ClusterLink extends ManyLink {
  protected readonly many: NodeRedisCluster

  constructor(cluster: NodeRedisCluster) {
    super()
    const given = asObject(asObject(cluster)['_options'])
    this.many = cluster.duplicate({ defaults: safely(given['defaults']) })
    this.many.on('error', () => undefined)
    this.many.on('node-ready', () => this.hasConnected())
  }

  protected send(key: string, words: readonly Word[]): Promise<unknown> {
    return this.many.sendCommand(key, false, words, AS_BYTES)
  }
}

/** A sentinel cannot be duplicated: it is used as it is, and left open. */
class SentinelLink extends ManyLink {
  protected readonly many: NodeRedisSentinel

  constructor(sentinel: NodeRedisSentinel) {
    super()
    this.many = sentinel
    sentinel.on('error', () => undefined)
    sentinel.on('topology-change', () => this.hasConnected())
  }

  protected send(_key: string, words: readonly Word[]): Promise<unknown> {
    return this.many.sendCommand(false, words, AS_BYTES)
  }

  override reset(): void {
    // Its connections are the user's.
  }

  override async close(): Promise<void> {
    // Likewise.
  }
}

function subscribe(client: Pick<NodeRedisClient, 'subscribe'>, channels: readonly string[], hear: Hear): void {
  // Where it fails, nothing is heard, and that is noticed.
  // One and the same function: a client that has it already does not call it twice.
  client.subscribe(channels, hear).catch(() => undefined)
}

function destroy(client: { readonly isOpen: boolean; destroy(): unknown } | undefined): unknown {
  try {
    return client?.isOpen === true ? client.destroy() : undefined
  } catch {
    return undefined
  }
}

function databaseOf(options: unknown): number {
  const { database } = asObject(options)
  return typeof database === 'number' ? database : 0
}

const asObject = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

const has = (value: unknown, ...methods: string[]): boolean =>
  methods.every((name) => typeof (value as Record<string, unknown> | null)?.[name] === 'function')

const isCluster = (value: unknown): value is NodeRedisCluster =>
  has(value, 'duplicate', 'sendCommand', 'subscribe', 'getSlotRandomNode')

const isSentinel = (value: unknown): value is NodeRedisSentinel =>
  has(value, 'sendCommand', 'subscribe', 'getSentinelNode')
