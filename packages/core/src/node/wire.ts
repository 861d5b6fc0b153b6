import type { ServerResponse } from 'node:http'

import { MAX_TEXT_BYTES } from '../engine/representation.ts'
import { type FieldLines, withoutField } from '../policy/fields.ts'
import { bytesOf } from './body.ts'
import { type Outlet, bytesFor, endArguments, isBare, isLayered, setFields, setHead } from './outlet.ts'
import { INERT, PASS, type Tap } from './tap.ts'
import { isContentField, isHeadAscii, readHead, withField, withoutContentFields, writtenFields } from './head.ts'

type Method = (...args: unknown[]) => unknown
type Below = Record<'writeHead' | 'write' | 'end' | 'destroy', Method>

/**
 * Listens to one response by own properties on this one `res`: `writeHead`, `write` and `end`, through which every way
 * of answering goes in the end, on every framework. What was there before (layers outside the cache, then Node) is
 * called underneath.
 */
export class Wire {
  /** What stood on the response when the cache was entered: this visitor's own. */
  standing: FieldLines
  tap: Tap
  readonly #res: ServerResponse
  readonly #below: Below
  /** A layer outside has methods of its own: it may hold bytes back, and set fields as late as in `end`. */
  readonly #isLayered: boolean
  /** No class has, nor a prototype that was changed since the cache was loaded. */
  readonly #isBare: boolean
  readonly #onWriteHead: Method
  #headed = false
  #ended = false
  #destroyedByApp = false
  /** headless: the visitor got a 304, the body is for the capture alone; deaf: he got something else. */
  #mode: 'open' | 'headless' | 'deaf' = 'open'
  /** While a method below runs, what it calls of ours is its own doing, and not the app's. */
  #isBelow = false

