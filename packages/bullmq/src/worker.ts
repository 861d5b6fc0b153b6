import type { JobWorkOptions, JobWorker } from '@cacheback/core'
import { Worker } from 'bullmq'

import type { ChannelOptions } from './channel.ts'
import { type Client, workerClient } from './connection.ts'

/** For what runs to end by itself. */
const GRACE_MS = 500

/** Takes jobs from BullMQ. */
export class BullmqWorker implements JobWorker {
  readonly #client: Client
  readonly #worker: Worker
  readonly #aborting = new AbortController()
  #closing: Promise<void> | undefined

  constructor(
    name: string,
    { connection, prefix, concurrency }: ChannelOptions & JobWorkOptions,
    perform: (job: unknown, signal: AbortSignal) => Promise<void>,
    onError: (error: unknown) => void,
  ) {
    this.#client = workerClient(connection)
    this.#client.on('error', onError)
    const { signal } = this.#aborting
    this.#worker = new Worker(name, (job) => perform({ kind: job.name, payload: job.data }, signal), {
      connection: this.#client,
      prefix,
      concurrency,
      skipVersionCheck: true,
    })
    this.#worker.on('error', onError)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const timer = setTimeout(() => this.#aborting.abort(), GRACE_MS).unref()
    await this.#worker.close().catch(() => undefined)
    clearTimeout(timer)
    if (this.#client.isOpen) this.#client.destroy()
  }
}
