import type { ServerResponse } from 'node:http'

import type { FieldLines } from '../policy/fields.ts'
import type { Head } from '../policy/storable.ts'
import { isContentField, readHead, standingFields, withField, withoutContentFields } from './head.ts'

/** What becomes of a head that is about to be written. */
export type HeadPlan =
  /** It goes out, with these fields put in. */
  | { readonly kind: 'pass'; readonly fields: FieldLines }
  /** The visitor has it already: 304 for him, while the body goes on into the capture. */
  | { readonly kind: 'not-modified'; readonly fields: FieldLines }
  /** Something else goes out in its place; the rest of the response falls on deaf ears. */
  | { readonly kind: 'stand-in'; readonly serve: (outlet: Outlet) => void }

/** Who listens to a response on its way to the wire. */
export interface Tap {
  /** While true, `write` reports true whatever the visitor's pace: the capture bounds what may wait for him. */
  readonly isCapturing: boolean
  /** The head, just before it is written. */
  onHead(head: Head): HeadPlan
  /** All fields, once every layer outside has had its say. */
  onHeadWritten(fields: FieldLines): void
  /** The head was refused by Node (an invalid field, say): the app will write another, or none. */
  onHeadRefused(): void
  /** What goes out in place of a response with this status, if anything; asked where the app ends without a head. */
  standInFor(status: number): ((outlet: Outlet) => void) | undefined
  /** A chunk that was written. Returns false where a reader elsewhere asks for a pause. */
  onChunk(chunk: unknown, encoding: unknown): boolean
  /** The app has ended the response. `visitorWasThere`: his socket was still open. */
  onEnd(visitorWasThere: boolean): void
  /** The connection has closed before the end. */
  onClose(): void
}

/** The way out that leads past the capture. */
export interface Outlet {
  writeHead(status: number, reason: string, fields: FieldLines): void
  end(body?: Buffer): void
}

type Writer = (...args: unknown[]) => unknown

/**
 * Listens to one response by own properties on this one `res`: `writeHead`, `write` and `end`, through which every way
 * of answering goes in the end, on every framework. What was there before (layers outside the cache, then Node) is
 * called underneath.
 */
export class Wire {
  /** What stood on the response when the cache was entered: this visitor's own. */
  readonly standing: FieldLines
  readonly #res: ServerResponse
  readonly #writeHeadBelow: Writer
  readonly #writeBelow: Writer
  readonly #endBelow: Writer
  tap: Tap
  #headed = false
  #ended = false
  /** headless: the visitor got a 304, the body is for the capture alone; deaf: he got something else. */
  #mode: 'open' | 'headless' | 'deaf' = 'open'

