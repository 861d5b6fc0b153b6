import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

/** What a scenario asks of the page that every server serves. */
export interface PageSettings {
  /** Of the body. */
  readonly bytes: number
  /** Seconds; its Cache-Control says so, and peers with an option of their own are given it. */
  readonly maxAge: number
  readonly staleWhileRevalidate: number
  readonly noStore: boolean
  /** Milliseconds that a render waits, and those that a second or later render of a URL waits, where it differs. */
  readonly ioMs: number
  readonly laterIoMs?: number
  /** What a render spends of CPU time; see burnPerMs(). */
  readonly burn: number
  /** The second half of the body comes 20 ms after the first. */
  readonly streamed: boolean
  /** Every render makes a body of its own, so that a cache cannot keep the same string many times over. */
  readonly distinct: boolean
  /** Renders are counted by URL: costs memory, so only where somebody asks. */
  readonly countsUrls: boolean
  /** Bytes that a cache may hold; unset: its default. */
  readonly maxBytes?: number
  /** The socket of a Redis, for the servers of kind `redis`. */
  readonly redis?: string
}

export const DEFAULT_PAGE: PageSettings = {
  bytes: 1024,
  maxAge: 3600,
  staleWhileRevalidate: 60,
  noStore: false,
  ioMs: 0,
  burn: 0,
  streamed: false,
  distinct: false,
  countsUrls: false,
}

/** What a server file is given: it answers any GET with `render`, and sends `head` with it. */
export interface Page extends PageSettings {
  readonly head: Readonly<Record<string, string>>
  readonly body: string
  /** How often it has been rendered, in all and by URL. */
  readonly renders: { total: number; readonly byUrl: Map<string, number> }
  /** Sends at once, without a promise, if nothing has to be waited for. */
  readonly render: (url: string, send: (body: string) => void) => void | Promise<void>
  /** The same as a stream, where the settings say `streamed`. */
  readonly stream: () => Readable
}

export function makePage(settings: PageSettings): Page {
  const { bytes, maxAge, staleWhileRevalidate, noStore, ioMs, laterIoMs = ioMs, burn, distinct, countsUrls } = settings
  const body = bodyOf(bytes)
  const renders = { total: 0, byUrl: new Map<string, number>() }
  return {
    ...settings,
    body,
    renders,
    head: {
      'Content-Type': 'application/json; charset=utf-8',
      'Cache-Control': noStore ? 'no-store' : `max-age=${maxAge}, stale-while-revalidate=${staleWhileRevalidate}`,
      Vary: 'Accept, Accept-Language',
    },
    render(url, send) {
      const before = countsUrls ? (renders.byUrl.get(url) ?? 0) : 0
      renders.total += 1
      if (countsUrls) renders.byUrl.set(url, before + 1)
      if (burn > 0) spend(burn)
      const waitMs = before === 0 ? ioMs : laterIoMs
      const made = distinct ? numbered(body, renders.total) : body
      if (waitMs === 0) return send(made)
      return sleep(waitMs).then(() => send(made))
    },
    stream() {
      renders.total += 1
      return Readable.from(halves(body), { objectMode: false })
    },
  }
}

/** JSON of exactly so many bytes. */
export function bodyOf(bytes: number): string {
  const frame = JSON.stringify({ items: '' })
  return frame.replace('""', `"${'An item of some length. '.repeat(bytes / 24 + 1).slice(0, bytes - frame.length)}"`)
}

/** As long as the body, and shares nothing with it. */
function numbered(body: string, n: number): string {
  const bytes = Buffer.from(body)
  bytes.write(String(n), bytes.length - 12)
  return bytes.toString()
}

async function* halves(body: string): AsyncGenerator<Buffer> {
  yield Buffer.from(body.slice(0, body.length / 2))
  await sleep(20)
  yield Buffer.from(body.slice(body.length / 2))
}

const block = Buffer.alloc(16 * 1024, 'x')

/** Native work: what V8 makes of a loop of our own varies fourfold. */
function spend(turns: number): void {
  const hash = createHash('sha256')
  for (let i = 0; i < turns; i++) hash.update(block)
  hash.digest()
}

/** Turns that cost a millisecond here; found once, so that every server spends the same work. */
export function burnPerMs(): number {
  const turns = 200
  const times = Array.from({ length: 50 }, () => {
    const start = performance.now()
    spend(turns)
    return performance.now() - start
  })
  return Math.round(turns / Math.min(...times))
}
