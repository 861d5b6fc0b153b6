import type { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Cacheback, CachebackOptions, RouteOptions } from '@cacheback/core'
import type { Router } from '@koa/router'
import type { Express } from 'express'
import type { FastifyInstance } from 'fastify'
import type Koa from 'koa'
import type { Reply } from './reply.ts'

export type FrameworkName = 'fastify' | 'express' | 'koa'

/** What a handler saw of the request it rendered. */
export interface Seen {
  /** Which render of its route this is, from 1. */
  readonly n: number
  readonly method: string
  /** As it stood in the request line. */
  readonly url: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** As the framework parsed it. */
  readonly query: Readonly<Record<string, unknown>>
  readonly params: Readonly<Record<string, string>>
  readonly remoteAddress: string | undefined
  /** As the framework tells them, behind the proxies that it trusts. */
  readonly ip: string | undefined
  readonly origin: string
  /** Whose AsyncLocalStorage the handler ran in: the `x-visitor` of that request. */
  readonly visitor: string | undefined
}

export interface Exchange extends Seen {
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

/** A script of replies answers one render with each; one render too many is a 500 that no scenario expects. */
export type Answer = Reply | readonly Reply[] | ((exchange: Exchange) => Reply | Promise<Reply>)

export interface Route {
  readonly methods?: readonly string[]
  readonly cacheback?: RouteOptions | false | undefined
  readonly answer: Answer
}

/** What a middleware can do with a request that passes it. */
export interface Hand {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** Sets a field in the framework's idiom. */
  set: (name: string, value: string) => void
  /** Answers instead of everything behind it. */
  answer: (status: number, body: string) => void
}

export type Middleware = (hand: Hand) => void

/** For what only a framework's own plugins can show. Order: `before`, the cache, `after`, `routes`. */
export interface Native {
  readonly fastify?: (app: FastifyInstance) => unknown
  readonly express?: (app: Express) => unknown
  readonly koa?: (app: Koa, router: Router) => unknown
}

export interface Description {
  /** Whether the cache stands in front of the whole app as well. Default: as the framework's name says. */
  readonly inFront?: boolean
  /** Options of the whole cache; the clock and the cell's store are added. */
  readonly options?: CachebackOptions
  /** A cache made before, instead of options. */
  readonly cache?: Cacheback
  /** Whether the cache stands before all routes (Fastify: always). Default: true. */
  readonly appWide?: boolean
  /** Whether the framework believes forwarding fields. Default: false. */
  readonly trustProxy?: boolean
  /** By path: `/x`, `/articles/:id`, or `*` for every path that no other route takes. */
  readonly routes: Readonly<Record<string, Route | Answer>>
  readonly outside?: Middleware
  readonly inside?: Middleware
  readonly before?: Native
  readonly after?: Native
  readonly extra?: Native
}

/** Without a cache, the app as it would be without it. */
export interface AppInput extends Description {
  readonly visitors: AsyncLocalStorage<string>
  /** Runs a route's answer for a request. */
  readonly render: (path: string, route: Route, exchange: Omit<Exchange, 'n' | 'path' | 'visitor'>) => Promise<Reply>
}

export interface App {
  readonly server: Server
  /** Closes the server as a user of the framework would. */
  close(): Promise<unknown>
}

export interface Framework {
  readonly name: FrameworkName
  /** Played with the cache in front of the app: `cache.listener`, or Fastify's `serverFactory`. */
  readonly isInFront?: boolean
  start(input: AppInput): Promise<App>
  /** Builds the adapter from plain options, as a user does; throws or rejects if they are bad. */
  build(options: unknown): Promise<unknown>
  /** Gives a route these options. */
  buildRoute(options: unknown): Promise<unknown>
}

/** The same framework with the cache in front of every app. */
export function inFront(framework: Framework): Framework {
  return { ...framework, isInFront: true, start: (input) => framework.start({ inFront: true, ...input }) }
}

export function toRoute(route: Route | Answer): Route {
  return typeof route === 'object' && 'answer' in route ? route : { answer: route }
}
