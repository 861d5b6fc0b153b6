import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Selector } from '@cacheback/core'
import { onTestFinished } from 'vitest'
import { HOST } from '../support/client.ts'
import { makeGate } from '../support/gate.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { type Child, startChild } from './process/child.ts'
import type { Purged, SharedOptions, SharedOrder, SharedStats } from './process/shared-app.ts'

/** What the pages of all processes say, and how often they were asked. */
export interface Origin {
  readonly port: number
  /** How often a path has been rendered, by any process. */
  renders: (path: string) => number
  /** What it says from now on. */
  say: (path: string, body: string, fields?: Record<string, string>) => void
  /** How long a render takes. */
  renderMs: number
  /** Renders begun from now on wait until this is called. */
  hold: () => () => void
}

export interface Answer {
  readonly status: number
  readonly text: string
  readonly cacheStatus: string
  readonly age: string | undefined
  readonly warning: string | undefined
  readonly tookMs: number
}

/** One of several processes. */
export interface SharedProcess {
  readonly framework: string
  ask: (path: string, headers?: Record<string, string>, method?: string) => Promise<Answer>
  purge: (selector: Selector, soft?: boolean) => Promise<Purged>
  advance: (seconds: number) => Promise<unknown>
  idle: () => Promise<unknown>
  stats: () => Promise<SharedStats>
  kill: () => Promise<void>
  stderr: () => string
}

export interface Several {
  readonly redis: RedisServer
  readonly origin: Origin
  readonly processes: readonly SharedProcess[]
}

/** All three frameworks, and one with the cache in front. */
const FRAMEWORKS = ['fastify', 'express', 'koa', 'fastify']

let runs = 0

/** Four processes behind one Redis; `options` by their number. */
export async function startSeveral(
  options: (index: number) => Partial<SharedOptions> = () => ({}),
  count = FRAMEWORKS.length,
): Promise<Several> {
  const redis = await startRedis()
  onTestFinished(redis.stop)
  const origin = await startOrigin()
  const prefix = `several-${process.pid}-${runs++}:`
  const processes = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      startProcess(FRAMEWORKS[index % FRAMEWORKS.length]!, {
        redis: { path: redis.socketPath },
        prefix,
        origin: origin.port,
        skewMs: 0,
        ...options(index),
      }),
    ),
  )
  return { redis, origin, processes }
}

export async function startProcess(framework: string, options: SharedOptions): Promise<SharedProcess> {
  const child: Child<SharedOrder> = await startChild('shared-app.ts', [framework, JSON.stringify(options)])
  onTestFinished(child.stop)
  return {
    framework,
    ask: (path, headers = {}, method = 'GET') => ask(child.port, path, headers, method),
    purge: (selector, soft = false) => child.tell({ kind: 'purge', selector, soft }) as Promise<Purged>,
    advance: (seconds) => child.tell({ kind: 'advance', seconds }),
    idle: () => child.tell({ kind: 'idle' }),
    stats: () => child.tell({ kind: 'stats' }) as Promise<SharedStats>,
    kill: child.stop,
    stderr: child.stderr,
  }
}

export async function startOrigin(): Promise<Origin> {
  const renders = new Map<string, number>()
  const pages = new Map<string, { body: string; fields: Record<string, string> }>()
  let gate: (() => Promise<void>) | undefined
  const server = createServer((req, res) => {
    const path = req.url ?? ''
    renders.set(path, (renders.get(path) ?? 0) + 1)
    const page = pages.get(path) ?? { body: `${path} render ${renders.get(path)}`, fields: FRESH }
    const select = String(req.headers['x-select'] ?? '')
    const body = select === '' ? page.body : `${page.body} for ${select}`
    const answer = async (): Promise<void> => {
      await gate?.()
      if (origin.renderMs > 0) await sleep(origin.renderMs)
      res.end(JSON.stringify({ ...page, body }))
    }
    void answer()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const origin: Origin = {
    port: (server.address() as AddressInfo).port,
    renders: (path) => renders.get(path) ?? 0,
    say: (path, body, fields = FRESH) => pages.set(path, { body, fields }),
    renderMs: 0,
    hold() {
      const made = makeGate()
      gate = made
      return () => {
        gate = undefined
        made.open()
      }
    },
  }
  return origin
}

export const FRESH = { 'cache-control': 'max-age=600, stale-while-revalidate=600' }

function ask(port: number, path: string, headers: Record<string, string>, method: string): Promise<Answer> {
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, agent: false, headers: { Host: HOST, ...headers } })
    asked.on('error', reject)
    asked.on('response', (response: IncomingMessage) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          text: body,
          cacheStatus: String(response.headers['cache-status'] ?? ''),
          age: response.headers.age,
          warning: response.headers['warning'],
          tookMs: performance.now() - startedAt,
        }),
      )
    })
    asked.end()
  })
}
