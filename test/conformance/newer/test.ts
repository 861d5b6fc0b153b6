import type { Field, Kind, SuiteRequest, SuiteTest } from '../types.ts'

/** A test of ours in the suite's shape. Its sentence travels as a request header: keep it ASCII. */
export function test(id: string, kind: Kind, gates: string[], name: string, requests: SuiteRequest[]): SuiteTest {
  return { id, name, kind, depends_on: gates, requests }
}

/** A first exchange with these response fields, and three seconds of waiting after it. */
export function stored(...fields: Field[]): SuiteRequest {
  return { response_headers: fields, setup: true, pause_after: true }
}

/** Stored with these fields: does the second response come from the cache? */
export function reused(id: string, kind: Kind, gates: string[], name: string, ...fields: Field[]): SuiteTest {
  return test(id, kind, gates, name, [stored(...fields), { expected_type: 'cached' }])
}

/** Stored with these fields: does the second response come from the origin? */
export function notReused(id: string, kind: Kind, gates: string[], name: string, ...fields: Field[]): SuiteTest {
  return test(id, kind, gates, name, [stored(...fields), { expected_type: 'not_cached' }])
}

/** Without waiting. */
export function atOnce({ requests, ...rest }: SuiteTest): SuiteTest {
  return { ...rest, requests: requests.map((request) => omitPause({ ...request })) }
}

/** The client asks whether the property is there, whatever its value. */
function omitPause(request: SuiteRequest): SuiteRequest {
  delete request.pause_after
  return request
}
