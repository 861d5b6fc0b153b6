import { fork } from 'node:child_process'
import { once } from 'node:events'
import { get } from 'node:http'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export interface ProcessOptions {
  readonly role: 'web' | 'worker'
  readonly framework: string
  /** The same for all that share a store and a queue. */
  readonly name: string
  readonly redisPath: string
  readonly queuePath: string
  readonly lostAfterMs?: number | undefined
  /** How long a render of a worker takes. */
  readonly renderMs: number
  /** Whether Node prints warnings. */
  readonly warnings?: boolean | undefined
}

/** A process of an app. */
export interface AppProcess {
  readonly pid: number
  readonly renders: () => number
  /** What it has said so far. */
  readonly stderr: () => string
  count(event: string, reason?: string): number
  visit(path: string): Promise<{ readonly text: string; readonly cacheStatus: string }>
  kill(): Promise<void>
  /** Asks it to end. Resolves with its exit code and what it has said on stderr. */
  end(): Promise<{ readonly code: number | null; readonly stderr: string; readonly seconds: number }>
}

const script = fileURLToPath(new URL('app-process.ts', import.meta.url))

export async function startProcess(options: ProcessOptions): Promise<AppProcess> {
  const child = fork(script, [JSON.stringify(options)], {
    execArgv: ['--conditions=cacheback-source', ...(options.warnings === true ? [] : ['--no-warnings'])],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let stderr = ''
  child.stderr!.on('data', (chunk) => {
    stderr += String(chunk)
  })
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  onTestFinished(() => void child.kill('SIGKILL'))
  let renders = 0
  const events: { event: string; reason?: string }[] = []
  child.on('message', (told: { render?: number; event?: string }) => {
    if (told.render !== undefined) renders = told.render
    if (told.event !== undefined) events.push(told as { event: string })
  })
  const port = await new Promise<number>((resolve, reject) => {
    child.on('message', (told: { port?: number }) => told.port !== undefined && resolve(told.port))
    void exited.then(() => reject(new Error(`The app has ended: ${stderr}`)))
  })
  return {
    pid: child.pid!,
    renders: () => renders,
    stderr: () => stderr,
    count: (event, reason) =>
      events.filter((told) => told.event === event && (reason === undefined || told.reason === reason)).length,
    async visit(path) {
      const request = get({ host: '127.0.0.1', port, path, agent: false, headers: { Host: 'example.test' } })
      const [response] = await once(request, 'response')
      return { text: await text(response), cacheStatus: String(response.headers['cache-status']) }
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
    async end() {
      const startedAt = performance.now()
      child.kill('SIGTERM')
      const code = await exited
      return { code, stderr, seconds: (performance.now() - startedAt) / 1000 }
    },
  }
}
