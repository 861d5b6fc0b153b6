import { LRUCache } from 'lru-cache'

const MAX_RECORDS = 10_000
const MAX_BYTES = 4 * 1024 * 1024
const RECORD_OVERHEAD_BYTES = 200

/** What is remembered by key beside the responses: bounded in number and in bytes, for keys are as long as visitors make them. */
export type Records<Value extends object> = LRUCache<string, Value>

export function recordsOf<Value extends object>(): Records<Value> {
  return new LRUCache<string, Value>({
    max: MAX_RECORDS,
    maxSize: MAX_BYTES,
    sizeCalculation: (_value, key) => key.length + RECORD_OVERHEAD_BYTES,
  })
}
