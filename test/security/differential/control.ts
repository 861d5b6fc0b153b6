/** What a Cache-Control means to a shared cache, written down by hand beside it: no parser stands between. */
export interface Meaning {
  readonly forbids?: boolean
  /** Seconds. Absent: it says nothing of a lifetime. */
  readonly lifetime?: number
  /** It may answer, and be made from, a request with Authorization (RFC 9111 §3.5). */
  readonly authorized?: boolean
  readonly swr?: number
  readonly sie?: number
  /** No stale window, whoever asks for one. */
  readonly strict?: boolean
  /** No window of the options, for it implies proxy-revalidate (RFC 9111 §5.2.2.10). */
  readonly shared?: boolean
}

/** Each with how often it is to be tried. '' is no field, a line break parts two of them. */
export const CONTROLS: readonly [value: string, meaning: Meaning, weight: number][] = [
  ['', {}, 4],
  ['max-age=10', { lifetime: 10 }, 8],
  ['max-age=60', { lifetime: 60 }, 5],
  ['public, max-age=10', { lifetime: 10, authorized: true }, 3],
  ['s-maxage=10', { lifetime: 10, authorized: true, shared: true }, 3],
  ['s-maxage=0, max-age=60', { lifetime: 0, authorized: true, shared: true }, 1],
  ['max-age=10, stale-while-revalidate=20', { lifetime: 10, swr: 20 }, 4],
  ['s-maxage=10, stale-while-revalidate=20', { lifetime: 10, swr: 20, authorized: true, shared: true }, 1],
  ['max-age=5, stale-if-error=30', { lifetime: 5, sie: 30 }, 3],
  [
    'public, max-age=5, stale-while-revalidate=5, stale-if-error=30',
    { lifetime: 5, swr: 5, sie: 30, authorized: true },
    3,
  ],
  ['max-age=10, must-revalidate', { lifetime: 10, strict: true, authorized: true }, 4],
  ['max-age=10, must-revalidate, stale-while-revalidate=20', { lifetime: 10, strict: true, authorized: true }, 1],
  ['max-age=10, proxy-revalidate', { lifetime: 10, strict: true }, 2],
  ['no-cache', { lifetime: 0, strict: true }, 2],
  ['max-age=60, no-cache', { lifetime: 0, strict: true }, 1],
  ['max-age=0', { lifetime: 0 }, 2],
  ['max-age=0, stale-while-revalidate=20', { lifetime: 0, swr: 20 }, 2],
  ['public', { authorized: true }, 1],
  ['MAX-AGE=10', { lifetime: 10 }, 1],
  ['max-age="10"', { lifetime: 10 }, 1],
  ['max-age=10, max-age=60', { lifetime: 10 }, 1],
  ['max-age=-1', { lifetime: 0 }, 1],
  ['max-age=soon', { lifetime: 0 }, 1],
  ['private', { forbids: true }, 2],
  ['Private, max-age=60', { forbids: true, lifetime: 60 }, 1],
  ['private="x", max-age=60', { forbids: true, lifetime: 60 }, 1],
  ['public, private, max-age=60', { forbids: true, lifetime: 60, authorized: true }, 1],
  ['max-age=60 private', { forbids: true, lifetime: 60 }, 1],
  ['max-age=60\nprivate', { forbids: true, lifetime: 60 }, 1],
  ['no-store', { forbids: true }, 1],
  ['max-age=60, no-store', { forbids: true, lifetime: 60 }, 1],
  ['No-Store;x, max-age=60', { forbids: true, lifetime: 60 }, 1],
]

const MEANINGS = new Map(CONTROLS.map(([value, meaning]) => [value, meaning]))

export function meaningOf(control: string): Meaning {
  const meaning = MEANINGS.get(control)
  if (meaning === undefined) throw new Error(`Nobody has written down what Cache-Control: ${control} means.`)
  return meaning
}
