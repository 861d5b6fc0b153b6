import type { RouteOptions } from '@cacheback/core'
import { createHash } from 'node:crypto'
import type { Gate } from '../../support/gate.ts'
import { type Reply, chunks, empty, json, raw, text } from '../../support/reply.ts'
import { type Behaviour, isMadePersonal, whyUnshareable } from './behaviour.ts'
import { ORIGIN, forwardedOrigin, varyNames } from './key.ts'
import type { Repeated, Seen } from './world.ts'

/** These belong to the connection or to a condition, and are no part of what a page may show. */
const NEVER_SHOWN = new Set([
  'connection',
  'content-length',
  'transfer-encoding',
  'if-none-match',
  'if-modified-since',
  'if-range',
])
/** In every key, or hidden from whatever may be stored: these a page may always show. */
const ALWAYS_SHOWN = new Set([...ORIGIN, 'host', 'cookie', 'content-type'])

/** The handler of every page: its answer is a function of what it saw and of how it is told to behave. */
export function answerOf(seen: Seen, rules: RouteOptions | false, render: Repeated, inBody?: Gate): Reply {
  const { behaviour, n } = render
  if (!['GET', 'HEAD', 'QUERY'].includes(seen.method)) return changed(seen, n)
  if (behaviour.body === 'throw') return failing(n)
  const isOwn = whyUnshareable(behaviour, seen, rules) !== undefined
  const shown = show(seen, behaviour, rules, isOwn)
  const validators = validatorsOf(behaviour, shown, isOwn)
  const headers = headersOf(seen, render, validators)
  if (isKnown(seen, validators)) return empty(304, { ...headers, 'x-validated': String(n) })
  const { status } = behaviour
  const head = { 'content-type': 'text/plain; charset=utf-8', ...headers, 'x-render': String(n) }
  if (status === 204) return empty(204, head)
  return reply(behaviour, status, `render ${n}\n${shown}`, head, inBody)
}

/** Express shows the stack, which is another in the app without the cache. */
function failing(n: number): Reply {
  const error = new Error(`render ${n}`)
  error.stack = `Error: render ${n}`
  return { kind: 'fail', error }
}

/** Everything that this answer may honestly show of the request. */
function show(seen: Seen, behaviour: Behaviour, rules: RouteOptions | false, isOwn: boolean): string {
  // A handler behind `sealed` need not think of anything: it shows whatever it sees.
  const isOpen = isOwn || (rules !== false && rules.sealed === true)
  const varied = new Set([...varyNames(behaviour.vary), ...((rules !== false && rules.vary) || [])])
  const may = (name: string): boolean => isOpen || ALWAYS_SHOWN.has(name) || varied.has(name)
  const lines = [`url ${seen.url}`, `query ${seen.parsedQuery}`, `origin ${seen.origin}`, `content ${seen.content}`]
  for (const [name, value] of Object.entries(seen.headers)) {
    if (!NEVER_SHOWN.has(name) && may(name)) lines.push(`${name}: ${value}`)
  }
  if (!may('forwarded')) lines.push(`forwarded: ${forwardedOrigin(seen.headers['forwarded'])}`)
  if (may('x-visitor')) lines.push(`context ${seen.context}`)
  if (may('x-forwarded-for')) lines.push(`address ${seen.ip} ${seen.remoteAddress}`)
  return `${lines.toSorted().join('\n')}\nthe end\n`
}

interface Validators {
  readonly etag?: string
  readonly lastModified?: string
}

/** What a page shows, and how it behaves, is what it is: other things have other tags. */
function validatorsOf(behaviour: Behaviour, shown: string, isOwn: boolean): Validators {
  const digest = createHash('sha1')
    .update(`${JSON.stringify(behaviour)}${shown}`)
    .digest('base64url')
  const tag = `"${digest.slice(0, 12)}"`
  // A date cannot tell two visitors apart.
  const lastModified = isOwn ? {} : { lastModified: new Date(Date.UTC(2020, 1, 1 + behaviour.version)).toUTCString() }
  switch (behaviour.validator) {
    case 'none':
      return {}
    case 'etag':
      return { etag: tag }
    case 'weak':
      return { etag: `W/${tag}` }
    case 'last-modified':
      return lastModified
    case 'both':
      return { etag: tag, ...lastModified }
  }
}

