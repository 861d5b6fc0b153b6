import type { Server } from 'node:http'

import type { Page } from './page.ts'

/**
 * bare: node:http and nothing else, the measure of all. uncached: a framework's trivial handler. cacheback, front: this
 * cache, as middleware and before the framework. peer: other caches of npm. proxy: caches that are programs of their own.
 * hit-floor, miss-floor: the least that any cache has to do there; they take part in those scenarios alone. redis: in the
 * Redis scenario only.
 */
export type Kind = 'bare' | 'uncached' | 'cacheback' | 'front' | 'peer' | 'proxy' | 'hit-floor' | 'miss-floor' | 'redis'

/** What a file of servers/ exports as default. A new file there takes part in all scenarios of its kind. */
export interface ServerFile {
  readonly title: string
  readonly kind: Kind
  /** Whose version is told beside the title. */
  readonly package?: string
  /** Runs in a process of its own: a server that does not listen yet, or the port of a program that it has started. */
  readonly start: (page: Page) => Server | number | Promise<Server | number>
}
