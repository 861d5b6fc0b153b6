import { CachebackError, type JobQueue } from '@cacheback/core'

import { BullmqChannel } from './channel.ts'
import { type ConnectionOptions, isConnection } from './connection.ts'

export type { ConnectionOptions } from './connection.ts'

/** Options of the queue. */
export interface BullmqQueueOptions {
  /** Where Redis is: a URL (`redis://…`, `rediss://…`), or options of node-redis. Each cache has connections of its own there. */
  readonly connection: string | ConnectionOptions
  /** What the queue's keys in Redis begin with. Default: 'bull', as BullMQ has it. */
  readonly prefix?: string | undefined
  /** How often a refresh is tried before it counts as failed. Default: 3. */
  readonly attempts?: number | undefined
  /** Milliseconds before the second attempt; doubled before each further one. Default: 1000. */
  readonly backOffMs?: number | undefined
  /** How many jobs may wait for a worker before servers make their refreshes themselves. Default: 10000. */
  readonly maxWaiting?: number | undefined
}

/**
 * A queue to worker processes, on BullMQ: `createCacheback({ store, refresh: { queue: bullmqQueue({ connection }) } })`,
 * and in the worker `cache.work()`. Connects when a cache opens it. Throws CACHEBACK_INVALID_OPTION or
 * CACHEBACK_UNKNOWN_OPTION.
 */
export function bullmqQueue(options: BullmqQueueOptions): JobQueue {
  check(options)
  const { connection, prefix = 'bull', attempts = 3, backOffMs = 1000, maxWaiting = 10_000 } = options
  return {
    open: (name, onError) => new BullmqChannel(name, { connection, prefix, attempts, backOffMs, maxWaiting }, onError),
  }
}

type Checks = Readonly<
  Record<keyof BullmqQueueOptions, readonly [accepts: (value: unknown) => boolean, expected: string]>
>

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0

const CHECKS: Checks = {
  connection: [isConnection, 'a redis:// or rediss:// URL, or an object with options of node-redis'],
  prefix: [
    (value) => typeof value === 'string' && /^[\w.{}-]{1,40}$/.test(value),
    'letters, digits, . _ - { }, at most 40',
  ],
  attempts: [isCount, 'a whole number above 0'],
  backOffMs: [isCount, 'a whole number of milliseconds above 0'],
  maxWaiting: [isCount, 'a whole number above 0'],
}

function check(options: unknown): void {
  const given = (typeof options === 'object' && options !== null ? options : {}) as Record<string, unknown>
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(CHECKS, name)) {
      const hint = `Known here: ${Object.keys(CHECKS).join(', ')}.`
      throw new CachebackError('CACHEBACK_UNKNOWN_OPTION', `Unknown option ${name} of bullmqQueue().`, hint)
    }
  }
  for (const [name, [accepts, expected]] of Object.entries(CHECKS)) {
    const isMissing = given[name] === undefined
    if (isMissing ? name !== 'connection' : accepts(given[name])) continue
    // Not its value: a connection holds a password.
    const what = isMissing ? 'is missing' : 'is not what it must be'
    throw new CachebackError(
      'CACHEBACK_INVALID_OPTION',
      `Option ${name} of bullmqQueue() ${what}.`,
      `It must be ${expected}.`,
    )
  }
}