/** Whether the handler answers 304 of its own accord. */
function isKnown({ headers }: Seen, { etag, lastModified }: Validators): boolean {
  const tags = headers['if-none-match']
  if (tags !== undefined) return etag !== undefined && tags === etag
  return lastModified !== undefined && headers['if-modified-since'] === lastModified
}

function headersOf(
  seen: Seen,
  { behaviour, time, n }: Repeated,
  validators: Validators,
): Record<string, string | string[]> {
  const visit = seen.headers['x-visit'] ?? 'nobody'
  const headers: Record<string, string | string[]> = {
    // Fields of the one exchange: passed on, never stored.
    'x-request-id': visit,
  }
  const control = isMadePersonal(behaviour, seen) ? 'private' : behaviour.control
  if (control !== '') headers['cache-control'] = control.includes('\n') ? control.split('\n') : control
  if (behaviour.expires !== undefined) headers['expires'] = new Date(time + behaviour.expires * 1000).toUTCString()
  if (behaviour.age !== undefined) headers['age'] = String(behaviour.age)
  if (behaviour.vary !== undefined) headers['vary'] = behaviour.vary
  if (behaviour.tag !== undefined) headers['cache-tag'] = behaviour.tag
  if (behaviour.cookie) headers['set-cookie'] = `sid=${visit}-${n}`
  if (behaviour.status === 301 || behaviour.status === 302) headers['location'] = '/r/b'
  if (behaviour.status === 206) headers['content-range'] = 'bytes 0-0/1'
  if (validators.etag !== undefined) headers['etag'] = validators.etag
  if (validators.lastModified !== undefined) headers['last-modified'] = validators.lastModified
  if (behaviour.hop) Object.assign(headers, { connection: 'keep-alive, x-hop', 'x-hop': visit })
  return headers
}

function reply(
  { body }: Behaviour,
  status: number,
  page: string,
  headers: Record<string, string | string[]>,
  inBody: Gate | undefined,
): Reply {
  const half = Math.floor(page.length / 2)
  switch (body) {
    case 'json':
      return json({ page }, { ...headers, 'content-type': 'application/json; charset=utf-8' }, status)
    case 'chunks':
    case 'broken':
      return chunks(
        async function* () {
          yield page.slice(0, half)
          await inBody?.()
          if (body === 'broken') throw new Error('the stream broke')
          yield page.slice(half)
        },
        headers,
        status,
      )
    case 'raw':
    case 'short': {
      const isShort = body === 'short'
      const length = String(page.length + (isShort ? 10 : 0))
      const framing = { 'content-length': length, ...(isShort ? { connection: 'close' } : {}) }
      const lines = Object.entries({ ...headers, ...framing }).flatMap(([name, value]) =>
        [value].flat().flatMap((line) => [name, line]),
      )
      return raw(async (_request, response) => {
        response.writeHead(status, lines)
        response.write(page.slice(0, half))
        await inBody?.()
        response.end(page.slice(half))
      })
    }
    default:
      return text(page, headers, status)
  }
}

/** What an unsafe request (or OPTIONS) is told: everything that was seen of it, by a status that it asks for itself. */
function changed(seen: Seen, n: number): Reply {
  const status = Number(seen.headers['x-wanted'] ?? 200)
  const shown = JSON.stringify([seen.url, seen.headers, seen.context, seen.ip], (name, value: unknown) =>
    NEVER_SHOWN.has(name) ? undefined : value,
  )
  const location = status === 303 ? { location: '/r/b' } : {}
  return text(
    `render ${n}\n${shown}`,
    { ...location, 'x-render': String(n), 'x-request-id': String(seen.headers['x-visit']) },
    status,
  )
}
