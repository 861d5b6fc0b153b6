/**
 * The store port: bytes under keys, for a while. cacheback puts a deadline, a bound and a circuit breaker before every
 * call, so an implementation need not; it must reject (or throw) when it failed, and never answer "not stored" for
 * "could not look".
 */
export interface Store {
  /** Resolves with what was stored under this key, or undefined. The bytes are the cache's from then on. */
  get(key: string): Promise<Uint8Array | undefined>
  /** Stores bytes for `ttlMs` milliseconds (a whole number above 0). Rejects when they are not stored. */
  set(key: string, frame: Uint8Array, ttlMs: number): Promise<void>
  /** Removes what is stored under this key, if anything. */
  delete(key: string): Promise<void>
  /**
   * Drops the connection and makes a new one. Called when a reply belonged to another request, or when the store has
   * not answered for a second; at most once a second.
   */
  reset?(): void
  /** Ends connections; called once, last of all, by `cache.close()`. */
  close?(): Promise<void>
}