  constructor(res: ServerResponse, standing: FieldLines, tap: Tap) {
    this.#res = res
    this.standing = standing
    this.tap = tap
    const below = res as unknown as Record<'writeHead' | 'write' | 'end', Writer>
    this.#writeHeadBelow = below.writeHead
    this.#writeBelow = below.write
    this.#endBelow = below.end
    res.writeHead = ((...args: unknown[]) => this.#writeHead(args)) as typeof res.writeHead
    res.write = ((...args: unknown[]) => this.#write(args)) as typeof res.write
    res.end = ((...args: unknown[]) => this.#end(args)) as typeof res.end
    res.once('close', () => {
      if (!this.#ended) this.#safely(() => this.tap.onClose())
    })
  }

  get isHeaded(): boolean {
    return this.#headed || this.#res.headersSent
  }

  /** Answers the visitor with something else, if his answer has not begun. Returns whether it did. */
  standIn(serve: (outlet: Outlet) => void): boolean {
    if (this.isHeaded || this.#mode !== 'open') return false
    const res = this.#res
    this.#mode = 'deaf'
    this.#headed = true
    this.#restoreStanding()
    serve({
      writeHead: (status, reason, fields) => this.#writeHeadBelow.call(res, status, reason, fields),
      end: (body) => (body === undefined ? this.#endBelow.call(res) : this.#endBelow.call(res, body)),
    })
    return true
  }

  #writeHead(args: readonly unknown[]): unknown {
    const res = this.#res
    if (this.#mode === 'deaf') return res
    const isFinal = Number(args[0]) >= 200
    if (this.#headed || res.headersSent || !isFinal) return this.#writeHeadBelow.apply(res, [...args])
    const plan = this.#safely(() => this.tap.onHead(readHead(res, args))) ?? PASS
    if (plan.kind === 'stand-in') {
      this.standIn(plan.serve)
      return res
    }
    this.#headed = true
    if (plan.kind === 'not-modified') return this.#notModified(args, plan.fields)
    let passed = args
    for (let i = 0; i < plan.fields.length; i += 2) {
      passed = withField(res, passed, plan.fields[i]!, plan.fields[i + 1]!)
    }
    try {
      const result = this.#writeHeadBelow.apply(res, [...passed])
      if (this.tap.isCapturing) this.#safely(() => this.tap.onHeadWritten(writtenFields(res, passed)))
      return result
    } catch (error) {
      this.#headed = false
      this.#safely(() => this.tap.onHeadRefused())
      throw error
    }
  }

  #write(args: readonly unknown[]): unknown {
    const { chunk, encoding, callback } = readArguments(args)
    // What Node would do itself; done here so that the head is settled before anything is written below.
    if (!this.isHeaded && this.#mode === 'open') this.#res.writeHead(this.#res.statusCode)
    if (this.#mode !== 'open') {
      if (this.#mode === 'headless') this.#safely(() => this.tap.onChunk(chunk, encoding))
      if (callback !== undefined) process.nextTick(callback)
      return true
    }
    const isOpen = this.#writeBelow.apply(this.#res, [...args])
    const isPaced = this.#safely(() => this.tap.onChunk(chunk, encoding)) ?? true
    return this.tap.isCapturing || (isOpen === true && isPaced)
  }

  #end(args: readonly unknown[]): unknown {
    const res = this.#res
    const { chunk, encoding, callback } = readArguments(args)
    if (!this.isHeaded) {
      const serve = this.#safely(() => this.tap.standInFor(res.statusCode))
      if (serve !== undefined) this.standIn(serve)
    }
    if (this.#mode === 'deaf') {
      if (callback !== undefined) process.nextTick(callback)
      return res
    }
    const isFirst = !this.#ended && !res.writableEnded
    const visitorWasThere = !res.destroyed && res.socket?.destroyed !== true
    const isHeadless = this.#mode === 'headless'
    const result = isHeadless ? this.#endBelow.call(res, callback) : this.#endBelow.apply(res, [...args])
    if (!isFirst) return result
    this.#ended = true
    this.#safely(() => {
      this.tap.onChunk(chunk, encoding)
      this.tap.onEnd(visitorWasThere)
    })
    return result
  }

  /** The 304 is flushed at once, but not ended: a stream that is piped into this response would stop feeding the capture. */
  #notModified(args: readonly unknown[], added: FieldLines): unknown {
    const res = this.#res
    const { fields } = readHead(res, args)
    for (const name of res.getHeaderNames()) {
      if (isContentField(name)) res.removeHeader(name)
    }
    const grouped = new Map<string, string[]>()
    const kept = [...withoutContentFields(fields), ...added]
    for (let i = 0; i < kept.length; i += 2) {
      grouped.set(kept[i]!, [...(grouped.get(kept[i]!) ?? []), kept[i + 1]!])
    }
    for (const [name, values] of grouped) res.setHeader(name, values.length === 1 ? values[0]! : values)
    const result = this.#writeHeadBelow.call(res, 304, 'Not Modified')
    this.#mode = 'headless'
    res.flushHeaders()
    if (this.tap.isCapturing) this.#safely(() => this.tap.onHeadWritten(writtenFields(res, [304])))
    return result
  }

  /** Takes back what a failing handler has set. */
  #restoreStanding(): void {
    const res = this.#res
    for (const name of res.getHeaderNames()) res.removeHeader(name)
    for (let i = 0; i < this.standing.length; i += 2) res.appendHeader(this.standing[i]!, this.standing[i + 1]!)
  }

  /** Nothing that the cache does wrong may reach a visitor: a tap that throws is cut off. */
  #safely<T>(act: () => T): T | undefined {
    try {
      return act()
    } catch {
      const broken = this.tap
      this.tap = INERT
      if (broken !== INERT) this.#safely(() => broken.onClose())
      return undefined
    }
  }
}

const PASS: HeadPlan = { kind: 'pass', fields: [] }

/** Hears nothing, changes nothing. */
export const INERT: Tap = {
  isCapturing: false,
  onHead: () => PASS,
  onHeadWritten: () => undefined,
  onHeadRefused: () => undefined,
  standInFor: () => undefined,
  onChunk: () => true,
  onEnd: () => undefined,
  onClose: () => undefined,
}

/** Puts fields into the head, and hears nothing else. */
export function passing(fieldsFor: (head: Head) => FieldLines): Tap {
  return { ...INERT, onHead: (head) => ({ kind: 'pass', fields: fieldsFor(head) }) }
}

/**
 * The fields as they went out. The serialised head tells the whole truth, also of a layer outside that hands Node
 * fields of its own; without it (it is no documented property) what is set and what we passed must do.
 */
function writtenFields(res: ServerResponse, args: readonly unknown[]): FieldLines {
  const text = (res as { _header?: unknown })._header
  if (typeof text !== 'string') return args.length > 1 ? readHead(res, args).fields : standingFields(res)
  return text
    .split('\r\n')
    .slice(1)
    .flatMap((line) => {
      const colon = line.indexOf(':')
      return colon === -1 ? [] : [line.slice(0, colon), line.slice(colon + 1).trim()]
    })
}

/** write and end take (chunk?, encoding?, callback?), each of which may be left out. */
function readArguments(args: readonly unknown[]): {
  chunk: unknown
  encoding: unknown
  callback: (() => void) | undefined
} {
  const callback = args.find((arg) => typeof arg === 'function') as (() => void) | undefined
  const [chunk, encoding] = args.filter((arg) => typeof arg !== 'function')
  return { chunk, encoding, callback }
}
