import type { Framework } from './harness.ts'
import type { Profile } from './profiles.ts'

/** Tests that we do not pass, with the reason. Enforced both ways: see README.md. */
export interface Expected {
  readonly reason: string
  /** Default: all. */
  readonly profiles?: readonly Profile[]
  /** Default: all. */
  readonly frameworks?: readonly Framework[]
  readonly ids: readonly string[]
}

/** What stays: against an RFC, or against a rule of ours. */
const CHOSEN: readonly Expected[] = [
  {
    reason: 'RFC 9111 section 4.3.2: without Last-Modified the comparison is with Date',
    ids: ['conditional-lm-fresh-no-lm'],
  },
  {
    reason: 'RFC 9111 section 4.1: it reuses a variant that does not match',
    ids: ['vary-normalise-lang-select'],
  },
  {
    reason: 'a 206 is never stored; these say bytes 4-9/10 of five bytes, or combine a part that has no validator',
    ids: [
      'partial-store-partial-complete',
      'partial-store-partial-reuse-partial',
      'partial-store-partial-reuse-partial-absent',
      'partial-store-partial-reuse-partial-byterange',
      'partial-store-partial-reuse-partial-suffix',
    ],
  },
  {
    reason: 'a response with Set-Cookie is not shared',
    ids: ['304-etag-update-response-Set-Cookie', 'headers-store-Set-Cookie', 'other-set-cookie'],
  },
  {
    reason: "a request with a Cookie bypasses the cache under cookies: 'bypass'",
    profiles: ['suite', 'default'],
    ids: ['other-cookie'],
  },
  {
    reason:
      'RFC 9111 section 4.3.4: a 304 with another ETag updates nothing; what it was asked about is served once more, then gone',
    ids: ['304-etag-update-response-ETag'],
  },
  {
    reason: 'a POST response is not reused for GET, as nobody does',
    ids: ['method-POST'],
  },
  {
    reason: 'the order of languages counts: handlers read it',
    ids: ['vary-normalise-lang-order'],
  },
  {
    reason: 'without staleIfError there is nothing that must not be served stale: their gate, stale-close, says no',
    profiles: ['default'],
    ids: [
      'stale-close-must-revalidate',
      'stale-close-no-cache',
      'stale-close-proxy-revalidate',
      'stale-close-s-maxage=2',
    ],
  },
]

/** Options that are off by default, and on in the suite's profile. */
const OPTIONS: readonly Expected[] = [
  {
    reason: 'heuristic',
    profiles: ['default'],
    ids: [200, 203, 204, 404, 405, 410, 414, 501, 599].map((status) => `heuristic-${status}-cached`),
  },
  {
    reason: 'targetedCacheControl',
    profiles: ['default'],
    ids: [
      'cdn-cc-invalid-sh-type-unknown',
      'cdn-cc-invalid-sh-type-wrong',
      'cdn-fresh-cc-nostore',
      'cdn-max-age',
      'cdn-max-age-0',
      'cdn-max-age-0-expires',
      'cdn-max-age-age',
      'cdn-max-age-cc-max-age-invalid-expires',
      'cdn-max-age-expires',
      'cdn-max-age-extension',
      'cdn-max-age-long-cc-max-age',
      'cdn-max-age-max',
      'cdn-max-age-max-plus',
      'cdn-max-age-short-cc-max-age',
      'cdn-no-cache',
      'cdn-no-store-cc-fresh',
      'cdn-private',
    ],
  },
]

export const EXPECTED: readonly Expected[] = [...CHOSEN, ...OPTIONS]