  constructor(res: ServerResponse, standing: FieldLines, tap: Tap) {
    this.#res = res
    this.standing = standing
    this.tap = tap
    const own = res as unknown as Below
    this.#below = { writeHead: own.writeHead, write: own.write, end: own.end, destroy: own.destroy }
    this.#isLayered = isLayered(res)
    this.#isBare = isBare(res)
    // Each has a name before it is a property: see `nothing`.
    const writeHead: Method = (...args) => this.#writeHead(args)
    const write: Method = (...args) => (this.#isBelow ? this.#call('write', args) : this.#write(args))
    const end: Method = (...args) => (this.#isBelow ? this.#call('end', args) : this.#end(args))
    const destroy: Method = (...args) => {
      this.#destroyedByApp = true
      // The 304 was whole: his next request may be on the same connection.
      if (this.#mode === 'headless' && !this.#ended) return this.#endHeadless()
      return this.#call('destroy', args)
    }
    own.writeHead = writeHead
    this.#onWriteHead = writeHead
    own.write = write
    own.end = end
    own.destroy = destroy
    const onClose = (): void => {
      if (!this.#ended) this.#safely(() => this.tap.onClose(this.#destroyedByApp))
    }
    // A visitor may have left before the request came as far as here.
    if (res.closed) process.nextTick(onClose)
    else res.on('close', onClose)
  }

  #endHeadless(): unknown {
    this.#ended = true
    this.#safely(() => this.tap.onClose(true))
    return this.#call('end', [])
  }

  get isHeaded(): boolean {
    return this.#headed || this.#res.headersSent
  }

  /** Answers the visitor with something else, if his answer has not begun. Returns whether it did. */
  standIn(serve: (outlet: Outlet) => void): boolean {
    if (this.isHeaded || this.#mode !== 'open' || this.#isBelow) return false
    const res = this.#res
    this.#headed = true
    this.#restoreStanding()
    try {
      // Past the layers inside: they have begun to work on what the handler says.
      serve({
        writeHead: (status, reason, fields) => {
          if (this.#isLayered) setHead(res, status, reason, fields)
          else this.#call('writeHead', [status, reason, fields])
        },
        end: (body) => this.#call('end', endArguments(this.#isLayered ? bytesFor(body) : body)),
      })
    } catch {
      res.destroy()
    }
    this.#safely(() => this.tap.onReplaced((lines) => writtenFields(res, [], lines)))
    this.#deafen()
    return true
  }

  #writeHead(args: readonly unknown[]): unknown {
    const res = this.#res
    if (this.#mode === 'deaf') return res
    const isFinal = Number(args[0]) >= 200
    if (this.#headed || res.headersSent || !isFinal) return this.#call('writeHead', args)
    const plan = this.#safely(() => this.tap.onHead(readHead(res, args))) ?? PASS
    if (plan.kind === 'stand-in' && this.standIn(plan.serve)) return res
    this.#headed = true
    try {
      // Within Node's own `end` the body is on its way already: then the visitor gets all of it.
      if (plan.kind === 'not-modified' && !this.#isBelow) return this.#notModified(args, plan.fields)
      let passed = args
      const fields = plan.kind === 'stand-in' ? [] : plan.fields
      for (let i = 0; i < fields.length; i += 2) passed = withField(res, passed, fields[i]!, fields[i + 1]!)
      const result = this.#call('writeHead', passed)
      if (this.tap.isCapturing) this.#safely(() => this.tap.onHeadWritten((lines) => writtenFields(res, passed, lines)))
      return result
    } catch (error) {
      this.#headed = false
      this.#safely(() => this.tap.onHeadRefused())
      throw error
    }
  }

  #write(args: readonly unknown[]): unknown {
    const { chunk, encoding, callback } = readArguments(args)
    this.#settle()
    if (this.#mode !== 'open') {
      if (this.#mode === 'headless') this.#safely(() => this.tap.onChunk(chunk, encoding, false))
      if (callback !== undefined) process.nextTick(callback)
      return true
    }
    const own = this.#safely(() => this.#ownBytes(chunk, encoding))
    const isOpen = this.#call('write', this.#passed(args, chunk, own, callback))
    if (!this.isHeaded) this.#safely(() => this.tap.onHeadDelayed())
    this.#safely(() => this.tap.onChunk(own ?? chunk, encoding, own !== undefined))
    return this.tap.isCapturing ? true : isOpen
  }

  #end(args: readonly unknown[]): unknown {
    const res = this.#res
    const { chunk, encoding, callback } = readArguments(args)
    this.#settle()
    if (this.#mode === 'deaf') {
      if (callback !== undefined) process.nextTick(callback)
      return res
    }
    const isFirst = !this.#ended && !res.writableEnded
    // A socket that has heard its visitor's end cannot be written any more, and is destroyed only a moment later.
    const visitorWasThere = !res.destroyed && res.socket?.writable !== false
    const own = this.#safely(() => this.#ownBytes(chunk, encoding))
    const passed = this.#mode === 'headless' ? [callback] : this.#passed(args, chunk, own, callback)
    const result = this.#call('end', passed)
    if (!isFirst) return result
    this.#ended = true
    this.#safely(() => {
      this.tap.onChunk(own ?? chunk, encoding, own !== undefined)
      this.tap.onEnd(visitorWasThere)
    })
    return result
  }

  /**
   * The bytes of a chunk where they are made here: of those that a layer outside may write into, and of a long text, which
   * would else be made bytes twice, for the capture and by Node.
   */
  #ownBytes(chunk: unknown, encoding: unknown): Buffer | undefined {
    if (this.#isLayered) return chunk instanceof Uint8Array ? Buffer.from(chunk) : undefined
    if (typeof chunk !== 'string' || chunk.length <= MAX_TEXT_BYTES || !this.tap.mayCapture) return undefined
    if (!this.#isBare || !this.#knowsHead || !isHeadAscii(this.#res)) return undefined
    // Of an encoding that there is not, Node will say so itself. Of base64 and hex that are none it counts other bytes than it
    // sends; these are counted as they are.
    const isKnown = (encoding ?? undefined) === undefined || Buffer.isEncoding(encoding as string)
    return isKnown ? bytesOf(chunk, encoding) : undefined
  }

  /** Whether nothing inside will put more into the head when Node asks for it. */
  get #knowsHead(): boolean {
    return this.isHeaded || this.#res.writeHead === this.#onWriteHead
  }

  /** What goes on to Node: the bytes that were made of a text in its place. */
  #passed(args: readonly unknown[], chunk: unknown, own: Buffer | undefined, callback: unknown): readonly unknown[] {
    return own === undefined || typeof chunk !== 'string' ? args : [own, undefined, callback]
  }

  /**
   * Writes the head where the app leaves that to Node, if something else may have to go out: from within Node's own
   * `write` or `end` it would be too late. A layer outside is not forced to a head before it wants one.
   */
  #settle(): void {
    if (this.isHeaded || this.#mode !== 'open') return
    const status = this.#res.statusCode
    const isReplaced = this.#safely(() => this.tap.mayReplace(status)) === true
    const isConditional = status === 200 && this.tap.hasConditions && !this.#isLayered
    if (isReplaced || isConditional) this.#res.writeHead(status)
  }

  /** The 304 is flushed at once, but not ended: a stream that is piped into this response would stop feeding the capture. */
  #notModified(args: readonly unknown[], added: FieldLines): unknown {
    const res = this.#res
    const { fields } = readHead(res, args)
    for (const name of res.getHeaderNames()) {
      if (isContentField(name)) res.removeHeader(name)
    }
    // A field that was there before is in the new value already.
    const replaced = added.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())
    const kept = replaced.reduce<FieldLines>((rest, name) => withoutField(rest, name), withoutContentFields(fields))
    setFields(res, [...kept, ...added])
    const result = this.#call('writeHead', [304, 'Not Modified'])
    this.#mode = 'headless'
    res.flushHeaders()
    if (this.tap.isCapturing) this.#safely(() => this.tap.onHeadWritten((lines) => writtenFields(res, [304], lines)))
    return result
  }

  #call(method: keyof Below, args: readonly unknown[]): unknown {
    const wasBelow = this.#isBelow
    // The head is judged wherever it is written from.
    this.#isBelow = method !== 'writeHead' || wasBelow
    try {
      return this.#below[method].apply(this.#res, args as unknown[])
    } finally {
      this.#isBelow = wasBelow
    }
  }

