import { createCacheback, type Stats } from '@cacheback/core'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Exchange, Route } from '../../support/app.ts'
import { cacheControl, stream, text, type Fields, type Reply } from '../../support/reply.ts'
import { Readable } from 'node:stream'
import { FAILURES, hang } from '../failures.ts'
import { carefulKeyv } from './careful-keyv.ts'
import { measureProcess } from './measure.ts'
import type { ProcessFigures } from './order.ts'
import { serveOrders } from './serve.ts'

// The app of the soak: every page says its own name and length, so that a visitor can tell a wrong one.

export type SoakOrder =
  | { readonly kind: 'figures' }
  /** What a purge selects; without a selector everything. */
  | { readonly kind: 'purge'; readonly tag?: string; readonly url?: string; readonly soft: boolean }

export interface SoakFigures extends ProcessFigures {
  readonly stats: Stats
  /** What would have ended the process. */
  readonly unhandled: readonly string[]
}

const [framework = 'fastify', redisSocket = ''] = process.argv.slice(2)
const short = cacheControl('max-age=1, stale-while-revalidate=5, stale-if-error=20')
const BIG_BYTES = 3 * 1024 * 1024
const measure = measureProcess()
const unhandled: string[] = []
for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
  process.on(event, (error: unknown) =>
    unhandled.push(error instanceof Error ? (error.stack ?? error.message) : String(error)),
  )
}

/** Most are small, some take a while, and all are told by their beginning and their length. */
async function page({ url, n }: Exchange, fields: Fields = short): Promise<Reply> {
  if (n % 3 === 0) await sleep(n % 20)
  const length = 200 + (n % 7) ** 4 * 10
  return text(`${url} ${length} `.padEnd(length, 'x'), { ...fields, 'cache-tag': `t${n % 5}` })
}

/** Fails in every way that there is, three times of four. */
async function flaky(exchange: Exchange): Promise<Reply> {
  const { n } = exchange
  if (n % 4 === 0) return page(exchange)
  const failure = FAILURES[n % (FAILURES.length + 1)]
  return failure === undefined ? hang(n % 2 === 0 ? 'begin' : undefined) : failure.reply
}

function* pieces(url: string): Generator<string> {
  yield `${url} ${BIG_BYTES} `.padEnd(65_536, 'x')
  for (let sent = 65_536; sent < BIG_BYTES; sent += 65_536) yield 'x'.repeat(65_536)
}

const routes: Readonly<Record<string, Route>> = {
  '/page/:id': { methods: ['GET', 'POST'], answer: (exchange) => page(exchange) },
  '/new/:id': { answer: (exchange) => page(exchange, cacheControl('max-age=600')) },
  '/varied/:id': {
    async answer(exchange) {
      const said = await page(exchange)
      if (said.kind !== 'text') return said
      return {
        ...said,
        headers: { ...said.headers, vary: 'x-select', 'x-selected': String(exchange.headers['x-select']) },
      }
    },
  },
  '/never/:id': { answer: (exchange) => page(exchange, cacheControl('no-store')) },
  '/flaky/:id': { answer: flaky },
  '/big/:id': { answer: ({ url }) => stream(() => Readable.from(pieces(url)), short) },
  /** For one visitor alone. */
  '/mine': { answer: async ({ headers }) => text(`mine ${headers.cookie}`, cacheControl('private')) },
}

const cache = createCacheback({
  store: await carefulKeyv(redisSocket, `soak-${framework}`),
  memory: { maxBytes: 8 * 1024 * 1024 },
  refresh: { timeoutMs: 2000 },
})

async function obey(order: SoakOrder): Promise<SoakFigures | boolean> {
  if (order.kind === 'figures') {
    const figures = { ...measure.figures(), stats: cache.stats(), unhandled }
    measure.reset()
    return figures
  }
  const { tag, url, soft } = order
  const selector = tag !== undefined ? { tag } : url !== undefined ? { url } : ({ all: true } as const)
  return cache.purge(selector, { soft }).then(
    () => true,
    () => false,
  )
}

await serveOrders(framework, cache, routes, obey)
