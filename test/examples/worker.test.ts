import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

import { beforeAll, expect, onTestFinished, test, vi } from 'vitest'

import { freePort } from '../support/ports.ts'
import { startRedis } from '../support/redis.ts'
import { get } from './demo.ts'

let url: string

beforeAll(async () => {
  const port = await freePort()
  const redis = await startRedis({ args: ['--port', String(port), '--bind', '127.0.0.1'] })
  url = `redis://127.0.0.1:${port}`
  return redis.stop
})

test('a server and a worker on one Redis: the worker renders what is stale; warming stores what is named', async () => {
  const server = start('server.ts')
  const page = await printed(server, /curl -i (\S+)/)
  const worker = start('worker.ts')
  await printed(worker, /(working)/)

  const first = await read(page)
  expect(first.status).toBe('cacheback; fwd=uri-miss; stored')
  expect(first.renderedBy).toBe(server.pid)
  await vi.waitFor(async () => expect((await read(page)).status).toMatch(/hit; ttl=-/), 10_000)
  await vi.waitFor(async () => expect((await read(page)).renderedBy).toBe(worker.pid), 10_000)

  const warming = start('warm.ts', { HOST: new URL(page).host })
  await printed(warming, /(3 stored)/)
  const third = await read(page.replace(/1$/, '3'))
  expect(third.renderedBy).toBe(warming.pid)

  for (const child of [server, worker]) {
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  }
})

async function read(page: string): Promise<{ status: string; renderedBy: number }> {
  const { headers, body } = await get(page)
  return { status: String(headers['cache-status']), ...(JSON.parse(body) as { renderedBy: number }) }
}

function start(file: string, env: Record<string, string> = {}): ChildProcess {
  const child = spawn(process.execPath, ['--conditions=cacheback-source', `examples/worker/${file}`], {
    cwd: new URL('../../', import.meta.url),
    env: { ...process.env, PORT: '0', REDIS_URL: url, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

/** What is printed in the brackets of the expression. */
async function printed(child: ChildProcess, expression: RegExp): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const found = expression.exec(line)?.[1]
    if (found !== undefined) return found
  }
  throw new Error('It has ended without a word of that.')
}
