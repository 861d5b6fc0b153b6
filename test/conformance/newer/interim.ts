import type { Interim, Section, SuiteRequest, SuiteTest } from '../types.ts'
import { test } from './test.ts'

const LINK: [string, string] = ['link', '</styles.css>; rel=preload; as=style']
const OWN: [string, string] = ['x-my-header', 'test']

/** A first exchange in which the origin says this before its answer; the client must see the same. */
const preceded = (interim: Interim): SuiteRequest => ({
  interim_responses: [interim],
  expected_interim_responses: [interim],
  response_headers: [
    ['Cache-Control', 'max-age=100000'],
    ['Date', 0],
  ],
  pause_after: true,
})

const without = (request: SuiteRequest): SuiteRequest => ({ ...request, expected_response_headers_missing: [OWN[0]] })

const passedOn = (id: string, interim: Interim): SuiteTest =>
  test(id, 'optimal', [], `A ${interim[0]} is passed on and the final response stored`, [
    preceded(interim),
    { expected_type: 'cached' },
  ])

export const interim: Section = {
  id: 'interim',
  name: 'Interim responses',
  tests: [
    passedOn('interim-102', [102]),
    passedOn('interim-103', [103, [LINK, OWN]]),
    test('interim-not-cached', 'required', [], 'An interim response is not stored', [
      preceded([103, [LINK]]),
      { expected_type: 'cached', expected_interim_responses: [] },
    ]),
    test('interim-no-header-reuse', 'optimal', [], 'Fields of an interim response are not stored', [
      without(preceded([103, [LINK, OWN]])),
      without({ expected_type: 'cached' }),
    ]),
  ],
}
