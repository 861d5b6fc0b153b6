import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

import { expect, onTestFinished, test } from 'vitest'

const execute = promisify(execFile)
const root = new URL('../../', import.meta.url)
const readmes = [
  '',
  'packages/core/',
  'packages/fastify/',
  'packages/express/',
  'packages/koa/',
  'packages/redis/',
  'packages/bullmq/',
]
const blocks = (await Promise.all(readmes.map(snippetsOf))).flat()

test('the README has a first route for each framework', () => {
  expect(blocks.map(({ path }) => path)).toEqual(
    expect.arrayContaining(
      ['fastify', 'express', 'koa', 'in-front', 'redis', 'shared', 'methods'].map(
        (name) => `examples/first/${name}.ts`,
      ),
    ),
  )
})

test.each(blocks)('the snippet in $readme is $path', async ({ path, code }) => {
  expect(code).toBe(await readFile(new URL(path, root), 'utf8'))
})

test.each(['fastify', 'express', 'koa', 'in-front'])('the first route on %s caches', async (name) => {
  const url = await start(`examples/first/${name}.ts`)
  const miss = await fetch(url)
  expect(miss.headers.get('cache-status')).toBe('cacheback; fwd=uri-miss; stored')
  const hit = await fetch(url)
  expect(hit.headers.get('cache-status')).toMatch(/^cacheback; hit; ttl=\d+$/)
  expect(await hit.text()).toBe(await miss.text())
})

test('the methods do what is said of them', async () => {
  const { stdout } = await execute(process.execPath, ['--conditions=cacheback-source', 'examples/first/methods.ts'], {
    cwd: root,
  })
  expect(stdout).toMatch(/route: '\/articles\/:id'/)
  expect(stdout).toMatch(/purge: 2/)
})

/** The snippets of a README, each below the path of the example that it is. */
async function snippetsOf(folder: string): Promise<{ readme: string; path: string; code: string }[]> {
  const readme = `${folder}README.md`
  const text = await readFile(new URL(readme, root), 'utf8')
  const snippets = text.matchAll(/<!-- (examples\/\S+) -->\n\n```ts\n(.*?)```/gs)
  return [...snippets].map(([, path, code]) => ({ readme, path: path!, code: code! }))
}

/** Starts an example on a free port and reads the URL that it prints. */
async function start(path: string): Promise<string> {
  const child: ChildProcess = spawn(process.execPath, ['--conditions=cacheback-source', path], {
    cwd: root,
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(async () => {
    child.kill()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  for await (const line of createInterface({ input: child.stdout! })) {
    const url = /curl -i (\S+)/.exec(line)?.[1]
    if (url !== undefined) return url
  }
  throw new Error(`${path} has printed no URL`)
}
