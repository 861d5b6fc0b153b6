import { Dispatch } from '../engine/dispatch.ts'
import { Jobs } from '../engine/jobs.ts'
import type { Journal } from '../engine/journal.ts'
import type { Settings } from '../settings.ts'
import type { CacheEvent } from '../types.ts'

/** Each version of a cache has a channel of its own: in a deploy, old workers and new servers do not meet. */
export function jobsOf({ name, version }: Settings, journal: Journal): Jobs {
  return new Jobs({
    name: version === '' ? name : `${name}@${version}`,
    onError: (error) =>
      journal.note('queue-error', () => because(error instanceof Error ? error.message : String(error))),
    onRefused: (reason) => journal.note('refresh-dropped', () => because(reason)),
  })
}

/** Where refreshes go to workers, if there is a queue to them. */
export function dispatchOf(settings: Settings, jobs: Jobs, journal: Journal): Dispatch | undefined {
  const { name, monotonicNow, refresh } = settings
  if (refresh.queue === undefined) return undefined
  return new Dispatch(jobs.channelOf(refresh.queue), {
    name,
    lostAfterMs: refresh.lostAfterMs,
    monotonicNow,
    onSent: ({ describe }) => journal.note('refresh-sent', describe),
    onLost: ({ describe }) => journal.note('refresh-failed', () => ({ ...describe(), reason: 'job-lost' })),
    onError: (reason, durationMs) => journal.note('queue-error', () => ({ ...because(reason), durationMs })),
  })
}

const because = (reason: string): CacheEvent => ({ key: '', route: undefined, reason })
