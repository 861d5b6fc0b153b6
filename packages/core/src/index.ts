export { createCacheback } from './cacheback.ts'
export { CachebackError, type ErrorCode, type WarningCode } from './errors.ts'
export { type MethodOptions, type MethodsOf, cached, methodsOf } from './functions/decorator.ts'
export { Job, type JobOptions } from './functions/job.ts'
export type {
  AnyFunction,
  Cached,
  CachedOf,
  CallInfo,
  FunctionMethods,
  FunctionOptions,
  Lifetime,
  OptionsOf,
  PeekedValue,
} from './functions/function-options.ts'
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
export {
  type Address,
  type Claimed,
  type ClaimRequest,
  ForeignReplyError,
  type Membership,
  type NumberedMark,
  type Party,
  type PastMark,
  type PurgeState,
  type Put,
  type RankedFrame,
  type SharedStore,
  type ToldPurge,
} from './stores/shared-store.ts'
export type {
  CacheEvent,
  CacheWorker,
  Cacheback,
  EventListener,
  EventName,
  InspectedVariant,
  Inspection,
  PurgeOptions,
  PurgeReport,
  ScheduledCall,
  ScheduledRefresh,
  ScheduledUrl,
  Selector,
  SharingState,
  Stats,
  WarmItem,
  WarmOptions,
  WarmProgress,
  WarmResult,
  WorkOptions,
} from './types.ts'
