/** Part of every request: what the page's Vary names. */
export const HEADERS: Readonly<Record<string, string>> = { Accept: 'application/json', 'Accept-Language': 'en' }

export const PATH = '/api/items'

/** Which URLs a load asks for: always the same; each one new, counted from `from`; or any of `of`, counted from `from`. */
export type Requests =
  | { readonly kind: 'same' }
  | { readonly kind: 'unique'; readonly from: number }
  | { readonly kind: 'pick'; readonly from: number; readonly of: number }

export const SAME: Requests = { kind: 'same' }

export const SAME_TARGET = `${PATH}?b=2&a=1&page=3`

/** The target of the nth request of a load. */
export function targetOf(requests: Requests, n: number): string {
  if (requests.kind === 'same') return SAME_TARGET
  return `${PATH}?n=${requests.from + (requests.kind === 'unique' ? n : n % requests.of)}`
}
