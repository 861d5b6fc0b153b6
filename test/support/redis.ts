import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, rmdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestProject } from 'vitest/node'
import { findRedis } from './redis-binary.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    redisSocket: string
  }
}

export interface RedisOptions {
  /** Where to listen; a killed server's path lets it come back. Its folder must be the server's own. */
  socketPath?: string | undefined
  /** More arguments of redis-server. */
  args?: string[] | undefined
  /** Lines of a configuration: of a sentinel, which wants to write into it. */
  sentinel?: string[] | undefined
}

export interface RedisServer {
  socketPath: string
  pid: number
  /** Ends the server and removes its folder, also when it was paused or killed before. */
  stop: () => Promise<void>
  /** Ends it as a crash does; the socket's file stays behind. */
  kill: () => Promise<void>
  /** Hangs it: connections stay open, nothing is answered. */
  pause: () => void
  resume: () => void
}

/** One server for a project's tests; they take its socket with `inject('redisSocket')`. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const redis = await startRedis()
  project.provide('redisSocket', redis.socketPath)
  return redis.stop
}

/** A server of one's own, on a unix socket: no port, so that runs beside each other never clash. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const binary = await findRedis()
  const socketPath = options.socketPath ?? join(await mkdtemp(join(tmpdir(), 'cacheback-redis-')), 'redis.sock')
  const folder = dirname(socketPath)
  await mkdir(folder, { recursive: true })

  const sentinel = options.sentinel === undefined ? [] : [join(folder, 'sentinel.conf'), '--sentinel']
  if (options.sentinel !== undefined) {
    const lines = [...options.sentinel, `unixsocket ${socketPath}`, `dir ${folder}`, '']
    await writeFile(join(folder, 'sentinel.conf'), lines.join('\n'))
  }
  const fixed = ['--port', '0', '--unixsocket', socketPath, '--save', '', '--appendonly', 'no', '--dir', folder]
  const args = options.sentinel === undefined ? [...fixed, ...(options.args ?? [])] : sentinel
  const child = spawn(binary.path, args, { env: binary.env, stdio: 'ignore' })
  let running = true
  const exited = new Promise<void>((resolve) => {
    const onExit = () => {
      running = false
      resolve()
    }
    child.once('exit', onExit)
    child.once('error', onExit)
  })
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)

  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    process.off('exit', killAtExit)
    if (!running) return
    child.kill(signal)
    // A paused server does not see SIGTERM before it goes on.
    child.kill('SIGCONT')
    await exited
  }

  async function stop(): Promise<void> {
    await end('SIGTERM')
    await rm(socketPath, { force: true })
    if (options.socketPath === undefined) await rm(folder, { recursive: true, force: true })
    else await rmdir(folder).catch(() => undefined)
  }

  const deadline = performance.now() + 10_000
  while (!(await answersPing(socketPath))) {
    if (running && performance.now() < deadline) {
      await sleep(20)
      continue
    }
    await stop()
    throw new Error(`${binary.path} did not answer on its socket.`)
  }
  return {
    socketPath,
    pid: child.pid!,
    stop,
    kill: () => end('SIGKILL'),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
  }
}

function answersPing(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath, () => socket.write('PING\r\n'))
    socket.setTimeout(1000, () => socket.destroy())
    socket.on('data', (reply) => {
      resolve(reply.toString().startsWith('+PONG'))
      socket.destroy()
    })
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
  })
}
