/**
 * The queue port: refreshes on their way to worker processes. cacheback puts a deadline and a circuit breaker before
 * `add`, checks whatever comes out of a queue, and refreshes in process where a job could not be handed over; an
 * implementation only carries. `@cacheback/bullmq` is one.
 */
export interface JobQueue {
  /**
   * Opens the channel of one cache. `name` tells caches and versions apart: letters, digits, `.`, `_`, `-` and `@`.
   * Connects by itself, and again after an outage; never throws for a server that is away.
   */
  open(name: string, onError: (error: unknown) => void): JobChannel
}

/** What one cache has of a queue. */
export interface JobChannel {
  /**
   * Hands a job over, once: a job whose id waits or runs already counts as handed over. Rejects where it could not be,
   * at once where that is known at once: it is then done in this process. Waits for no connection, and keeps nothing back.
   */
  add(job: RefreshJob): Promise<void>
  /** Takes jobs. `perform` rejects for a job that is to be tried again after a while. */
  work(perform: (job: unknown, signal: AbortSignal) => Promise<void>, options: JobWorkOptions): JobWorker
  /** Makes these jobs again and again, and no others that have been scheduled before. */
  schedule(jobs: readonly ScheduledJob[]): Promise<void>
  /** Ends its connections. Never rejects. */
  close(): Promise<void>
}

/** A refresh as it leaves the process: JSON, and nothing in it that is not part of a key. */
export interface RefreshJob {
  /** Which handler of the worker is meant. */
  readonly kind: string
  /** A digest: of two jobs with the same one, the second is none. */
  readonly id: string
  readonly payload: unknown
}

export interface ScheduledJob extends RefreshJob {
  readonly everyMs: number
}

export interface JobWorkOptions {
  /** How many jobs run at once. */
  readonly concurrency: number
}

export interface JobWorker {
  /** Takes no more jobs, aborts those that run, and resolves when they have ended. Never rejects. */
  close(): Promise<void>
}
