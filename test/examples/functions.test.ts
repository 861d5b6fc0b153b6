import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

import { expect, onTestFinished, test, vi } from 'vitest'
import { freePort } from '../support/port.ts'
import { startRedis } from '../support/redis.ts'
import { Demo, get } from './demo.ts'

const execute = promisify(execFile)
const root = new URL('../../', import.meta.url)

test('the page over a slow function: a miss, a hit, stale at once, and a new one', { timeout: 60_000 }, async () => {
  const demo = new Demo('functions', { PORT: '0', DEMO_MAX_AGE: '2' })
  onTestFinished(async () => void (await demo.stop()))
  await vi.waitFor(() => expect(demo.printed).toContain('kill -USR2'), { timeout: 20_000 })
  const ask = async (question: string): Promise<{ status: string; searchedAt: string; body: string }> => {
    const { body } = await get(`${demo.url}/?q=${question}`)
    const [, status = '', searchedAt = ''] = /<p>(\w+): searched at (\S+)/.exec(body) ?? []
    return { status, searchedAt, body }
  }
  const miss = await ask('klingen')
  expect(miss.status).toBe('miss')
  expect(miss.body).toContain('Klingon: <code>tlh</code>')
  const hit = await ask('KLINGEN')
  expect(hit).toMatchObject({ status: 'hit', searchedAt: miss.searchedAt })
  const stale = await vi.waitFor(
    async () => {
      const seen = await ask('klingen')
      expect(seen.status).toBe('stale')
      return seen
    },
    { timeout: 20_000 },
  )
  expect(stale.searchedAt).toBe(miss.searchedAt)
  await vi.waitFor(async () => expect((await ask('klingen')).searchedAt).not.toBe(miss.searchedAt), { timeout: 20_000 })
  expect(demo.printed).toMatch(/^refresh cacheback::findLanguages:klingen~/m)
  demo.child.kill('SIGUSR2')
  await vi.waitFor(() => expect(demo.printed).toMatch(/^purge /m))
  expect((await ask('klingen')).status).toBe('miss')
  expect((await ask('%3Cscript%3E')).body).not.toContain('<script>')
  expect(await demo.stop()).toBe(0)
  expect(demo.errors).toBe('')
})

test('the same with a worker process: the server never searches again', { timeout: 60_000 }, async () => {
  const port = await freePort()
  const redis = await startRedis({ args: ['--port', String(port), '--bind', '127.0.0.1'] })
  onTestFinished(redis.stop)
  const env = { PORT: '0', DEMO_MAX_AGE: '1', REDIS_URL: `redis://127.0.0.1:${port}` }
  const [demo, worker] = [new Demo('functions', env), new Demo('functions', env, 'worker.ts')]
  onTestFinished(async () => void (await Promise.all([demo.stop(), worker.stop()])))
  await vi.waitFor(() => expect(demo.printed + worker.printed).toMatch(/kill -USR2[^]*working/), { timeout: 20_000 })
  const ask = async (): Promise<string> => /searched at (\S+)/.exec((await get(`${demo.url}/?q=klingen`)).body)![1]!
  const first = await ask()
  await vi.waitFor(async () => expect(await ask()).not.toBe(first), { timeout: 20_000, interval: 100 })
  await vi.waitFor(() => expect(worker.printed).toMatch(/^refreshed .*findLanguages:klingen~/m))
  expect(demo.printed).toMatch(/^refresh-sent /m)
  expect(demo.printed).not.toMatch(/^refresh /m)
  expect([await demo.stop(), await worker.stop()]).toEqual([0, 0])
  expect(demo.errors + worker.errors).toBe('')
})

test.each(['first', 'job'])('examples/functions/%s.ts does what is said of it', async (name) => {
  const path = `examples/functions/${name}.ts`
  const { stdout } = await execute(process.execPath, ['--conditions=cacheback-source', path], { cwd: root })
  const source = await readFile(new URL(path, root), 'utf8')
  const printed = name === 'first' ? 'tweetsOf:ada,2' : 'UserTweets:1,1'
  expect(stdout).toContain(printed)
  expect(source).toContain(`// ${printed}`)
})

test.each(['docs/functions.md', 'docs/from-django-cacheback.md'])('the snippets of %s are examples', async (page) => {
  const text = await readFile(new URL(page, root), 'utf8')
  const snippets = [...text.matchAll(/<!-- (examples\/\S+) -->\n\n```ts\n(.*?)```/gs)]
  expect(snippets.length).toBeGreaterThan(0)
  for (const [, path, code] of snippets) expect(code).toBe(await readFile(new URL(path!, root), 'utf8'))
})
