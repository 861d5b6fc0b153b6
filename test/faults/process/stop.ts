import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { vi } from 'vitest'
import type { FrameworkName } from '../../support/app.ts'

export interface StoppingOptions {
  readonly redisSocket?: string | undefined
  readonly namespace: string
  /** What a refresh does when the signal comes: it works for a while, or it hangs for ever. */
  readonly refresh: 'works' | 'hangs'
}

export interface StoppingApp {
  readonly port: number
  /** What it has said. */
  readonly lines: readonly string[]
  said: (line: string) => Promise<void>
  /** Sends SIGTERM; resolves when the process is gone. */
  terminate: () => Promise<{ readonly code: number | null; readonly signal: string | null; readonly seconds: number }>
  stderr: () => string
  kill: () => void
}

const APP = fileURLToPath(new URL('stopping.ts', import.meta.url))

export async function startStopping(framework: FrameworkName, options: StoppingOptions): Promise<StoppingApp> {
  const flags = ['--conditions=cacheback-source', '--unhandled-rejections=strict', '--no-warnings']
  const child = spawn(process.execPath, [...flags, APP, framework, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>
  const closed = once(child, 'close')
  const lines: string[] = []
  let stderr = ''
  child.stdout.on('data', (chunk) => lines.push(...String(chunk).trimEnd().split('\n')))
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk)
  })
  const waitFor = (line: string): Promise<string> =>
    vi.waitFor(
      () => {
        const found = lines.find((each) => each.startsWith(line))
        if (found === undefined) throw new Error(`It has not said "${line}" but ${JSON.stringify([...lines, stderr])}`)
        return found
      },
      { timeout: 20_000, interval: 10 },
    )
  return {
    port: Number((await waitFor('port ')).slice(5)),
    lines,
    said: async (line) => void (await waitFor(line)),
    async terminate() {
      const before = performance.now()
      child.kill('SIGTERM')
      const [code, signal] = await exited
      const seconds = (performance.now() - before) / 1000
      // What it has said last may still be on its way.
      await closed
      return { code, signal, seconds }
    },
    stderr: () => stderr,
    kill: () => void child.kill('SIGKILL'),
  }
}
