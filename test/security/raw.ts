import { expect } from 'vitest'
import type { Site } from '../support/scenario.ts'

/** One response as it came over a socket. */
export interface Answer {
  /** 0 where nothing came. */
  readonly status: number
  /** Lower-case names; repeated fields joined with `, `. */
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  readonly cacheStatus: string
  /** All bytes of the connection, in latin1. */
  readonly bytes: string
  /** Further responses on the same connection. */
  readonly more: readonly Answer[]
}

/** A request as bytes: the lines as they stand, an empty line, and what follows it. */
export function lines(first: string, fields: readonly string[], body = ''): string {
  return `${[first, ...fields].join('\r\n')}\r\n\r\n${body}`
}

export const HOST = 'Host: example.test'
/** So that the socket ends when all has been said. */
export const CLOSE = 'Connection: close'

/** A GET of this target with these field lines. */
export const get = (target: string, ...fields: string[]): string =>
  lines(`GET ${target} HTTP/1.1`, [HOST, CLOSE, ...fields])

/** Sends bytes and reads until the other side closes; then what the visit has started behind it has ended, too. */
export async function send(site: Site, bytes: string): Promise<Answer> {
  const received = await site.send(bytes)
  await site.cache.idle()
  return parse(received, bytes.startsWith('HEAD '))
}

export function parse(bytes: string, isHead = false): Answer {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return { status: 0, headers: {}, text: '', cacheStatus: '', bytes, more: [] }
  const [statusLine, ...fieldLines] = bytes.slice(0, end).split('\r\n') as [string, ...string[]]
  const status = Number(statusLine.split(' ')[1])
  const headers: Record<string, string> = {}
  for (const line of fieldLines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value
  }
  const rest = bytes.slice(end + 4)
  if (status < 200) return parse(rest, isHead)
  const { text, left } = bodyOf(headers, rest, isHead || status === 204 || status === 304)
  const more = left === '' ? [] : [parse(left)]
  return { status, headers, text, cacheStatus: headers['cache-status'] ?? '', bytes, more }
}

function bodyOf(headers: Record<string, string>, rest: string, hasNone: boolean): { text: string; left: string } {
  if (hasNone) return { text: '', left: rest }
  if (headers['transfer-encoding'] === 'chunked') return dechunked(rest)
  const length = headers['content-length'] === undefined ? rest.length : Number(headers['content-length'])
  return { text: utf8(rest.slice(0, length)), left: rest.slice(length) }
}

function dechunked(rest: string): { text: string; left: string } {
  let text = ''
  let at = 0
  for (;;) {
    const end = rest.indexOf('\r\n', at)
    const size = Number.parseInt(rest.slice(at, end), 16)
    if (end === -1 || Number.isNaN(size)) return { text: utf8(text), left: '' }
    at = end + 2
    if (size === 0) return { text: utf8(text), left: rest.slice(rest.indexOf('\r\n', at) + 2) }
    text += rest.slice(at, at + size)
    at += size + 2
  }
}

const utf8 = (latin1: string): string => Buffer.from(latin1, 'latin1').toString('utf8')

/** What of a response is the page: neither what belongs to one exchange, nor what the cache says of itself. */
export function pageOf({ status, headers, text }: Answer): unknown {
  const page = Object.fromEntries(Object.entries(headers).filter(([name]) => !EXCHANGE.has(name)))
  return { status, headers: page, text }
}

const EXCHANGE = new Set([
  'age',
  'cache-status',
  'connection',
  'content-length',
  'date',
  'etag',
  'keep-alive',
  'transfer-encoding',
  'warning',
])

export function expectPage(answer: Answer, expected: Answer, why: string): void {
  expect(pageOf(answer), why).toEqual(pageOf(expected))
}
