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
  Cacheback,
  EventListener,
  EventName,
  InspectedVariant,
  Inspection,
  PurgeOptions,
  PurgeReport,
  Selector,
  SharingState,
  Stats,
} from './types.ts'
