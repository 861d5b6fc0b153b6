import type { Kind } from '../types.ts'

/** Tests of the package whose kind is another now. The first pattern that matches counts. */
const KINDS: [RegExp, Kind][] = [
  [/^freshness-expires-(32bit|far-future|rfc850|ansi-c|wrong-case-\w+)$/, 'optimal'],
  [/^freshness-expires-invalid-(?!date$)/, 'required'],
  [/^304-etag-update-response-(X-)?(Test-Header|Content-Foo)$/, 'required'],
  [/^304-etag-update-response-(Cache-Control|Content-Length)$/, 'required'],
  [/^304-etag-update-response-/, 'check'],
  [/^invalidate-.+-(location|cl)$/, 'check'],
  [/^age-parse-(numeric-)?parameter$/, 'check'],
  [/^partial-use-stored-headers$/, 'required'],
]

/** Tests of the package that depend on others now. The first pattern that matches counts; $1 is its first group. */
const GATES: [RegExp, string[]][] = [
  [/^status-(\d+)-fresh$/, ['freshness-max-age']],
  [/^headers-omit-headers-listed-in-Cache-Control/, ['cc-resp-no-cache-revalidate']],
  [/^headers-/, ['freshness-max-age']],
  [/^stale-(close|503|sie-\w+)$/, ['freshness-max-age-stale']],
  [/^head-writethrough$/, ['freshness-max-age-stale']],
  [/^conditional-lm-stale$/, ['freshness-max-age-stale']],
  [/^(conditional-lm|ccreq)-(?!oic|max-stale)/, ['freshness-max-age']],
  [/^vary-star$/, []],
  [/^vary-match$/, ['freshness-max-age']],
  [/^vary-2-match$/, ['vary-match']],
  [/^vary-3-match$/, ['vary-2-match']],
  [/^vary-(2|3)-/, ['vary-$1-match']],
  [/^vary-/, ['vary-match']],
  [/^conditional-etag-vary-headers-mismatch$/, ['conditional-etag-vary-headers', 'vary-no-match']],
  [/^conditional-etag-(strong|weak)-respond$/, ['freshness-max-age']],
  [/^conditional-etag-(strong-generate|weak-generate-weak)$/, ['freshness-max-age-stale']],
  [/^invalidate-(POST|PUT|DELETE|M-SEARCH)-/, ['invalidate-$1']],
  [/^invalidate-/, ['freshness-max-age']],
  [/^partial-store-/, ['freshness-max-age']],
  [/^other-age-update-expires$/, ['freshness-expires-future']],
  [/^(other-heuristic-content-disposition-attachment|pragma-response-no-cache-heuristic)$/, ['heuristic-200-cached']],
  [/^other-authorization-/, ['other-authorization']],
  [/^(other-|query-args-)/, ['freshness-max-age']],
]

export function kindOf(id: string): Kind | undefined {
  return KINDS.find(([pattern]) => pattern.test(id))?.[1]
}

export function gatesOf(id: string): string[] | undefined {
  const found = GATES.find(([pattern]) => pattern.test(id))
  return found?.[1].map((gate) => gate.replace('$1', found[0].exec(id)?.[1] ?? ''))
}
