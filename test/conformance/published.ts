/** Required passed / failed / neither, optimal passed, checks answered yes. */
export type Row = readonly [name: string, newer: string, withoutCdn: string, packaged: string]

/**
 * Other caches: first the results that the suite's home published on 29 December 2025, read with all 365 tests, without
 * the CDN section, and with the tests and kinds of the package (four of its tests have no published result); then what
 * was measured inside Node, with all 365.
 */
export const PUBLISHED: readonly Row[] = [
  ['ATS 9.2.5', '132/19/9 | 70 | 45', '132/15/3 | 70 | 44', '136/15 | 64 | 37'],
  ['httpd 2.4.64', '131/12/17 | 68 | 44', '131/8/11 | 68 | 43', '125/14 | 59 | 47'],
  ['Squid 6.13', '122/17/21 | 59 | 62', '122/13/15 | 59 | 61', '134/7 | 50 | 49'],
  ['Caddy (Souin 0.16.0)', '121/10/29 | 44 | 27', '116/5/29 | 38 | 22', '100/14 | 38 | 30'],
  ['Varnish 7.7.3', '119/17/24 | 45 | 27', '119/13/18 | 45 | 26', '112/25 | 41 | 27'],
  ['nginx 1.28.0', '99/33/28 | 59 | 19', '99/29/22 | 59 | 18', '89/46 | 52 | 31'],
  ['Fastly', '96/37/27 | 49 | 17', '96/33/21 | 49 | 16', '84/49 | 42 | 26'],
  ['HAProxy 3.0.10', '89/15/56 | 40 | 33', '89/11/50 | 40 | 32', '88/19 | 33 | 42'],
  ['no cache at all', '22/6/132 | 0 | 5', '- | - | -', '- | - | -'],
  ['undici 7.30.2, shared', '125/17/18 | 65 | 48', '- | - | -', '- | - | -'],
  ['http-cache-semantics 4.3.0 + 100 lines', '124/13/23 | 68 | 52', '- | - | -', '- | - | -'],
  ['ocache 0.3.2, swr', '64/17/79 | 27 | 20', '- | - | -', '- | - | -'],
  ['http-cache-middleware 1.4.1', '71/35/54 | 49 | 20', '- | - | -', '- | - | -'],
  ['apicache 1.6.3', '0/13/147 | 9 | 14', '- | - | -', '- | - | -'],
]
