import type { ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Exchange } from '../../support/app.ts'
import { Clock } from '../../support/clock.ts'
import type { Gate } from '../../support/gate.ts'
import type { Reply } from '../../support/reply.ts'
import { isSafe } from './ask.ts'
import type { Behaviour } from './behaviour.ts'
import { type Sent, pathOf } from './key.ts'
import { requestOf } from './markers.ts'
import { answerOf } from './handler.ts'
import { type RouteName, type Setup, rulesOf } from './rules.ts'

/** Everything that a handler saw of one request, and the address and context in which it ran. */
export interface Seen extends Sent {
  readonly route: RouteName
  /** As the framework tells it, behind the proxies that it trusts. */
  readonly origin: string
  readonly ip: string | undefined
  readonly remoteAddress: string | undefined
  /** Whose AsyncLocalStorage it ran in. */
  readonly context: string | undefined
  readonly parsedQuery: string
}

/** One render of the app with the cache. */
export interface Render {
  readonly n: number
  readonly seen: Seen
  readonly behaviour: Behaviour
  /** The request that caused it; undefined where nobody's request came along: a refresh, a detached fill. */
  readonly request: number | undefined
  /** Not from a socket of a visitor. */
  readonly isDetached: boolean
  /** The application has asked for it, and has been told whether it was stored. */
  readonly isAskedFor: boolean
  /** In the order of all that happens, and by the clock: when it began, and when its handler had its answer. */
  readonly beganAt: Moment
  /** When, before that, nothing at all was going on for the last time. */
  readonly quietAt: number
  answeredAt: Moment | undefined
}

export interface Moment {
  readonly order: number
  readonly time: number
}

/** What the app is made to say again, where there is no cache: the answer of a render that has been. */
export interface Repeated {
  readonly n: number
  readonly behaviour: Behaviour
  readonly time: number
  /** What the handler saw of its peer, where that was not a visitor's own socket. */
  readonly peer?: Pick<Seen, 'ip' | 'remoteAddress'> | undefined
}

export type Rendering = Omit<Exchange, 'n' | 'path' | 'visitor'>

/** All that one sequence of commands knows: the clock, what the pages do, and what has happened. */
export class World {
  readonly setup: Setup
  readonly clock = new Clock()
  readonly renders: Render[] = []
  readonly #behaviours = new Map<string, Behaviour>()
  readonly #late = new WeakMap<ServerResponse, Behaviour['late']>()
  /** Holds the renders: before they say anything, or in mid-body. */
  hold: { readonly where: 'before' | 'body'; readonly gate: Gate } | undefined
  /** Set while the app without the cache answers. */
  repeated: Repeated | undefined
  /** When nothing at all was going on for the last time. */
  quietAt = 0
  /** The application asks for a render. */
  isAsking = false
  /** Rises with everything that happens. */
  #order = 0
  #version = 0
  constructor(setup: Setup) {
    this.setup = setup
    this.behave(undefined, setup.page)
  }

  moment(): Moment {
    this.#order += 1
    return { order: this.#order, time: this.clock.now }
  }

  /** Everything that was going on has come to its end. */
  quieten(): void {
    this.quietAt = this.moment().order
  }

  behave(path: string | undefined, behaviour: Behaviour): void {
    if (path === undefined) this.#behaviours.clear()
    this.#behaviours.set(path ?? '*', this.#next(behaviour))
  }

  /** The page at a path, or every page, goes on as it was, but for this. Returns what mends it. */
  change(path: string | undefined, change: Partial<Behaviour>): () => void {
    const before = [...this.#behaviours]
    const paths = path === undefined ? [...this.#behaviours.keys()] : [path]
    for (const each of paths) this.#behaviours.set(each, this.#next({ ...this.behaviourOf(each), ...change }))
    return () => {
      this.#behaviours.clear()
      for (const [each, behaviour] of before) this.#behaviours.set(each, this.#next(behaviour))
    }
  }

  #next(behaviour: Behaviour): Behaviour {
    this.#version += 1
    return { ...behaviour, version: this.#version }
  }

  behaviourOf(path: string): Behaviour {
    return this.#behaviours.get(path) ?? this.#behaviours.get('*')!
  }

  /** What the layer outside is to add to this response. */
  lateOf(response: ServerResponse): Behaviour['late'] {
    return this.#late.get(response) ?? 'nothing'
  }

  /** The handler of every page, with and without the cache. */
  async render(route: RouteName, exchange: Rendering, content: string, context: string | undefined): Promise<Reply> {
    const seen = seenOf(route, exchange, content, context)
    const rules = rulesOf(this.setup, route)
    const { repeated } = this
    if (repeated !== undefined) {
      this.#late.set(exchange.res, repeated.behaviour.late)
      return answerOf({ ...seen, ...repeated.peer }, rules, repeated)
    }
    const behaviour = this.behaviourOf(pathOf(seen.url))
    const render: Render = {
      n: this.renders.length + 1,
      seen,
      behaviour,
      request: requestOf(seen.headers['x-visit']),
      isDetached: !(exchange.req.socket instanceof Socket),
      isAskedFor: this.isAsking,
      beganAt: this.moment(),
      quietAt: this.quietAt,
      answeredAt: undefined,
    }
    this.renders.push(render)
    this.#late.set(exchange.res, behaviour.late)
    const hold = isSafe(seen.method) ? this.hold : undefined
    if (hold?.where === 'before') await hold.gate()
    render.answeredAt = this.moment()
    const inBody = hold?.where === 'body' ? hold.gate : undefined
    return answerOf(seen, rules, { n: render.n, behaviour, time: this.clock.now }, inBody)
  }
}

function seenOf(route: RouteName, exchange: Rendering, content: string, context: string | undefined): Seen {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(exchange.headers)) headers[name] = String(value)
  const { method, url, origin, ip, remoteAddress } = exchange
  const parsedQuery = JSON.stringify(exchange.query)
  return { route, method, url, headers, content, origin, ip, remoteAddress, context, parsedQuery }
}
