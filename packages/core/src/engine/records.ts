import { LRUCache } from 'lru-cache'

const MAX_RECORDS = 10_000
const RECORD_OVERHEAD_BYTES = 200
/** A maximum in number would make lru-cache reserve room for all of them at once, 2 MiB a cache. */
const MIN_RECORD_BYTES = 420

/** What is remembered by key beside the responses: bounded in number and in bytes, for keys are as long as visitors make them. */
export type Records<Value extends object> = LRUCache<string, Value>

export function recordsOf<Value extends object>(): Records<Value> {
  return new LRUCache<string, Value>({
    maxSize: MAX_RECORDS * MIN_RECORD_BYTES,
    sizeCalculation: (_value, key) => Math.max(MIN_RECORD_BYTES, key.length + RECORD_OVERHEAD_BYTES),
  })
}
