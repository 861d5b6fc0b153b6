import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'

export type Fields = Readonly<Record<string, string | readonly string[]>>

interface Head {
  readonly status: number
  readonly headers: Fields
}

/** What an origin says, without saying how: each framework answers in its own idiom. */
export type Reply =
  | (Head & { readonly kind: 'text'; readonly body: string })
  | (Head & { readonly kind: 'json'; readonly body: unknown })
  | (Head & { readonly kind: 'bytes'; readonly body: Buffer })
  /** `res.write` where the framework has it, a stream where it has not. */
  | (Head & { readonly kind: 'chunks'; readonly make: () => AsyncIterable<string | Buffer> })
  | (Head & { readonly kind: 'stream'; readonly make: () => Readable })
  /** A name in `test/support/files`. */
  | (Head & { readonly kind: 'file'; readonly file: string })
  | (Head & { readonly kind: 'empty' })
  /** Past the framework: `reply.hijack()`, `ctx.respond = false`. */
  | { readonly kind: 'raw'; readonly write: RawHandler }
  | { readonly kind: 'fail'; readonly error: Error }

export type RawHandler = (request: IncomingMessage, response: ServerResponse) => unknown

export const text = (body: string, headers: Fields = {}, status = 200): Reply => ({
  kind: 'text',
  body,
  status,
  headers,
})
export const json = (body: unknown, headers: Fields = {}, status = 200): Reply => ({
  kind: 'json',
  body,
  status,
  headers,
})
export const bytes = (body: Buffer, headers: Fields = {}, status = 200): Reply => ({
  kind: 'bytes',
  body,
  status,
  headers,
})
export const stream = (make: () => Readable, headers: Fields = {}, status = 200): Reply => ({
  kind: 'stream',
  make,
  status,
  headers,
})
export const chunks = (make: () => AsyncIterable<string | Buffer>, headers: Fields = {}, status = 200): Reply => ({
  kind: 'chunks',
  make,
  status,
  headers,
})
export const file = (name: string, headers: Fields = {}): Reply => ({ kind: 'file', file: name, status: 200, headers })
export const empty = (status: number, headers: Fields = {}): Reply => ({ kind: 'empty', status, headers })
export const raw = (write: RawHandler): Reply => ({ kind: 'raw', write })
/** The handler throws, before anything has been sent. */
export const fail = (message = 'the handler failed'): Reply => ({ kind: 'fail', error: new Error(message) })

/** `Cache-Control` alone: what most replies have to say. */
export const cacheControl = (value: string): Fields => ({ 'cache-control': value })
/** One reply after the other's render. */
export const fresh10: Fields = cacheControl('max-age=10')
