import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { atExit } from '../at-exit.ts'
import { HEADERS, type Requests, SAME_TARGET } from './requests.ts'

const SCRIPT = fileURLToPath(new URL('urls.lua', import.meta.url))

export interface WrkResult {
  readonly requests: number
  /** Answers other than 2xx and 3xx, and broken connections. */
  readonly failed: number
  readonly p99Ms: number
}

/** A load that goes on until it is told to finish. */
export interface WrkRun {
  readonly pause: () => void
  readonly resume: () => void
  readonly finish: () => Promise<WrkResult>
}

export function startWrk(origin: string, requests: Requests, connections = 50): WrkRun {
  const headers = Object.entries(HEADERS).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  // Paused for longer than its patience, a wrk would count what it waited for as lost.
  const settings = ['-t1', `-c${connections}`, '-d1h', '--timeout', '600s', '--latency', ...headers]
  const child = spawn('wrk', [...settings, ...what(origin, requests)], { stdio: ['ignore', 'pipe', 'ignore'] })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const kill = (): void => void child.kill('SIGKILL')
  atExit.add(kill)
  return {
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async finish() {
      // It sums up when its first thread is interrupted; another thread may take the signal in its place.
      child.kill('SIGCONT')
      child.kill('SIGINT')
      const again = setInterval(() => child.kill('SIGINT'), 50)
      await ended
      clearInterval(again)
      atExit.delete(kill)
      return parse(said)
    },
  }
}

function what(origin: string, requests: Requests): string[] {
  if (requests.kind === 'same') return [origin + SAME_TARGET]
  const counts = requests.kind === 'pick' ? [requests.from, requests.of] : [requests.from]
  return ['-s', SCRIPT, origin, '--', requests.kind, ...counts.map(String)]
}

function parse(said: string): WrkResult {
  const requests = Number(/(\d+) requests in/u.exec(said)?.[1] ?? Number.NaN)
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/u.exec(said)?.[1] ?? 0)
  const [, connect = 0, read = 0, write = 0] = /connect (\d+), read (\d+), write (\d+)/u.exec(said) ?? []
  const [, p99 = Number.NaN, unit = 'ms'] = /99%\s+([\d.]+)(us|ms|s|m)\b/u.exec(said) ?? []
  const scale: Record<string, number> = { us: 0.001, ms: 1, s: 1000, m: 60_000 }
  return {
    requests,
    failed: refused + Number(connect) + Number(read) + Number(write),
    p99Ms: Number(p99) * scale[unit]!,
  }
}
