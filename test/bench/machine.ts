import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'

export interface Machine {
  readonly node: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  /** The load generator; ratios of autocannon mean little. */
  readonly load: string
  readonly pinned: boolean
}

/** The cores of servers and of the load; undefined where nothing can be pinned. */
export interface Cores {
  readonly servers: number
  readonly load: number
}

export function findCores(): Cores | undefined {
  const [servers, load] = allowedCores()
  if (servers === undefined || load === undefined || runs('taskset', '--version') === undefined) return undefined
  return { servers, load }
}

/** This process and all that it starts, unless they are pinned elsewhere. */
export function pinSelf(core: number): void {
  execFileSync('taskset', ['-apc', String(core), String(process.pid)], { stdio: 'ignore' })
}

export function describeMachine(cores: Cores | undefined, hasWrk: boolean): Machine {
  return {
    node: process.version,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    load: hasWrk ? 'wrk' : 'autocannon',
    pinned: cores !== undefined,
  }
}

/** What a program says, or undefined where it is not installed. Debian's wrk ends with 1 after its version. */
export function runs(program: string, argument: string): string | undefined {
  try {
    return execFileSync(program, [argument], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch (error) {
    const { stdout } = error as { stdout?: string | null }
    return stdout === '' || stdout === null ? undefined : stdout
  }
}

/** `0-3,6` in Linux's words; elsewhere none. */
function allowedCores(): number[] {
  try {
    const list = /^Cpus_allowed_list:\s*(\S+)/mu.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
    return list.split(',').flatMap((range) => {
      const [from = 0, to = from] = range.split('-').map(Number)
      return Array.from({ length: to - from + 1 }, (_, i) => from + i)
    })
  } catch {
    return []
  }
}
