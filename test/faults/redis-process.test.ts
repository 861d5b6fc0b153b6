import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { get } from 'node:http'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { careful, shared } from './redis-adapters.ts'
import { redisKeys } from './redis-command.ts'
import { houseRules, noteRow } from './redis-measured.ts'
import { startServers, startSite } from './redis-site.ts'
import { eventually } from './redis-traffic.ts'

houseRules()

const script = fileURLToPath(new URL('redis-child.ts', import.meta.url))

const MAKERS = { careful, shared }

interface Child {
  readonly process: ChildProcess
  readonly port: number
  readonly exited: Promise<number | null>
  readonly stderr: () => string
}

async function startChild(redisPort: number, settings: 'careful' | 'naive' | 'shared'): Promise<Child> {
  const args = ['--conditions=cacheback-source', script, String(redisPort), settings]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  onTestFinished(() => void child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  const printed = await Promise.race([once(child.stdout.setEncoding('utf8'), 'data'), exited])
  if (!Array.isArray(printed)) throw new Error(`The app has ended: ${stderr}`)
  return { process: child, port: Number(printed[0]), exited, stderr: () => stderr }
}

async function ask(
  { port }: Child,
  path: string,
): Promise<{ status: number | undefined; bytes: number; cacheStatus: unknown }> {
  // As the tests' own client says it, so that the keys are the same.
  const request = get({ host: '127.0.0.1', port, path, agent: false, headers: { Host: 'example.test' } })
  const [response] = await once(request, 'response')
  let bytes = 0
  for await (const chunk of response) bytes += (chunk as Buffer).length
  return { status: response.statusCode, bytes, cacheStatus: response.headers['cache-status'] }
}

test.each(['careful', 'shared'] as const)(
  'FAULT-31 a process that is killed in the middle of a write leaves the whole page or none (%s settings)',
  async (settings) => {
    const { redis, proxy } = await startServers()
    const child = await startChild(proxy.port, settings)
    expect(await ask(child, '/small')).toMatchObject({ status: 200, bytes: 100 })
    const keysOf = async (name: string): Promise<number> =>
      (await redisKeys(redis.socketPath)).filter((key) => key.includes(name)).length
    await eventually('the small page is there', 2000, async () => (await keysOf('small')) === 1)
    // Its frame is a third bigger than the page: this is somewhere in the middle.
    const held = proxy.holdAfter(500_000)
    expect(await ask(child, '/big')).toMatchObject({ status: 200, bytes: 800_000 })
    await held
    child.process.kill('SIGKILL')
    await child.exited
    proxy.restore()
    const site = await startSite({ framework: 'fastify', hasMemory: false, store: MAKERS[settings](redis.socketPath) })
    const small = await site.visit('/small')
    expect(small.text).toBe('page /small '.padEnd(100, '/small'))
    expect(small.cacheStatus).toContain('; hit')
    const big = await site.visit('/big')
    expect(big.text).toBe('page /big render 1')
    await site.cache.idle()
    expect((await site.visit('/big')).cacheStatus).toContain('; hit')
  },
)

test.each(['careful', 'naive', 'shared'] as const)(
  'FAULT-32 with Redis away or hung the process still answers, and ends by itself within 3 s (%s settings)',
  async (settings) => {
    const away = await startServers()
    const hung = await startServers()
    away.proxy.cut('reset')
    const children = await Promise.all([startChild(away.proxy.port, settings), startChild(hung.proxy.port, settings)])
    expect(await ask(children[1], '/warm')).toMatchObject({ status: 200, bytes: 100 })
    hung.redis.pause()
    for (const child of children) {
      for (let i = 0; i < 8; i++) expect(await ask(child, `/page-${i}`)).toMatchObject({ status: 200, bytes: 100 })
    }
    const startedAt = performance.now()
    for (const child of children) child.process.kill('SIGTERM')
    const codes = await Promise.all(
      children.map(async (child) => {
        const code = await child.exited
        return { code, seconds: (performance.now() - startedAt) / 1000 }
      }),
    )
    for (const [i, { code, seconds }] of codes.entries()) {
      expect(code, `stderr: ${children[i]!.stderr()}`).toBe(0)
      expect(seconds).toBeLessThan(3)
      expect(children[i]!.stderr()).not.toMatch(/unhandled|uncaught|MaxListeners/i)
    }
    noteRow({
      fault: `SIGTERM, ${settings} settings: Redis away; hung`,
      'seconds to exit 0': codes.map(({ seconds }) => seconds.toFixed(2)).join('; '),
    })
  },
)

test('FAULT-33 settings that are missing are named at start, good ones are not spoken of', async () => {
  const { proxy } = await startServers()
  const names = ['naive', 'careful', 'shared'] as const
  const [naive, ...good] = await Promise.all(names.map((name) => startChild(proxy.port, name)))
  for (const child of [naive!, ...good]) {
    expect(await ask(child, '/x')).toMatchObject({ status: 200 })
    child.process.kill('SIGTERM')
    expect(await child.exited).toBe(0)
  }
  expect(naive!.stderr().match(/CACHEBACK_STORE_SETTINGS/g)).toHaveLength(1)
  for (const name of ['disableOfflineQueue', 'pingInterval', 'connectTimeout', 'socketTimeout']) {
    expect(naive!.stderr()).toContain(name)
  }
  for (const child of good) expect(child.stderr()).toBe('')
})
