import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** What one reply is replaced with; several bytes strings, none, or other bytes. */
export type Edit = (reply: Buffer) => Buffer

/** A TCP proxy before a Redis on a unix socket, which can be told to misbehave as networks and servers do. */
export interface Proxy {
  readonly port: number
  /** Connections accepted since the start. */
  readonly accepted: number
  /** How late every reply is; less frees the replies that wait. */
  delay: (ms: number) => void
  /** Ends all connections at once, by RST or FIN, and treats new ones likewise until `restore()`. */
  cut: (how: 'reset' | 'end') => void
  /** A partition: passes nothing either way until `restore()`, which lets go what was held; new connections are accepted. */
  hold: () => void
  /** Half-open: Redis has forgotten the connections of this moment and they are not told; new ones are reset until `restore()`. */
  forget: () => void
  /** Passes so many more bytes towards Redis, then holds. Resolves when that has happened. */
  holdAfter: (bytes: number) => Promise<void>
  restore: () => void
  /** Edits the next reply that is wanted, instead of what was to be edited before. Resolves when that has happened. */
  tamper: (edit: Edit, isWanted?: (reply: Buffer) => boolean) => Promise<void>
  close: () => Promise<void>
}

interface Line {
  readonly client: Socket
  readonly redis: Socket
  /** Replies on their way, the oldest first. */
  readonly waiting: { readonly dueAt: number; readonly bytes: Buffer }[]
  timer: NodeJS.Timeout | undefined
  partial: Buffer
}

interface Tampering {
  readonly edit: Edit
  readonly isWanted: (reply: Buffer) => boolean
  readonly done: () => void
}

export async function startProxy(socketPath: string): Promise<Proxy> {
  const lines = new Set<Line>()
  let mode: 'pass' | 'hold' | 'reset' | 'end' = 'pass'
  let delayMs = 0
  let accepted = 0
  let tampering: Tampering | undefined
  let limit: { left: number; readonly reached: () => void } | undefined

  /** What goes to Redis. */
  function ask({ redis }: Line, bytes: Buffer): void {
    const passed = limit === undefined ? bytes : bytes.subarray(0, limit.left)
    redis.write(passed)
    if (limit === undefined) return
    limit.left -= passed.length
    if (limit.left > 0) return
    limit.reached()
    limit = undefined
    hold()
  }

  /** What comes from Redis. */
  function reply(line: Line, bytes: Buffer): void {
    let rest: Buffer = Buffer.concat([line.partial, bytes])
    for (let end = endOfReply(rest); end !== -1; end = endOfReply(rest)) {
      let whole = rest.subarray(0, end)
      rest = rest.subarray(end)
      const now = tampering
      if (now?.isWanted(whole) === true) {
        tampering = undefined
        whole = now.edit(whole)
        now.done()
      }
      line.waiting.push({ dueAt: performance.now() + delayMs, bytes: whole })
    }
    line.partial = rest
    release(line)
  }

  function release(line: Line): void {
    clearTimeout(line.timer)
    while (line.waiting.length > 0) {
      const left = Math.min(line.waiting[0]!.dueAt - performance.now(), delayMs)
      if (left > 0) {
        line.timer = setTimeout(release, left, line)
        return
      }
      line.client.write(line.waiting.shift()!.bytes)
    }
  }

  function hold(): void {
    mode = 'hold'
    for (const { client, redis } of lines) {
      client.pause()
      redis.pause()
    }
  }

  const clients = new Set<Socket>()
  const server = createServer({ noDelay: true }, (client) => {
    accepted += 1
    clients.add(client)
    client.on('close', () => clients.delete(client))
    client.on('error', () => undefined)
    if (mode === 'reset' || mode === 'end') {
      drop(client, mode)
      return
    }
    const redis = connect(socketPath)
    const line: Line = { client, redis, waiting: [], timer: undefined, partial: Buffer.alloc(0) }
    lines.add(line)
    client.on('data', (bytes) => ask(line, bytes))
    redis.on('data', (bytes) => reply(line, bytes))
    // A Redis that is not there, and one that dies.
    redis.on('error', () => drop(client, 'reset'))
    redis.on('end', () => client.end())
    client.on('close', () => {
      redis.end()
      clearTimeout(line.timer)
      lines.delete(line)
    })
    if (mode !== 'hold') return
    client.pause()
    redis.pause()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')

  function restore(): void {
    mode = 'pass'
    for (const { client, redis } of lines) {
      client.resume()
      redis.resume()
    }
  }

  return {
    port: (server.address() as AddressInfo).port,
    get accepted() {
      return accepted
    },
    delay(ms) {
      delayMs = ms
      for (const line of lines) release(line)
    },
    cut(how) {
      mode = how
      for (const { client } of lines) drop(client, how)
    },
    hold,
    forget() {
      mode = 'reset'
      for (const { client, redis } of lines) {
        redis.removeAllListeners()
        redis.on('error', () => undefined)
        redis.destroy()
        client.removeAllListeners('data')
        // What comes is swallowed, as by a router that has lost its table.
        client.resume()
      }
    },
    holdAfter: (bytes) =>
      new Promise((resolve) => {
        limit = { left: bytes, reached: resolve }
      }),
    restore,
    tamper: (edit, isWanted = () => true) =>
      new Promise((resolve) => {
        tampering = { edit, isWanted, done: resolve }
      }),
    async close() {
      for (const { redis } of lines) redis.destroy()
      for (const client of clients) client.destroy()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}

function drop(client: Socket, how: 'reset' | 'end'): void {
  if (how === 'reset') {
    client.resetAndDestroy()
    return
  }
  client.end()
  // Who does not read would not see that the other side closes as well.
  client.resume()
}

const CR = 13
const BULK = 0x24
const ARRAY = 0x2a

/** Where the first reply ends, as RESP2 writes what our commands are answered with; -1 if it has not come yet. */
function endOfReply(bytes: Buffer, from = 0): number {
  const lineEnd = bytes.indexOf(CR, from) + 2
  if (lineEnd === 1 || lineEnd > bytes.length) return -1
  const type = bytes[from]
  if (type !== BULK && type !== ARRAY) return lineEnd
  const length = Number(bytes.toString('latin1', from + 1, lineEnd - 2))
  if (length === -1) return lineEnd
  if (type === BULK) return lineEnd + length + 2 > bytes.length ? -1 : lineEnd + length + 2
  let end = lineEnd
  for (let i = 0; i < length && end !== -1; i += 1) end = endOfReply(bytes, end)
  return end
}
