import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

import { expect, onTestFinished, test, vi } from 'vitest'

import { startRedis } from '../support/redis.ts'
import { freePort } from '../support/port.ts'
import { get } from './demo.ts'

test(
  'four processes behind one port: one renders, all serve, a purge reaches every one',
  { timeout: 60_000 },
  async () => {
    const redisPort = await freePort()
    const redis = await startRedis({ args: ['--port', String(redisPort), '--bind', '127.0.0.1'] })
    onTestFinished(redis.stop)
    let said = ''
    const child: ChildProcess = spawn(
      process.execPath,
      ['--conditions=cacheback-source', 'examples/cluster/server.ts'],
      {
        cwd: new URL('../../', import.meta.url),
        env: { ...process.env, PORT: String(await freePort()), REDIS_URL: `redis://127.0.0.1:${redisPort}` },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    onTestFinished(() => void child.kill('SIGKILL'))
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    await vi.waitFor(() => expect(said).toContain('Purge it everywhere'), 20_000)
    const page = /4 processes at (\S+\/),/.exec(said)![1]!
    await vi.waitFor(async () => {
      expect(JSON.parse((await get(`${page}stats`)).body)).toMatchObject({ hears: true, processes: 4 })
    }, 10_000)

    // Each `get` is a connection of its own: they go to one process after the other.
    const answers = await Promise.all(Array.from({ length: 12 }, () => get(page)))
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1)
    expect(new Set(answers.map(({ headers }) => headers['x-served-by'])).size).toBeGreaterThan(1)

    expect(said).toContain(`kill -USR2 ${child.pid}`)
    child.kill('SIGUSR2')
    await vi.waitFor(() => expect(said).toContain('purged: 4 processes have acknowledged it, 0 have not'), 10_000)
    expect((await get(page)).body).not.toBe(answers[0]!.body)

    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  },
)
