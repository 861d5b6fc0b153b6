import type { JobChannel, JobQueue, JobWorkOptions, JobWorker, ScheduledJob } from './job-queue.ts'

/** Performs one kind of job. `payload` comes from outside and is to be checked. Rejects where it is to be tried again. */
export type JobHandler = (payload: unknown, signal: AbortSignal) => Promise<void>

export interface JobsOptions {
  /** Of the channel: this cache's, and this version's. */
  readonly name: string
  onError(error: unknown): void
  /** A job that nobody here understands. */
  onRefused(reason: string): void
}

const CLOSE_TIMEOUT_MS = 1000

/** The jobs of one cache: its channels, the kinds of job that it knows, and the workers of this process. */
export class Jobs {
  readonly #options: JobsOptions
  readonly #channels = new Map<JobQueue, JobChannel>()
  readonly #handlers = new Map<string, JobHandler>()
  readonly #workers = new Set<JobWorker>()
  readonly #running = new Set<Promise<void>>()
  #isClosed = false

  constructor(options: JobsOptions) {
    this.#options = options
  }

  /** Whether this process performs no job at the moment. */
  get isIdle(): boolean {
    return this.#running.size === 0
  }

  async idle(): Promise<void> {
    while (!this.isIdle) await Promise.allSettled(this.#running)
  }

  channelOf(queue: JobQueue): JobChannel {
    const known = this.#channels.get(queue)
    if (known !== undefined) return known
    const channel = queue.open(this.#options.name, (error) => this.#note(error))
    this.#channels.set(queue, channel)
    return channel
  }

  /** Jobs of this kind are performed so. */
  handle(kind: string, handler: JobHandler): void {
    this.#handlers.set(kind, handler)
  }

  work(queue: JobQueue, options: JobWorkOptions): JobWorker {
    const worker = this.channelOf(queue).work((job, signal) => this.#perform(job, signal), options)
    const own: JobWorker = {
      close: async () => {
        this.#workers.delete(own)
        await inTime(worker.close())
      },
    }
    this.#workers.add(own)
    return own
  }

  /** Schedules these jobs and no others. What goes wrong is an error of the channel. */
  schedule(queue: JobQueue, jobs: readonly ScheduledJob[]): void {
    this.channelOf(queue)
      .schedule(jobs)
      .catch((error: unknown) => this.#note(error))
  }

  /** Workers first: what they still perform needs the store, and their channel to say so. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#workers].map((worker) => worker.close()))
    await Promise.all([...this.#channels.values()].map((channel) => inTime(channel.close())))
  }

  /** Connections that are ended complain of that. */
  #note(error: unknown): void {
    if (!this.#isClosed) this.#options.onError(error)
  }

  #perform(job: unknown, signal: AbortSignal): Promise<void> {
    const running = this.#handle(job, signal).finally(() => this.#running.delete(running))
    this.#running.add(running)
    return running
  }

  async #handle(job: unknown, signal: AbortSignal): Promise<void> {
    const { kind, payload } = (typeof job === 'object' && job !== null ? job : {}) as Record<string, unknown>
    const handler = typeof kind === 'string' ? this.#handlers.get(kind) : undefined
    if (handler === undefined) {
      this.#options.onRefused('job-kind')
      return
    }
    await handler(payload, signal)
  }
}

/** Never rejects, and never takes longer than a second. */
async function inTime(closing: Promise<void>): Promise<void> {
  const timer = new Promise<void>((resolve) => {
    setTimeout(resolve, CLOSE_TIMEOUT_MS).unref()
  })
  await Promise.race([closing.catch(() => undefined), timer])
}
