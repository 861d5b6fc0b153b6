/** How a request was answered, in the words of RFC 9211. */
export type Handling =
  | { readonly hit: true; readonly ttl: number }
  | {
      readonly fwd: 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'stale' | 'request'
      readonly fwdStatus?: number | undefined
      readonly stored?: boolean | undefined
      readonly collapsed?: boolean | undefined
      readonly detail?: string | undefined
    }

/** One member of Cache-Status (RFC 9211 §2). `key` is escaped already: a store key is printable ASCII without quotes. */
export function cacheStatus(name: string, handling: Handling, key?: string): string {
  let member = name
  if ('hit' in handling) {
    member += `; hit; ttl=${handling.ttl}`
  } else {
    member += `; fwd=${handling.fwd}`
    if (handling.fwdStatus !== undefined) member += `; fwd-status=${handling.fwdStatus}`
    if (handling.stored === true) member += '; stored'
    if (handling.collapsed === true) member += '; collapsed'
  }
  if (key !== undefined) member += `; key="${key}"`
  if ('fwd' in handling && handling.detail !== undefined) member += `; detail=${handling.detail}`
  return member
}

/** Warnings of RFC 7234 §5.5, which RFC 9111 has retired and people still read. */
export const WARNINGS = {
  stale: '110 - "Response is Stale"',
  revalidationFailed: '111 - "Revalidation Failed"',
  heuristic: '113 - "Heuristic Expiration"',
  disconnected: '112 - "Disconnected Operation"',
} as const
