import { type IncomingMessage, Agent, get } from 'node:http'

import { HEADERS } from './requests.ts'

export interface Fetched {
  readonly status: number
  readonly rawHeaders: readonly string[]
  readonly body: string
  /** Milliseconds until the first byte of the body. */
  readonly firstByteMs: number
}

const agent = new Agent({ keepAlive: true })

/** One request over a connection that is kept. */
export function fetchOnce(url: string): Promise<Fetched> {
  return new Promise((resolve, reject) => {
    const start = performance.now()
    let firstByteMs = Number.NaN
    const read = (response: IncomingMessage): void => {
      let body = ''
      response.setEncoding('utf8')
      response.once('data', () => (firstByteMs = performance.now() - start))
      response.on('data', (chunk: string) => (body += chunk))
      response.once('error', reject)
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, rawHeaders: response.rawHeaders, body, firstByteMs }),
      )
    }
    get(url, { agent, headers: HEADERS }, read).once('error', reject)
  })
}
