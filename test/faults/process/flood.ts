import { connect } from 'node:net'
import { HOST } from '../../support/client.ts'

/** One GET as it goes onto the wire. */
export const get = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n${fields}\r\n`

export interface FloodOptions {
  readonly connections?: number
  /** How many requests of one connection are under way at once. */
  readonly window?: number
}

/** How often each kind of answer came: the status and, for reused ones, `hit` or `stale`. */
export type Answers = Record<string, number>

/**
 * Sends all requests as quickly as they are answered. An ordinary client costs more than the server that it asks; this
 * one knows nothing but Content-Length.
 */
export async function flood(
  port: number,
  requests: readonly string[],
  { connections = 8, window = 1 }: FloodOptions = {},
): Promise<Answers> {
  const answers: Answers = {}
  let next = 0
  const ask = (): string | undefined => requests[next++]
  const note = (kind: string): void => {
    answers[kind] = (answers[kind] ?? 0) + 1
  }
  await Promise.all(Array.from({ length: connections }, () => line(port, window, ask, note)))
  return answers
}

function line(
  port: number,
  window: number,
  ask: () => string | undefined,
  note: (kind: string) => void,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = connect({ port, host: '127.0.0.1' })
  let received: Buffer = Buffer.alloc(0)
  let underWay = 0
  const send = (count: number): void => {
    let bytes = ''
    for (let i = 0; i < count; i++) {
      const request = ask()
      if (request === undefined) break
      bytes += request
      underWay += 1
    }
    if (bytes !== '') socket.write(bytes, 'latin1')
    else if (underWay === 0) socket.end()
  }
  socket.on('connect', () => send(window))
  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    let settled = 0
    for (;;) {
      const end = received.indexOf('\r\n\r\n')
      if (end === -1) break
      const head = received.toString('latin1', 0, end)
      const whole = end + 4 + Number(/\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
      if (received.length < whole) break
      received = received.subarray(whole)
      note(kindOf(head))
      settled += 1
    }
    underWay -= settled
    if (settled > 0) send(settled)
  })
  // A process that ends once it has answered may do so before it has heard our end of the connection.
  let cause: Error | undefined
  socket.on('error', (error) => {
    cause = error
  })
  socket.on('close', () => (underWay === 0 ? resolve() : reject(new Error('a connection was cut', { cause }))))
  return promise
}

function kindOf(head: string): string {
  const status = head.slice(9, 12)
  if (!/\ncache-status: \w+; hit/i.test(head)) return status
  return /\nwarning: 110/i.test(head) ? `${status} stale` : `${status} hit`
}
