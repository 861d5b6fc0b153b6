import type { RequestListener } from 'node:http'

import { type Cacheback, createCacheback } from '@cacheback/core'
import type { FastifyServerFactory } from 'fastify'

import type { Page } from '../page.ts'

/** The entry before the framework. */
export interface InFront {
  listener: (app: RequestListener) => RequestListener
  serverFactory: FastifyServerFactory
}

/** The cache of all servers of ours: defaults, but for what a scenario is about. Lifetimes are the page's own. */
export function makeCache(page: Page): Cacheback & InFront {
  const cache = createCacheback({
    ...(page.maxBytes === undefined ? {} : { memory: { maxBytes: page.maxBytes } }),
    // A refresh that hangs on purpose must not be given up.
    refresh: { timeoutMs: 3_600_000 },
  })
  return cache
}
