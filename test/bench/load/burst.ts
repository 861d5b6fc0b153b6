import { once } from 'node:events'
import { type Socket, connect } from 'node:net'

import { HEADERS } from './requests.ts'

export interface Burst {
  /** Milliseconds until each whole answer, in ascending order; failures are not among them. */
  readonly latencies: number[]
  /** Answers other than a 200 with the whole body, broken connections, and what took over 30 s. */
  readonly failed: number
}

/** All targets at once, each over a connection of its own that was there before. */
export async function burst(origin: string, targets: readonly string[], bytes: number): Promise<Burst> {
  const { port } = new URL(origin)
  const sockets: Socket[] = []
  // In groups: a backlog has an end.
  for (let i = 0; i < targets.length; i += 100) {
    const group = targets.slice(i, i + 100).map(() => connect(Number(port), '127.0.0.1').setNoDelay())
    await Promise.all(group.map((socket) => once(socket, 'connect')))
    sockets.push(...group)
  }
  const answers = await Promise.all(sockets.map((socket, i) => exchange(socket, port, targets[i]!, bytes)))
  const latencies = answers.filter((ms) => ms !== undefined).toSorted((a, b) => a - b)
  return { latencies, failed: answers.length - latencies.length }
}

const FIELDS = Object.entries({ ...HEADERS, Connection: 'close' })
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('')

/** Milliseconds until the server ended a good answer, or undefined. */
function exchange(socket: Socket, port: string, target: string, bytes: number): Promise<number | undefined> {
  const start = performance.now()
  const chunks: Buffer[] = []
  socket.write(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${FIELDS}\r\n`)
  return new Promise((resolve) => {
    const give = (ms: number | undefined): void => {
      socket.destroy()
      resolve(ms)
    }
    socket.setTimeout(30_000, () => give(undefined))
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', () => give(undefined))
    socket.on('end', () => give(isGood(Buffer.concat(chunks), bytes) ? performance.now() - start : undefined))
  })
}

/** Chunks may make it longer, never shorter. */
function isGood(answer: Buffer, bytes: number): boolean {
  const head = answer.indexOf('\r\n\r\n')
  return answer.subarray(0, 12).toString() === 'HTTP/1.1 200' && answer.length - head - 4 >= bytes
}
