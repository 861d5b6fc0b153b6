import {
  type IncomingMessage,
  type RequestListener,
  type Server,
  createServer,
  request as httpRequest,
} from 'node:http'
import { type Duplex, duplexPair } from 'node:stream'

/** Where a request is rendered: the server that took the visitor's, or a listener. */
export type RenderTarget = Server | RequestListener

/** A request that the cache makes itself: the keyed parts of a visitor's, and nothing else of him. */
export interface RenderRequest {
  readonly secure: boolean
  readonly target: string
  /** Of a QUERY; without it the request is a GET. */
  readonly content: Buffer | undefined
  /** Name, value, name, value. */
  readonly headers: readonly string[]
  /** The address that the app sees as its peer. */
  readonly remoteAddress: string
}

/** TEST-NET-1 (RFC 5737): an address that nobody has and no allow-list trusts. */
export const NOBODY = '192.0.2.1'

const MAX_HEAD_BYTES = 256 * 1024

/** What a render hands over before it lets the event loop turn. */
const BYTES_A_TURN = 64 * 1024

/** The sockets of all renders of this process that have not come to the cache that has made them. */
const onTheirWay = new WeakSet<object>()

/** Whether a request is on its way to another cache: this one lets it pass, or it would answer in the place of what lies between. */
export function isOnItsWay(socket: object): boolean {
  return onTheirWay.has(socket)
}

/** The cache that has made this render has received it. */
export function arrive(socket: object): void {
  onTheirWay.delete(socket)
}

/**
 * Sends requests through the whole app in this process: a server that never listens gets one end of a pair of streams,
 * a client the other. So a render has real stream semantics, raw URL bytes, aborts and truncation, on every framework.
 * Its socket is its mark: nothing that a client can send makes a request look like a render.
 */
export class Renderer<Ticket extends object> {
  readonly #tickets = new WeakMap<object, Ticket>()
  readonly #targets = new WeakMap<object, RenderTarget>()
  readonly #shadow: Server

  constructor() {
    // The app's own server has judged Host already, or there was none.
    this.#shadow = createServer({ maxHeaderSize: MAX_HEAD_BYTES, requireHostHeader: false }, (req, res) => {
      const target = this.#targets.get(req.socket)
      try {
        if (typeof target === 'function') target(req, res)
        else target?.emit('request', req, res)
      } catch {
        // On a visitor's socket this would end the process, as it does without a cache; on ours it is a failed render.
        res.destroy()
      }
    })
    this.#shadow.requestTimeout = 0
    this.#shadow.headersTimeout = 0
    this.#shadow.keepAliveTimeout = 0
  }

  /** The ticket of a render, where this socket belongs to one. */
  ticketOf(socket: object): Ticket | undefined {
    return this.#tickets.get(socket)
  }

  /**
   * Renders. The response itself is heard by whoever finds the ticket; what arrives here is thrown away. Resolves when
   * the response has closed, with whether it was a whole one. `onResponse` may pause it, and so slow the app down. Never
   * rejects.
   */
  async render(
    target: RenderTarget,
    request: RenderRequest,
    ticket: Ticket,
    signal: AbortSignal,
    onResponse?: (response: IncomingMessage) => void,
  ): Promise<boolean> {
    const [client, server] = duplexPair()
    for (const end of [client, server]) Object.assign(end, SOCKET_METHODS)
    letOthersRun(server)
    Object.assign(server, { remoteAddress: request.remoteAddress, remotePort: 0, remoteFamily: 'IPv4' })
    if (request.secure) Object.assign(server, TLS_PROPERTIES)
    onTheirWay.add(server)
    this.#tickets.set(server, ticket)
    this.#targets.set(server, target)
    const closed = new Promise((resolve) => server.once('close', resolve))
    const stop = (): void => destroyBoth(client, server)
    let isWhole = false
    try {
      const sent = httpRequest({
        method: request.content === undefined ? 'GET' : 'QUERY',
        path: request.target,
        headers: [...request.headers],
        setHost: false,
        setDefaultHeaders: false,
        maxHeaderSize: MAX_HEAD_BYTES,
        createConnection: () => client,
      })
      sent.once('error', stop)
      sent.once('response', (response) => {
        response.once('end', () => {
          isWhole = response.complete
        })
        response.once('error', stop)
        response.resume()
        onResponse?.(response)
      })
      signal.addEventListener('abort', stop, { once: true })
      if (signal.aborted) stop()
      this.#shadow.emit('connection', server)
      // Node has written our shadow there; another cache on the way asks this socket for its server, too.
      Object.assign(server, { server: typeof target === 'function' ? undefined : target })
      sent.end(request.content)
    } catch {
      // Node refuses to write such a request (a header of the application's own, say).
      stop()
    }
    await closed
    signal.removeEventListener('abort', stop)
    return isWhole
  }
}

/**
 * A pair of streams hands everything over within one turn of the loop: an app with its bytes at hand would block the
 * process until its body ends, and for ever if that never does, deadlines included. A socket makes it wait.
 */
function letOthersRun(end: Duplex): void {
  // What a stream is made of has that name in Node's own documentation.
  // oxlint-disable no-underscore-dangle
  const write = end._write.bind(end)
  let sinceTurn = 0
  end._write = (chunk: Buffer, encoding, callback) => {
    sinceTurn += chunk.length
    if (sinceTurn < BYTES_A_TURN) {
      write(chunk, encoding, callback)
      return
    }
    sinceTurn = 0
    write(chunk, encoding, (error) => setImmediate(callback, error))
  }
  // oxlint-enable no-underscore-dangle
}

function destroyBoth(client: Duplex, server: Duplex): void {
  client.destroy()
  server.destroy()
}

function itself(this: unknown): unknown {
  return this
}

/** What node:http calls on a socket and a plain stream does not have. */
const SOCKET_METHODS = {
  setTimeout: itself,
  setNoDelay: itself,
  setKeepAlive: itself,
  ref: itself,
  unref: itself,
  address: () => ({}),
  destroySoon(this: Duplex) {
    this.end()
  },
}

/** What apps ask of a TLS socket: that it is one, and who the client is: nobody. */
const TLS_PROPERTIES = {
  encrypted: true,
  authorized: false,
  getPeerCertificate: () => ({}),
  getProtocol: () => null,
  getCipher: () => undefined,
}
