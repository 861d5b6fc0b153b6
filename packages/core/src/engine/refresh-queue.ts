import PQueue from 'p-queue'

export interface RefreshLimits {
  readonly concurrency: number
  readonly queueLimit: number
  readonly timeoutMs: number
}

/**
 * The bounded background queue: one refresh per key, so many at once, so many waiting. p-queue has no maximum length
 * and its timeout frees the slot while the job runs on, so shedding and deadlines are ours: a job gets a signal, and
 * holds its slot until it has really ended.
 */
export class RefreshQueue {
  readonly #queue: PQueue
  readonly #limits: RefreshLimits
  readonly #keys = new Set<string>()
  readonly #running = new Set<AbortController>()

  constructor(limits: RefreshLimits) {
    this.#limits = limits
    this.#queue = new PQueue({ concurrency: limits.concurrency })
  }

  get queued(): number {
    return this.#queue.size
  }

  get running(): number {
    return this.#queue.pending
  }

  has(key: string): boolean {
    return this.#keys.has(key)
  }

  /** Queues a job that never rejects. Returns false where the queue is full. */
  add(key: string, job: (signal: AbortSignal) => Promise<void>): boolean {
    const isWaiting = this.#queue.pending >= this.#limits.concurrency
    if (isWaiting && this.#queue.size >= this.#limits.queueLimit) return false
    this.#keys.add(key)
    // Only clear() makes this reject, and then close() has taken over.
    this.#queue.add(() => this.#run(key, job)).catch(() => this.#keys.delete(key))
    return true
  }

  async idle(): Promise<void> {
    await this.#queue.onIdle()
  }

  /** Drops what waits and aborts what runs. */
  close(): void {
    this.#queue.clear()
    this.#keys.clear()
    for (const controller of this.#running) controller.abort()
  }

  async #run(key: string, job: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const controller = new AbortController()
    this.#running.add(controller)
    // Visitors who have come at the same time go first: a render is as much work as some hundred hits.
    await new Promise((resolve) => setImmediate(resolve))
    const timer = setTimeout(() => controller.abort(), this.#limits.timeoutMs)
    timer.unref()
    try {
      if (!controller.signal.aborted) await job(controller.signal)
    } finally {
      clearTimeout(timer)
      this.#running.delete(controller)
      this.#keys.delete(key)
    }
  }
}
