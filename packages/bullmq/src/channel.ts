import type { JobChannel, JobWorkOptions, JobWorker, RefreshJob, ScheduledJob } from '@cacheback/core'
import { type JobsOptions, Queue } from 'bullmq'

import { type ConnectionOptions, Link } from './connection.ts'
import { BullmqWorker } from './worker.ts'

export interface ChannelOptions {
  readonly connection: string | ConnectionOptions
  readonly prefix: string
  readonly attempts: number
  readonly backOffMs: number
  readonly maxWaiting: number
}

/** Who looks at them needs the last few; BullMQ keeps 10,000. */
const MAX_EVENTS = 100
const MAX_SCHEDULES = 10_000
const COUNT_EVERY_MS = 1000

/** What one cache has of BullMQ: a producer with a connection of its own, and workers with theirs. */
export class BullmqChannel implements JobChannel {
  readonly #name: string
  readonly #options: ChannelOptions
  readonly #onError: (error: unknown) => void
  readonly #link: Link
  readonly #queue: Queue
  readonly #jobOptions: JobsOptions
  /** How many jobs waited when they were last counted. */
  #waiting = 0
  #countedAt = -Infinity

  constructor(name: string, options: ChannelOptions, onError: (error: unknown) => void) {
    this.#name = name
    this.#options = options
    this.#onError = onError
    // What ends is gone: a kept job would hold its id, and its key could not be refreshed again.
    this.#jobOptions = {
      removeOnComplete: true,
      removeOnFail: true,
      attempts: options.attempts,
      backoff: { type: 'exponential', delay: options.backOffMs },
    }
    this.#link = new Link(options.connection, 'producer', onError)
    this.#queue = new Queue(name, {
      connection: this.#link.adapter,
      prefix: options.prefix,
      // It would ask for the version and complain of an eviction policy that is right for a cache.
      skipVersionCheck: true,
      streams: { events: { maxLen: MAX_EVENTS } },
    })
    // Those of the connection have been heard there.
    this.#queue.on('error', () => undefined)
  }

  async add({ kind, id, payload }: RefreshJob): Promise<void> {
    // BullMQ would wait for the connection, and hand over what has been given up.
    if (!this.#link.isReady) throw new Error('not connected')
    this.#countNowAndThen()
    if (this.#waiting >= this.#options.maxWaiting) throw new Error('full')
    await this.#queue.add(kind, payload, { ...this.#jobOptions, deduplication: { id } })
  }

  work(perform: (job: unknown, signal: AbortSignal) => Promise<void>, options: JobWorkOptions): JobWorker {
    return new BullmqWorker(this.#name, { ...this.#options, ...options }, perform, this.#onError)
  }

  async schedule(jobs: readonly ScheduledJob[]): Promise<void> {
    await this.#queue.waitUntilReady()
    const known = await this.#queue.getJobSchedulers(0, MAX_SCHEDULES)
    const wanted = new Set(jobs.map(({ id }) => id))
    for (const { key } of known) {
      if (!wanted.has(key)) await this.#queue.removeJobScheduler(key)
    }
    for (const { kind, id, payload, everyMs } of jobs) {
      const template = { name: kind, data: payload, opts: this.#jobOptions }
      await this.#queue.upsertJobScheduler(id, { every: everyMs }, template)
    }
  }

  /** Jobs that no worker takes must not fill Redis: it is the cache's, too. */
  #countNowAndThen(): void {
    const now = performance.now()
    if (now - this.#countedAt < COUNT_EVERY_MS) return
    this.#countedAt = now
    void this.#count().catch(() => undefined)
  }

  async #count(): Promise<void> {
    this.#waiting = await this.#queue.getJobCountByTypes('wait', 'delayed')
  }

  async close(): Promise<void> {
    await this.#queue.close()
    this.#link.end()
  }
}
