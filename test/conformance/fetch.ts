import { request } from 'node:http'
import type { Interim, SuiteFetch, SuiteRequest, SuiteResponse, SuiteTest } from './types.ts'

/** Seconds after which the suite gives a request up. */
const DEADLINE_MS = 10_000

/** An error as the suite's client names them: `Assertion` fails the test, `Setup` says that it could not be made. */
class Failure extends Error {
  constructor(setup: boolean, message: string) {
    super(message)
    this.name = setup ? 'Setup' : 'Assertion'
  }
}

/**
 * fetch for the suite's client, over node:http: it follows no redirect, adds next to nothing to a request, and sees
 * interim responses, which it judges itself because the package's client cannot.
 */
export function makeFetch(tests: readonly SuiteTest[]): SuiteFetch {
  const byId = new Map(tests.map((test) => [test.id, test]))
  return (url, init = {}) =>
    new Promise((resolve, reject) => {
      const asked = request(url, {
        method: init.method ?? 'GET',
        agent: false,
        signal: AbortSignal.timeout(DEADLINE_MS),
      })
      const fields = linesOf(init.headers ?? [])
      for (const [name, values] of fields) asked.setHeader(name, values)
      if (init.body !== undefined) asked.setHeader('Content-Length', Buffer.byteLength(init.body))
      const interim: Interim[] = []
      asked.on('information', (info) => {
        interim.push([info.statusCode, Object.entries(info.headers).map(([name, value]) => [name, String(value)])])
      })
      asked.on('error', reject)
      asked.on('response', (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', reject)
        answer.on('end', () => {
          const headers = new Headers()
          const raw = answer.rawHeaders
          for (let at = 0; at < raw.length; at += 2) headers.append(raw[at]!, raw[at + 1]!)
          const body = Buffer.concat(chunks).toString()
          const response = { status: answer.statusCode!, statusText: answer.statusMessage!, headers }
          const wanted = byId.get(fields.get('Test-ID')?.[0] ?? '')?.requests[Number(fields.get('Req-Num')?.[0]) - 1]
          const failure = wanted && judge(wanted, response.status, interim)
          if (failure) reject(failure)
          else resolve({ ...response, text: async () => body } satisfies SuiteResponse)
        })
      })
      asked.end(init.body)
    })
}

function linesOf(headers: readonly (readonly [string, string])[]): Map<string, string[]> {
  const lines = new Map<string, string[]>()
  for (const [name, value] of headers) lines.set(name, [...(lines.get(name) ?? []), value])
  return lines
}

/** What the newer client judges and the package's does not: any status, and interim responses. */
function judge(wanted: SuiteRequest, status: number, interim: readonly Interim[]): Failure | undefined {
  if (wanted.expected_status === null) wanted.expected_status = status
  const expected = wanted.expected_interim_responses
  if (expected === undefined) return undefined
  const failed = (message: string): Failure => new Failure(wanted.setup === true, message)
  if (expected.length !== interim.length) return failed(`${interim.length} interim responses, not ${expected.length}`)
  for (const [index, [code, fields = []]] of expected.entries()) {
    const [gotCode, gotFields] = interim[index]!
    if (gotCode !== code) return failed(`Interim response ${index + 1} status is ${gotCode}, not ${code}`)
    const got = new Map(gotFields)
    const missing = fields.find(([name, value]) => got.get(name) !== value)
    if (missing) return failed(`Interim response ${index + 1} header ${missing[0]} is ${got.get(missing[0])}`)
  }
  return undefined
}
