import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { HOST } from '../../support/client.ts'
import type { Random } from './random.ts'

/** How a visit ended: as it should; badly; badly because the handler wanted it so; or by the visitor himself. */
type Ending = 'good' | 'failed' | 'handler failed' | 'left'

export interface Counts {
  requests: number
  /** By ending, and the good ones by what Cache-Status says. */
  readonly kinds: Record<string, number>
  /** The first few failed responses, in words. */
  readonly failures: string[]
  slowestMs: number
}

export const noCounts = (): Counts => ({ requests: 0, kinds: {}, failures: [], slowestMs: 0 })

interface Plan {
  readonly kind: string
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds after which the visitor leaves. */
  readonly leavesAfter?: number | undefined
  /** Milliseconds that he waits after every piece. */
  readonly pause?: number | undefined
}

/** Longer than everything that the cache lets anybody wait for. */
const PATIENCE_MS = 12_000
const VISITORS = 16

/** Visitors of all kinds, one visit after the other each, until the signal comes. */
export async function load(port: number, random: Random, counts: Counts, signal: AbortSignal): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  let news = 0
  const visitor = async (): Promise<void> => {
    while (!signal.aborted) {
      const plan = plans(random, () => news++)
      const startedAt = performance.now()
      const { ending, kind, detail } = await visit(agent, port, plan)
      counts.requests += 1
      counts.kinds[kind] = (counts.kinds[kind] ?? 0) + 1
      if (ending === 'good' && plan.pause === undefined) {
        counts.slowestMs = Math.max(counts.slowestMs, performance.now() - startedAt)
      }
      if (ending === 'failed' && counts.failures.length < 10) {
        counts.failures.push(`${plan.method} ${plan.path} (${plan.kind}): ${detail}`)
      }
      await sleep(random.below(40))
    }
  }
  await Promise.all(Array.from({ length: VISITORS }, visitor))
  agent.destroy()
}

function plans(random: Random, nextNew: () => number): Plan {
  const id = random.below(100)
  const plain = { method: 'GET', headers: {} } as const
  switch (random.pick([40, 10, 8, 5, 5, 10, 4, 4, 4, 5, 5])) {
    case 0:
      return { ...plain, kind: 'page', path: `/page/${id}` }
    case 1:
      return { ...plain, kind: 'new', path: `/new/${nextNew()}` }
    case 2:
      return { ...plain, kind: 'varied', path: `/varied/${id % 10}`, headers: { 'X-Select': String(random.below(50)) } }
    case 3:
      return { ...plain, kind: 'never', path: `/never/${id}` }
    case 4:
      return { ...plain, kind: 'POST', method: 'POST', path: `/page/${id}` }
    case 5:
      return { ...plain, kind: 'flaky', path: `/flaky/${id % 20}`, leavesAfter: 1500 }
    case 6:
      return { ...plain, kind: 'big', path: `/big/${id % 5}` }
    case 7:
      return { ...plain, kind: 'slow reader', path: `/big/${id % 5}`, pause: 50 }
    case 8:
      return { ...plain, kind: 'mine', path: '/mine', headers: { Cookie: `visitor=${random.below(1e9)}` } }
    case 9:
      return { ...plain, kind: 'HEAD', method: 'HEAD', path: `/page/${id}` }
    default:
      return {
        ...plain,
        kind: 'leaver',
        path: random.below(2) === 0 ? `/page/${id}` : `/big/${id % 5}`,
        leavesAfter: random.below(15),
      }
  }
}

interface Ended {
  readonly ending: Ending
  readonly kind: string
  readonly detail?: string
}

function visit(agent: Agent, port: number, plan: Plan): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>()
  const isFlaky = plan.kind === 'flaky'
  const bad = (detail: string): void => {
    clearTimeout(timer)
    if (isFlaky) resolve({ ending: 'handler failed', kind: 'handler failed' })
    else resolve({ ending: 'failed', kind: 'failed', detail })
  }
  const { method, path } = plan
  const length = method === 'POST' ? { 'Content-Length': '0' } : {}
  const sent = request({
    host: '127.0.0.1',
    port,
    agent,
    method,
    path,
    headers: { Host: HOST, ...plan.headers, ...length },
  })
  const timer = setTimeout(
    () => {
      if (plan.leavesAfter === undefined) bad(`no answer after ${PATIENCE_MS} ms`)
      else resolve({ ending: 'left', kind: 'left' })
      sent.destroy()
    },
    plan.leavesAfter ?? (plan.pause === undefined ? PATIENCE_MS : 10 * PATIENCE_MS),
  )
  sent.on('error', (error) => bad(error.message))
  sent.on('response', (response) => {
    let body = ''
    let bytes = 0
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (body.length < 200) body += chunk.toString('latin1', 0, 200)
      if (plan.pause === undefined) return
      response.pause()
      setTimeout(() => response.resume(), plan.pause)
    })
    response.on('error', (error) => bad(error.message))
    response.on('end', () => {
      if (!response.complete) return
      const flaw = flawOf(plan, response.statusCode ?? 0, body, bytes, response.headers['x-selected'])
      if (flaw !== undefined) return bad(`${flaw} (${String(response.headers['cache-status'])})`)
      clearTimeout(timer)
      resolve({ ending: 'good', kind: kindOf(String(response.headers['cache-status']), response.headers.warning) })
    })
  })
  sent.end()
  return promise
}

/** What is wrong with a response, if something is. */
function flawOf(
  { kind, method, path, headers }: Plan,
  status: number,
  body: string,
  bytes: number,
  selected: unknown,
): string | undefined {
  if (status !== 200) return `status ${status}`
  if (method === 'HEAD') return bytes === 0 ? undefined : 'a body for HEAD'
  if (kind === 'mine') return body === `mine ${headers['Cookie']}` ? undefined : `somebody else's: ${body}`
  const [name, length] = body.split(' ', 2)
  if (name !== path) return `another page: ${String(name)}`
  if (Number(length) !== bytes) return `${bytes} bytes of ${String(length)}`
  return kind === 'varied' && selected !== headers['X-Select'] ? `another variant: ${String(selected)}` : undefined
}

function kindOf(cacheStatus: string, warning: string | undefined): string {
  if (cacheStatus.includes('; hit')) return warning?.startsWith('110') === true ? 'stale' : 'hit'
  if (cacheStatus.includes('collapsed')) return 'collapsed'
  if (cacheStatus.includes('detail=stale-if-error')) return 'stood in'
  return cacheStatus.includes('; stored') ? 'stored' : 'passed'
}
