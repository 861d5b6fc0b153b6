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

const METHODS = ['POST', 'PUT', 'DELETE', 'M-SEARCH']

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
    ids: ['other-cookie'],
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

/** What is to come. */
const MISSING: readonly Expected[] = [
  {
    reason: 'validation by rendering again',
    ids: [
      '304-lm-use-stored-Test-Header',
      ...[
        'Cache-Control',
        'Clear-Site-Data',
        'Content-Encoding',
        'Content-Foo',
        'Content-Length',
        'Content-Location',
        'Content-MD5',
        'Content-Range',
        'Content-Security-Policy',
        'Content-Type',
        'ETag',
        'Expires',
        'Public-Key-Pins',
        'Set-Cookie2',
        'Test-Header',
        'X-Content-Foo',
        'X-Frame-Options',
        'X-Test-Header',
        'X-XSS-Protection',
      ].map((name) => `304-etag-update-response-${name}`),
      'cc-resp-must-revalidate-stale',
      'cc-resp-no-cache-revalidate',
      'cc-resp-no-cache-revalidate-fresh',
      'conditional-etag-strong-generate',
      'conditional-etag-vary-headers',
      'conditional-etag-weak-generate-weak',
      'conditional-lm-stale',
    ],
  },
  {
    reason: 'invalidation by unsafe methods, of Location and Content-Location too',
    ids: METHODS.flatMap((method) => ['', '-cl', '-failed', '-location'].map((what) => `invalidate-${method}${what}`)),
  },
  {
    reason: 'ranges of a stored 200',
    ids: [
      'partial-store-complete-reuse-partial',
      'partial-store-complete-reuse-partial-no-last',
      'partial-store-complete-reuse-partial-suffix',
      'partial-use-headers',
      'partial-use-stored-headers',
    ],
  },
  {
    reason: 'a 200 with Content-Range is not stored, although the field means nothing there (RFC 9110 section 14.4)',
    ids: ['headers-store-Content-Range'],
  },
  {
    reason: 'must-understand',
    ids: ['status-200-must-understand', 'status-599-must-understand'],
  },
  {
    reason: 'selecting headers are compared byte for byte',
    ids: ['vary-normalise-lang-case', 'vary-normalise-lang-order', 'vary-normalise-lang-space', 'vary-normalise-space'],
  },
  {
    reason: 'an Age with parameters is ignored, not read as its number (required in the package, a check since)',
    ids: ['age-parse-numeric-parameter', 'age-parse-parameter'],
  },
  {
    reason: 'a POST response is not stored for GET',
    ids: ['method-POST'],
  },
]

/** What the suite's profile is to pass, and the default profile never: options that are off by default. */
const OPTIONS: readonly Expected[] = [
  {
    reason: 'heuristic',
    ids: [200, 203, 204, 404, 405, 410, 414, 501, 599].map((status) => `heuristic-${status}-cached`),
  },
  {
    reason: 'targetedCacheControl',
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

export const EXPECTED: readonly Expected[] = [...CHOSEN, ...MISSING, ...OPTIONS]
