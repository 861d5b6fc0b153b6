import { type IncomingMessage, type RequestListener, type Server, type ServerResponse, createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'

import type { ServerOptions } from '../types.ts'
import type { Outcome, Visit } from './visit.ts'

/** A request listener that is asked only for what the cache in front of it does not answer. */
export function inFrontOf(app: RequestListener, enter: (visit: Visit) => Outcome | Promise<Outcome>): RequestListener {
  return (req, res) => {
    const outcome = enter(new FrontVisit(req, res))
    if (outcome === 'proceed') app(req, res)
    // In a turn of its own: what the app throws is not a promise's.
    else if (outcome !== 'answered')
      void outcome.then((settled) => settled === 'proceed' && process.nextTick(app, req, res))
  }
}

/** A server as Fastify would have made it. */
export function createServerFor(listener: RequestListener, options: ServerOptions): Server {
  const { http, https, keepAliveTimeout, requestTimeout, connectionTimeout, maxRequestsPerSocket = 0 } = options
  const secure = https === true ? {} : https
  const server: Server = secure ? createSecureServer(secure, listener) : createServer(http ?? {}, listener)
  if (keepAliveTimeout !== undefined) server.keepAliveTimeout = keepAliveTimeout
  if (requestTimeout !== undefined) server.requestTimeout = requestTimeout
  if (connectionTimeout !== undefined) server.setTimeout(connectionTimeout)
  if (maxRequestsPerSocket > 0) server.maxRequestsPerSocket = maxRequestsPerSocket
  return server
}

/** A request that no framework has seen yet. */
class FrontVisit implements Visit {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly target: string
  readonly rewritten = undefined
  readonly isInFront = true

  constructor(req: IncomingMessage, res: ServerResponse) {
    this.req = req
    this.res = res
    this.target = req.url ?? ''
  }

  standing(): undefined {
    return undefined
  }

  route(): undefined {
    return undefined
  }

  take(): void {
    // Nobody waits behind it.
  }
}
