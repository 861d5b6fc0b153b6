import type { CachebackOptions } from '@cacheback/core'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { FrameworkName } from '../../support/app.ts'
import type { AppOptions, Figures, Order } from './order.ts'

/** An app in a process of its own, to which orders can be given. */
export interface Child<SomeOrder> {
  readonly port: number
  tell: (order: SomeOrder) => Promise<unknown>
  /** What it has said on stderr: nothing, if all is well. */
  stderr: () => string
  stop: () => Promise<void>
}

const FLAGS = ['--conditions=cacheback-source', '--expose-gc', '--no-warnings']

/** Starts a file of this folder; it tells its port first, and then answers each order by its number. */
export async function startChild<SomeOrder extends object>(
  file: string,
  args: readonly string[],
): Promise<Child<SomeOrder>> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [...args], {
    execArgv: FLAGS,
    env: { ...process.env, NODE_ENV: 'test' },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  const killAtExit = (): void => void child.kill('SIGKILL')
  process.once('exit', killAtExit)
  let stderr = ''
  child.stderr!.on('data', (chunk) => {
    stderr += String(chunk)
  })
  const exited = once(child, 'exit').then(([code]) => {
    process.off('exit', killAtExit)
    throw new Error(`${file} has ended with ${String(code)}: ${stderr}`)
  })
  exited.catch(() => undefined)
  const waiting = new Map<number, (result: unknown) => void>()
  const [{ port }] = (await Promise.race([once(child, 'message'), exited])) as [{ port: number }]
  child.on('message', ({ id, result }: { id: number; result: unknown }) => {
    waiting.get(id)?.(result)
    waiting.delete(id)
  })
  let orders = 0
  return {
    port,
    tell(order) {
      const id = orders++
      const { promise, resolve } = Promise.withResolvers<unknown>()
      waiting.set(id, resolve)
      child.send({ ...order, id })
      return Promise.race([promise, exited])
    },
    stderr: () => stderr,
    async stop() {
      child.kill('SIGKILL')
      await exited.catch(() => undefined)
    },
  }
}

export interface ChildApp {
  readonly port: number
  /** Its clock of freshness goes on. */
  advance: (seconds: number) => Promise<unknown>
  /** The rest of `/big` comes. */
  open: () => Promise<unknown>
  /** Begins to measure its loop anew. */
  reset: () => Promise<unknown>
  idle: () => Promise<unknown>
  figures: () => Promise<Figures>
  stderr: () => string
  stop: () => Promise<void>
}

export async function startApp(framework: FrameworkName, options: CachebackOptions & AppOptions): Promise<ChildApp> {
  const { port, tell, stderr, stop } = await startChild<Order>('app.ts', [framework, JSON.stringify(options)])
  return {
    port,
    advance: (seconds) => tell({ kind: 'advance', seconds }),
    open: () => tell({ kind: 'open' }),
    reset: () => tell({ kind: 'reset' }),
    idle: () => tell({ kind: 'idle' }),
    figures: () => tell({ kind: 'figures' }) as Promise<Figures>,
    stderr,
    stop,
  }
}
