import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { atExit } from './at-exit.ts'
import type { Answers, Told } from './child.ts'
import type { Cores } from './machine.ts'
import { DEFAULT_PAGE, type PageSettings } from './page.ts'

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url))
/** USER_HZ: what /proc counts in is 10 ms on every Linux that Node runs on. */
const TICK_MICROS = 10_000

/** What a scenario wants to be started. */
export interface Wanted {
  /** How it is called in the results; the server file's name, unless one file takes part twice. */
  readonly id?: string
  readonly file: string
  readonly page?: Partial<PageSettings>
  readonly nodeOptions?: readonly string[]
}

/** A running server. */
export interface Contender {
  readonly id: string
  readonly origin: string
  readonly pause: () => void
  readonly resume: () => void
  /** CPU time of all its processes so far, in microseconds; NaN where there is no /proc. */
  readonly cpuMicros: () => number
  readonly ask: <Q extends keyof Answers>(question: Q) => Promise<Answers[Q]>
  readonly stop: () => Promise<void>
}

export async function startContender(wanted: Wanted, cores: Cores | undefined): Promise<Contender> {
  const { file, id = file, nodeOptions = [] } = wanted
  const node = [...nodeOptions, CHILD, file, JSON.stringify({ ...DEFAULT_PAGE, ...wanted.page })]
  const command = [...(cores ? ['taskset', '-c', String(cores.servers)] : []), process.execPath, ...node]
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const told = await Promise.race([once(child, 'message'), once(child, 'exit')])
  const message = told[0] as Told | number | null
  if (typeof message !== 'object' || message === null || !('port' in message)) {
    child.kill('SIGTERM')
    throw new Error(typeof message === 'object' && message && 'failed' in message ? message.failed : 'it ended at once')
  }
  const pids = family(child.pid!)
  const end = (): void => pids.toReversed().forEach((pid) => signal(pid, 'SIGKILL'))
  atExit.add(end)
  return {
    id,
    origin: `http://127.0.0.1:${message.port}`,
    pause: () => pids.forEach((pid) => signal(pid, 'SIGSTOP')),
    resume: () => pids.forEach((pid) => signal(pid, 'SIGCONT')),
    cpuMicros: () => pids.reduce((sum, pid) => sum + cpuTicks(pid), 0) * TICK_MICROS,
    ask: (question) => ask(child, question),
    async stop() {
      atExit.delete(end)
      pids.forEach((pid) => signal(pid, 'SIGCONT'))
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, 'exit')
        child.kill('SIGTERM')
        await gone
      }
      pids.slice(1).forEach((pid) => signal(pid, 'SIGKILL'))
    },
  }
}

async function ask<Q extends keyof Answers>(child: ChildProcess, question: Q): Promise<Answers[Q]> {
  const answered = once(child, 'message')
  child.send(question)
  const [message] = (await answered) as [{ answer: Answers[Q] }]
  return message.answer
}

/** A process and all below it: nginx and Varnish work in children of their own. */
function family(pid: number): number[] {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    const children = threads.flatMap((tid) => readFileSync(`/proc/${pid}/task/${tid}/children`, 'utf8').split(' '))
    return [pid, ...children.filter(Boolean).flatMap((child) => family(Number(child)))]
  } catch {
    return [pid]
  }
}

/** utime and stime, behind the name in brackets. */
function cpuTicks(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    return Number(fields[11]) + Number(fields[12])
  } catch {
    return Number.NaN
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // Gone already.
  }
}
