import type { StoredParts } from '../../packages/core/src/engine/stored-parts.ts'
import type { RequestHead } from '../../packages/core/src/policy/fields.ts'
import type { Place } from '../../packages/core/src/policy/selector.ts'

/** A GET of `/` with these headers, each a line of its own; `rest` says what is otherwise. */
export function request(headers: Readonly<Record<string, string>> = {}, rest: Partial<RequestHead> = {}): RequestHead {
  const rawHeaders = Object.entries(headers).flat()
  return { method: 'GET', secure: false, target: '/', rewritten: undefined, headers, rawHeaders, ...rest }
}

export const PLACE: Place = {
  host: 'a.test',
  hosts: ['a.test'],
  path: '/',
  query: '',
  queryRule: true,
  search: undefined,
  route: undefined,
  tags: [],
}

/** A stored response that says nothing: a test lays over it what it is about. */
export const PARTS: StoredParts = {
  key: 'k',
  selecting: [],
  status: 200,
  reason: undefined,
  fields: [],
  body: Buffer.alloc(0),
  place: PLACE,
  freshness: { bornAt: 0, freshUntil: 0, staleUntil: 0, errorUntil: 0 },
  receivedAt: 0,
  authorized: false,
  keepUntil: 0,
  isHeuristic: false,
  hasOwnEtag: false,
  isWhole: false,
  isInner: false,
  epoch: 0,
}
