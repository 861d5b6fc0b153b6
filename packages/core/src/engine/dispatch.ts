import { queueUnreachableMessage, warnOnce } from '../errors.ts'
import { Breaker } from './breaker.ts'
import { DeadlineError, withDeadline } from './deadline.ts'
import type { JobChannel, RefreshJob } from './job-queue.ts'
import { recordsOf } from './records.ts'

/** For one job to be handed over. Nobody waits for it, but what is not handed over is to be done here. */
const SEND_TIMEOUT_MS = 500
/** A worker needs the time of a render at least. Then it is looked for more and more rarely. */
const FIRST_LOOK_MS = 100
const LATER = 1.5
const LONGEST_LOOK_MS = 5000

/** A refresh that worker processes are to make. */
export interface Dispatched {
  /** Of several refreshes with one key, one is under way. */
  readonly key: string
  /** When what is to be refreshed was made: with a newer one the record of this refresh means nothing any more. */
  readonly knownAt: number
  readonly job: RefreshJob
  /** For events. */
  readonly describe: () => { readonly key: string; readonly route: string | undefined }
  /** Looks whether the worker is done. Without it nobody has to look: whatever asks, asks the store. */
  readonly look?: (() => Promise<boolean>) | undefined
  /** Refreshes in this process: the job could not be handed over. */
  otherwise(): void
}

export interface DispatchOptions {
  readonly name: string
  /** A job of which nothing has been seen for so long is lost, and may be sent again. */
  readonly lostAfterMs: number
  readonly monotonicNow: () => number
  onSent(refresh: Dispatched): void
  /** A job of which nothing was seen is sent again. */
  onLost(refresh: Dispatched): void
  onError(reason: string, durationMs: number): void
}

interface Sent {
  readonly knownAt: number
  readonly lostAt: number
}

/**
 * Hands refreshes to worker processes, one for a key at a time. A page that is asked for a thousand times a second costs
 * the queue one command until its refresh is there, or counts as lost; a queue that is away, slow or hung costs nobody
 * more than a deadline, and after three of those nothing: then refreshes are made in this process, as without a queue.
 */
export class Dispatch {
  readonly #channel: JobChannel
  readonly #options: DispatchOptions
  readonly #breaker: Breaker
  readonly #sent = recordsOf<Sent>()
  readonly #sending = new Set<Promise<void>>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #isClosed = false

  constructor(channel: JobChannel, options: DispatchOptions) {
    this.#channel = channel
    this.#options = options
    this.#breaker = new Breaker(options.monotonicNow, (state) => {
      if (state === 'open') warnOnce('CACHEBACK_QUEUE_UNREACHABLE', queueUnreachableMessage(options.name))
    })
  }

  /** Whether the refresh of what was made then is a worker's, and not lost. */
  isUnderWay(key: string, knownAt: number): boolean {
    const sent = this.#sent.size === 0 ? undefined : this.#sent.get(key)
    return sent?.knownAt === knownAt && this.#options.monotonicNow() < sent.lostAt
  }

  /** Sends a refresh that is not under way. */
  send(refresh: Dispatched): void {
    if (this.#isClosed) return
    const { key, knownAt } = refresh
    if (this.#sent.get(key)?.knownAt === knownAt) this.#options.onLost(refresh)
    const sent = { knownAt, lostAt: this.#options.monotonicNow() + this.#options.lostAfterMs }
    this.#sent.set(key, sent)
    const sending = this.#deliver(refresh, sent).finally(() => this.#sending.delete(sending))
    this.#sending.add(sending)
  }

  /** Resolves when no job is being handed over. */
  async idle(): Promise<void> {
    while (!this.isIdle) await Promise.all(this.#sending)
  }

  get isIdle(): boolean {
    return this.#sending.size === 0
  }

  close(): void {
    this.#isClosed = true
    for (const timer of this.#timers) clearTimeout(timer)
  }

  async #deliver(refresh: Dispatched, sent: Sent): Promise<void> {
    if (await this.#hand(refresh.job)) {
      this.#options.onSent(refresh)
      if (refresh.look !== undefined) this.#lookLater(refresh.key, refresh.look, sent, FIRST_LOOK_MS)
      return
    }
    if (this.#sent.peek(refresh.key) === sent) this.#sent.delete(refresh.key)
    if (!this.#isClosed) refresh.otherwise()
  }

  async #hand(job: RefreshJob): Promise<boolean> {
    // A job is its own probe: nobody waits for it.
    if (this.#breaker.state !== 'closed' && !this.#breaker.beginsProbe()) return false
    const { monotonicNow } = this.#options
    const startedAt = monotonicNow()
    try {
      // Async, so that a channel that throws rejects.
      await withDeadline((async () => this.#channel.add(job))(), SEND_TIMEOUT_MS, monotonicNow)
      this.#breaker.succeeded()
      return true
    } catch (error) {
      this.#breaker.failed()
      this.#options.onError(error instanceof DeadlineError ? 'send-timeout' : 'send-failed', monotonicNow() - startedAt)
      return false
    }
  }

  #lookLater(key: string, look: () => Promise<boolean>, sent: Sent, delayMs: number): void {
    if (this.#isClosed) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      void this.#look(key, look, sent, delayMs)
    }, delayMs).unref()
    this.#timers.add(timer)
  }

  async #look(key: string, look: () => Promise<boolean>, sent: Sent, delayMs: number): Promise<void> {
    // Forgotten for want of room, or taken over by another one.
    if (this.#sent.peek(key) !== sent) return
    const isDone = await look().catch(() => false)
    if (isDone) {
      if (this.#sent.peek(key) === sent) this.#sent.delete(key)
    } else if (this.#options.monotonicNow() < sent.lostAt) {
      this.#lookLater(key, look, sent, Math.min(delayMs * LATER, LONGEST_LOOK_MS))
    }
  }
}