  /** Takes back what a failing handler has set. */
  #restoreStanding(): void {
    const res = this.#res
    for (const name of res.getHeaderNames()) res.removeHeader(name)
    for (let i = 0; i < this.standing.length; i += 2) res.appendHeader(this.standing[i]!, this.standing[i + 1]!)
  }

  /** The visitor has been answered; a handler that comes late must neither be heard nor stumble over that. */
  #deafen(): void {
    this.#mode = 'deaf'
    const res = this.#res as unknown as Record<string, unknown>
    for (const method of ['setHeader', 'setHeaders', 'appendHeader']) res[method] = () => this.#res
    for (const method of ['removeHeader', 'flushHeaders', 'writeContinue', 'writeEarlyHints', 'writeProcessing']) {
      res[method] = () => undefined
    }
    // An error handler that finds the head sent would cut the connection.
    Object.defineProperty(this.#res, 'headersSent', { value: false, configurable: true })
  }

  /** Nothing that the cache does wrong may reach a visitor: a tap that throws is cut off. */
  #safely<T>(act: () => T): T | undefined {
    try {
      return act()
    } catch {
      const broken = this.tap
      this.tap = INERT
      if (broken !== INERT) this.#safely(() => broken.onClose(true))
      return undefined
    }
  }
}

/** write and end take (chunk?, encoding?, callback?), each of which may be left out. */
function readArguments(args: readonly unknown[]): {
  chunk: unknown
  encoding: unknown
  callback: (() => void) | undefined
} {
  const [first, second] = args
  const callback = args.find((arg) => typeof arg === 'function') as (() => void) | undefined
  return {
    chunk: typeof first === 'function' ? undefined : first,
    encoding: typeof second === 'function' ? undefined : second,
    callback,
  }
}
