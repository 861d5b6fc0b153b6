import { once } from 'node:events'
import { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { cacheControl, chunks, fail, raw, stream, text, type Reply } from '../support/reply.ts'

/** Good for ten seconds, then stale for as long as a test likes. */
export const swr = cacheControl('max-age=10, stale-while-revalidate=6000')

const fresh = { 'Cache-Control': 'max-age=60' }

/** One way in which a handler fails, in the framework's own idiom where it has one. */
export interface Failure {
  readonly title: string
  readonly reply: Reply
  /** What `refresh-failed` says of it. */
  readonly reason: string
}

async function* halfAndThrow(): AsyncGenerator<string> {
  yield 'half a page'
  await turn()
  throw new Error('the handler failed in the middle')
}

function brokenStream(): Readable {
  const source = new Readable({ read: () => undefined })
  source.push('half a page')
  setImmediate(() => source.destroy(new Error('the source broke')))
  return source
}

/** All of them name a freshness, so that nothing but the failure forbids storing; of an error it would count. */
export const FAILURES: readonly Failure[] = [
  { title: 'throws before the head', reply: fail(), reason: 'status-500' },
  { title: 'throws after the head', reply: chunks(halfAndThrow, fresh), reason: 'aborted' },
  { title: 'breaks its stream off', reply: stream(brokenStream, fresh), reason: 'aborted' },
  {
    title: 'answers short of its Content-Length',
    reply: raw((_req, res) => {
      res.writeHead(200, { ...fresh, 'Content-Length': '20', Connection: 'close' })
      res.end('half a page')
    }),
    reason: 'truncated',
  },
  {
    title: 'cuts the connection',
    reply: raw(async (_req, res) => {
      res.writeHead(200, fresh)
      res.write('half a page')
      await turn()
      res.destroy()
    }),
    reason: 'aborted',
  },
  {
    title: 'cuts the connection before the head',
    reply: raw((_req, res) => void res.destroy()),
    reason: 'aborted',
  },
  { title: 'says 500', reply: text('ill', {}, 500), reason: 'status-500' },
  { title: 'says 503', reply: text('busy', { 'retry-after': '7' }, 503), reason: 'status-503' },
  { title: 'says 429', reply: text('too many', { 'retry-after': '7' }, 429), reason: 'status-429' },
]

/** Says nothing, or nothing more after `before`. */
export const hang = (before?: string): Reply =>
  raw((_req, res) => {
    if (before === undefined) return
    res.writeHead(200, fresh)
    res.write(before)
  })

/** Never ends, at the pace of whoever reads; `onStep` hears how much has been written. */
export const endless = (onStep: (written: number) => unknown = () => undefined): Reply =>
  raw(async (_req, res) => {
    const gone = once(res, 'close')
    const chunk = Buffer.alloc(65_536, 'x')
    res.writeHead(200, fresh)
    for (let written = 0; !res.destroyed;) {
      written += chunk.length
      await onStep(written)
      if (!res.write(chunk)) await Promise.race([once(res, 'drain'), gone])
      await turn()
    }
  })
