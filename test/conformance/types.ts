import type { IncomingMessage, ServerResponse } from 'node:http'

export type Kind = 'required' | 'optimal' | 'check'

/** A field of a request or response; a number stands for a date so many seconds from now; `false`: do not compare it. */
export type Field = [name: string, value: string | number, compare?: boolean]

/** An interim response: its status and its fields. */
export type Interim = [status: number, fields?: [name: string, value: string][]]

/** One exchange of a test, in the suite's own declarative shape. */
export interface SuiteRequest {
  request_method?: string
  request_headers?: Field[]
  request_body?: string
  filename?: string
  query_arg?: string
  redirect?: 'manual'
  pause_after?: boolean
  disconnect?: boolean
  magic_ims?: boolean
  magic_locations?: boolean
  response_status?: [code: number, phrase: string]
  response_headers?: Field[]
  response_body?: string | null
  check_body?: boolean
  expected_type?: 'cached' | 'not_cached' | 'lm_validated' | 'etag_validated'
  /** null: any. */
  expected_status?: number | null
  expected_request_headers?: (string | [string, string])[]
  expected_response_headers?: (string | [string, string | number] | [string, '=' | '>', string | number])[]
  expected_response_headers_missing?: string[]
  expected_response_text?: string | null
  setup?: boolean
  setup_tests?: string[]
  /** Seconds that the origin waits. Not in the package: origin.ts does it. */
  response_pause?: number
  /** Not in the package: origin.ts sends them. */
  interim_responses?: Interim[]
  /** Not in the package: fetch.ts judges them. An empty list: none at all. */
  expected_interim_responses?: Interim[]
}

export interface SuiteTest {
  id: string
  name: string
  kind?: Kind
  depends_on?: string[]
  browser_only?: boolean
  requests: SuiteRequest[]
}

export interface Section {
  id: string
  name: string
  tests: SuiteTest[]
}

/** `true`, or the name and message of what went wrong. */
export type Result = true | [name: string, message: string]

export type Results = Readonly<Record<string, Result>>

/** What the suite's client asks of fetch. */
export interface SuiteInit {
  method?: string
  headers?: [string, string][]
  body?: string
}

export interface SuiteResponse {
  readonly status: number
  readonly statusText: string
  readonly headers: Headers
  text(): Promise<string>
}

export type SuiteFetch = (url: string, init?: SuiteInit) => Promise<SuiteResponse>

/** A handler of the suite's origin. */
export type Handle = (segments: string[], req: IncomingMessage, res: ServerResponse) => void
