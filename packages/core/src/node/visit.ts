import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'

import type { RequestHead } from '../policy/fields.ts'

/** A request on its way through a framework: what an adapter fits to the cache. */
export interface Visit {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** The request target byte for byte as it was sent. */
  readonly target: string
  /** What the handler sees instead, where something outside the cache has rewritten it (mounting is no rewriting). */
  readonly rewritten: string | undefined
  /** Fields that the framework keeps beside `res` until it answers (Fastify's reply). */
  standing(): OutgoingHttpHeaders | undefined
  /** The framework's name of the route, once it is known. */
  route(): string | undefined
  /** Called just before the cache answers in the framework's place. */
  take(): void
  /** It has not come to the app yet: see `cache.listener`. */
  readonly isInFront?: boolean | undefined
}

/** Whether the cache has answered, or the framework goes on. */
export type Outcome = 'answered' | 'proceed'

/** Answers in the framework's place. It stands back from here on, so what goes wrong can only end the connection. */
export function takeOver(visit: Visit, answer: () => void): void {
  visit.take()
  try {
    answer()
  } catch {
    visit.res.destroy()
  }
}

/** The part of a request that policy reads. */
export function requestHead({ req, target, rewritten }: Visit): RequestHead {
  return {
    method: req.method ?? '',
    secure: isSecure(req),
    target,
    rewritten,
    headers: req.headers,
    rawHeaders: req.rawHeaders,
  }
}

/** TLS clients may identify themselves without any header (RFC 8446 §4.4.2). */
export function hasClientCertificate({ socket }: IncomingMessage): boolean {
  const { encrypted, getPeerCertificate } = socket as Partial<TLSSocket>
  if (encrypted !== true || getPeerCertificate === undefined) return false
  const certificate = (socket as TLSSocket).getPeerCertificate()
  // Node answers {} where there is none.
  return certificate !== null && Object.keys(certificate).length > 0
}

function isSecure({ socket }: IncomingMessage): boolean {
  return (socket as Partial<TLSSocket>).encrypted === true
}
