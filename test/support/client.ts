import { Agent, request as httpRequest, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import type { Fields } from './reply.ts'

/** What a visitor got: everything that came over his socket. */
export interface Got {
  /** 0 if there was no head at all. */
  readonly status: number
  readonly reason: string
  /** Lower-case names; repeated fields joined with `, `. */
  readonly headers: Readonly<Record<string, string>>
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  readonly text: string
  /** False if the connection ended before the message did. */
  readonly complete: boolean
  /** Interim responses (1xx) that came before. */
  readonly interim: readonly number[]
  readonly age: number | undefined
  readonly warning: string | undefined
  readonly cacheStatus: string | undefined
}

/** A visit under way. */
export interface Visit {
  /** The status and header fields, as soon as they are there. */
  readonly head: Promise<Got>
  /** The first bytes of the body. */
  readonly first: Promise<string>
  /** Never rejects. */
  readonly done: Promise<Got>
  /** The visitor goes away. */
  abort: () => void
  /** A slow reader begins to read. */
  read: () => void
}

export interface VisitOptions {
  readonly body?: string
  /** Takes the head, and no body before `read()`. */
  readonly slow?: boolean
}

export interface Client {
  visit: (request: string, headers?: Fields, options?: VisitOptions) => Visit
  /** Bytes onto a socket, and all bytes until the other side closes. */
  send: (bytes: string) => Promise<string>
  close: () => void
}

/** The Host of every request that does not bring its own. */
export const HOST = 'example.test'

export function makeClient(server: Server): Client {
  const agent = new Agent({ keepAlive: true })
  const { port } = server.address() as AddressInfo
  return {
    visit: (request, headers = {}, options = {}) => visit(agent, port, request, headers, options),
    send: (bytes) => send(port, bytes),
    close: () => agent.destroy(),
  }
}

function visit(agent: Agent, port: number, line: string, headers: Fields, options: VisitOptions): Visit {
  const space = line.indexOf(' ')
  const method = space === -1 ? 'GET' : line.slice(0, space)
  // Frameworks would ask what an unsafe request without a length brings.
  const body = options.body ?? (method === 'GET' || method === 'HEAD' ? undefined : '')
  const host = Object.keys(headers).some((name) => name.toLowerCase() === 'host') ? {} : { Host: HOST }
  const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }

  const head = Promise.withResolvers<Got>()
  const first = Promise.withResolvers<string>()
  const done = Promise.withResolvers<Got>()
  // Nobody has to look at them.
  head.promise.catch(() => undefined)
  first.promise.catch(() => undefined)

  let reading: (() => void) | undefined
  const interim: number[] = []
  const received: Buffer[] = []
  let incoming: IncomingMessage | undefined
  const finish = (complete: boolean): void => {
    const got = toGot(incoming, Buffer.concat(received), complete, interim)
    if (incoming === undefined) head.reject(new Error(`${line}: the connection ended before a response`))
    first.reject(new Error(`${line}: the response ended without a body`))
    done.resolve(got)
  }
  const outgoing = httpRequest({
    host: '127.0.0.1',
    port,
    agent,
    method,
    path: line.slice(space + 1),
    // A flat array goes out as it stands: repeated lines, spelling and order included.
    headers: flatten({ ...host, ...headers, ...length }),
  })
  outgoing.on('information', ({ statusCode }) => interim.push(statusCode))
  outgoing.on('error', () => finish(false))
  outgoing.on('response', (response) => {
    incoming = response
    head.resolve(toGot(response, Buffer.alloc(0), false, interim))
    response.on('error', () => finish(false))
    response.on('end', () => finish(response.complete))
    const read = (): void => {
      response.on('data', (chunk: Buffer) => {
        received.push(chunk)
        first.resolve(chunk.toString())
      })
    }
    if (options.slow) reading = read
    else read()
  })
  outgoing.end(body)

  return {
    head: head.promise,
    first: first.promise,
    done: done.promise,
    abort: () => outgoing.destroy(),
    read: () => reading?.(),
  }
}

function flatten(headers: Fields): string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).flatMap((line) => [name, line]),
  )
}

function toGot(message: IncomingMessage | undefined, body: Buffer, complete: boolean, interim: readonly number[]): Got {
  const headers: Record<string, string> = {}
  const rawHeaders = message?.rawHeaders ?? []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    headers[name] = name in headers ? `${headers[name]}, ${rawHeaders[i + 1]}` : rawHeaders[i + 1]!
  }
  return {
    status: message?.statusCode ?? 0,
    reason: message?.statusMessage ?? '',
    headers,
    rawHeaders,
    body,
    text: body.toString(),
    complete,
    interim,
    age: headers['age'] === undefined ? undefined : Number(headers['age']),
    warning: headers['warning'],
    cacheStatus: headers['cache-status'],
  }
}

function send(port: number, bytes: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'))
  const received: Buffer[] = []
  socket.on('data', (chunk) => received.push(chunk))
  socket.on('error', () => undefined)
  socket.on('close', () => resolve(Buffer.concat(received).toString('latin1')))
  return promise
}
