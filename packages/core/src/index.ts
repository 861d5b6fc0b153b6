export { createCacheback } from './cacheback.ts'
export { CachebackError, type ErrorCode, type WarningCode } from './errors.ts'
export {
  DEFAULT_CREDENTIALS,
  DEFAULT_OMIT,
  type CachebackOptions,
  type CookieRule,
  type KeyvLike,
  type QueryRule,
  type ResponseHead,
  type RouteOptions,
} from './options.ts'
export type { JobChannel, JobQueue, JobWorkOptions, JobWorker, RefreshJob, ScheduledJob } from './engine/job-queue.ts'
export type { Store } from './stores/store.ts'
export type {
  CacheEvent,
  CacheWorker,
  Cacheback,
  EventListener,
  EventName,
  InspectedVariant,
  Inspection,
  PurgeOptions,
  ScheduledRefresh,
  Selector,
  Stats,
  WarmItem,
  WarmOptions,
  WarmProgress,
  WarmResult,
  WorkOptions,
} from './types.ts'
