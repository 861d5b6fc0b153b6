import type { JobWorkOptions, JobWorker } from '@cacheback/core'
import { queueEvictionMessage, warnOnce } from '@cacheback/core/adapter'
import { Worker } from 'bullmq'

import type { ChannelOptions } from './channel.ts'
import { Link } from './connection.ts'

/** For what runs to end by itself, and then for BullMQ to say so. */
const GRACE_MS = 500
const CLOSE_MS = 800
/** How long a job is a worker's who says nothing, and how often others look for those: a worker that was killed loses 15 s. */
const LOCK_MS = 10_000
const STALLED_EVERY_MS = 5000

/** Takes jobs from BullMQ. */
export class BullmqWorker implements JobWorker {
  readonly #link: Link
  readonly #worker: Worker
  readonly #aborting = new AbortController()
  #closing: Promise<void> | undefined

  constructor(
    name: string,
    { connection, prefix, concurrency }: ChannelOptions & JobWorkOptions,
    perform: (job: unknown, signal: AbortSignal) => Promise<void>,
    onError: (error: unknown) => void,
  ) {
    const { signal } = this.#aborting
    const tell = oncePerError(onError)
    this.#link = new Link(connection, 'worker', tell)
    this.#worker = new Worker(name, (job) => perform({ kind: job.name, payload: job.data }, signal), {
      connection: this.#link.adapter,
      prefix,
      concurrency,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_EVERY_MS,
      skipVersionCheck: true,
    })
    this.#worker.on('error', tell)
    this.#worker.once('ready', () => void this.#checkEviction().catch(() => undefined))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** BullMQ asks for noeviction, which no cache can live with; what may evict jobs is another matter. */
  async #checkEviction(): Promise<void> {
    const policy = await this.#link.evictionPolicy()
    if (policy?.startsWith('allkeys-') === true) warnOnce('CACHEBACK_QUEUE_EVICTION', queueEvictionMessage(policy))
  }

  async #close(): Promise<void> {
    const abort = setTimeout(() => this.#aborting.abort(), GRACE_MS).unref()
    const tooLong = new Promise<void>((resolve) => {
      setTimeout(resolve, CLOSE_MS).unref()
    })
    await Promise.race([this.#worker.close().catch(() => undefined), tooLong])
    clearTimeout(abort)
    this.#aborting.abort()
    // BullMQ waits for a Redis that is away, and its connections would keep the process.
    this.#link.end()
  }
}

/** BullMQ passes on what its connections have said already. */
function oncePerError(onError: (error: unknown) => void): (error: unknown) => void {
  const told = new WeakSet<object>()
  return (error) => {
    if (typeof error !== 'object' || error === null || told.has(error)) return
    told.add(error)
    onError(error)
  }
}
