/**
 * What a Redis client must be told so that an outage costs nobody anything, and what can be done with one that was not
 * told. Found by shape: a client of node-redis, which is what @keyv/redis has inside.
 */
export interface RedisClient {
  readonly isOpen: boolean
  /** Commands can be sent now. */
  readonly isReady: boolean
  readonly options?: unknown
  connect(): Promise<unknown>
  /** Rejects every command under way, at once. */
  destroy(): void
  sendCommand(words: string[]): Promise<unknown>
  on(event: string, listener: (...args: unknown[]) => void): unknown
}

const CLOSE_PATIENCE_MS = 300

export function isRedisClient(value: unknown): value is RedisClient {
  if (typeof value !== 'object' || value === null) return false
  const { isOpen, isReady, connect, destroy, sendCommand, on } = value as Record<string, unknown>
  const methods = [connect, destroy, sendCommand, on]
  return (
    typeof isOpen === 'boolean' &&
    typeof isReady === 'boolean' &&
    methods.every((method) => typeof method === 'function')
  )
}

/** The connection of a node-redis client: when it may be used, and when it must not be trusted any longer. */
export class RedisConnection {
  readonly #client: RedisClient
  #ready = Promise.withResolvers<void>()
  #wasReady: boolean

  constructor(client: RedisClient) {
    this.#client = client
    this.#wasReady = client.isReady
    client.on('ready', () => {
      this.#wasReady = true
      this.#ready.resolve()
    })
    // A connection that broke is not ready any more. Where it still is, a reply could not be read: the decoder begins
    // anew in the middle of it, and from then on every reply goes to the request before.
    client.on('error', (error) => {
      if (isBuiltIn(error)) this.reset()
    })
  }

  /**
   * Undefined where commands can be sent. The first connection is waited for, however many ask at once; later ones are
   * not, for what queues in the client would land after an outage. Throws where there is none.
   */
  ready(): Promise<void> | undefined {
    if (this.#client.isReady) return undefined
    if (!this.#client.isOpen) this.#connect()
    if (this.#wasReady) throw new Error('the client of the store is not connected')
    return this.#ready.promise
  }

  /** A new connection in the place of one that lives; one that is being made is left to the client. */
  reset(): void {
    if (!this.#client.isReady) return
    this.#client.destroy()
    this.#wasReady = false
    this.#ready = Promise.withResolvers()
    this.#connect()
  }

  /** Whether the server answers, so that a goodbye would come to its end. */
  async answers(): Promise<boolean> {
    if (!this.#client.isReady) return false
    const timeout = new Promise<false>((resolve) => {
      setTimeout(resolve, CLOSE_PATIENCE_MS, false).unref()
    })
    const ping = this.#client.sendCommand(['PING']).then(
      () => true,
      () => false,
    )
    return Promise.race([ping, timeout])
  }

  destroy(): void {
    if (this.#client.isOpen) this.#client.destroy()
  }

  #connect(): void {
    // It emits its errors as well; there they are counted.
    this.#client.connect().catch(() => undefined)
  }
}

/** Replies that say no are errors of node-redis's own classes; what its decoder throws is not. */
function isBuiltIn(error: unknown): boolean {
  return error instanceof Error && BUILT_IN.has(Object.getPrototypeOf(error))
}

const BUILT_IN = new Set<object>([Error.prototype, TypeError.prototype, RangeError.prototype, SyntaxError.prototype])

/** The settings without which a hung or absent Redis harms; see docs/stores.md. */
export function missingSettings(client: RedisClient): string[] {
  const { disableOfflineQueue, pingInterval, socket } = asObject(client.options)
  const { socketTimeout, connectTimeout, reconnectStrategy } = asObject(socket)
  const isPinged = typeof pingInterval === 'number' && pingInterval > 0
  const missing: string[] = []
  if (disableOfflineQueue !== true) missing.push('disableOfflineQueue: true')
  if (!isPinged) missing.push('pingInterval')
  if (typeof connectTimeout !== 'number') missing.push('socket.connectTimeout')
  if (typeof socketTimeout !== 'number') missing.push('socket.socketTimeout')
  else if (isPinged && socketTimeout <= pingInterval) missing.push('socket.socketTimeout above pingInterval')
  if (reconnectStrategy === undefined) missing.push('socket.reconnectStrategy')
  return missing
}

const asObject = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
