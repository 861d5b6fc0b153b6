import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { type Proxy, startProxy } from '../support/proxy.ts'
import { startRedis } from '../support/redis.ts'
import { type Random, randomFrom } from './process/random.ts'
import { type SharedProcess, startOrigin, startProcess } from './shared-site.ts'

/** For how long a process may serve what was purged without its knowledge. */
const MAX_STALENESS_MS = 1000
const SECONDS = Number(process.env['CACHEBACK_MODEL_SECONDS'] ?? 8)
const SEED = Number(process.env['CACHEBACK_MODEL_SEED'] ?? Date.now() % 1_000_000_000)
const PATHS = ['/a', '/b', '/c']
const SKEWS_MS = [0, 3_600_000, -3_600_000, 1500]

interface Read {
  readonly process: number
  readonly path: string
  readonly begunAt: number
  readonly endedAt: number
  readonly version: number
}

interface Purge {
  readonly process: number
  readonly path: string
  /** What the origin said when it was called: nothing older may be seen. */
  readonly version: number
  readonly calledAt: number
  readonly resolvedAt: number
  /** By how many processes; those that are cut off for seconds are not counted as alive. */
  readonly acknowledged: number | 'failed'
}

/** Reads, changes and purges at random, at four processes whose clocks differ and which are cut off now and then. */
class Play {
  readonly reads: Read[] = []
  readonly purges: Purge[] = []
  readonly problems: string[] = []
  readonly versions = new Map<string, number>(PATHS.map((path) => [path, 1]))
  cuts = 0
  readonly #random: Random
  readonly #processes: readonly SharedProcess[]
  readonly #proxies: readonly Proxy[]
  readonly #say: (path: string, version: number) => void

  constructor(
    random: Random,
    processes: readonly SharedProcess[],
    proxies: readonly Proxy[],
    say: (path: string, version: number) => void,
  ) {
    this.#random = random
    this.#processes = processes
    this.#proxies = proxies
    this.#say = say
    for (const path of PATHS) say(path, 1)
  }

  async run(seconds: number): Promise<void> {
    const until = performance.now() + seconds * 1000
    const isOn = (): boolean => performance.now() < until
    await Promise.all([
      ...this.#processes.map((_, index) => this.#reader(index, isOn)),
      this.#changer(isOn),
      this.#cutter(isOn),
    ])
    for (const proxy of this.#proxies) proxy.restore()
  }

  /** One read of every page in every process. */
  async readAll(): Promise<void> {
    await Promise.all(this.#processes.flatMap((_, index) => PATHS.map((path) => this.#read(index, path))))
  }

  async #reader(index: number, isOn: () => boolean): Promise<void> {
    while (isOn()) {
      await this.#read(index, this.#pick(PATHS))
      await sleep(this.#below(6))
    }
  }

  async #changer(isOn: () => boolean): Promise<void> {
    while (isOn()) {
      const path = this.#pick(PATHS)
      const version = this.versions.get(path)! + 1
      this.versions.set(path, version)
      this.#say(path, version)
      // Not waited for: purges come while others are under way.
      if (this.#below(3) > 0) void this.#purge(this.#below(4), path)
      await sleep(this.#below(150))
    }
  }

  async #cutter(isOn: () => boolean): Promise<void> {
    while (isOn()) {
      await sleep(this.#below(800))
      const proxy = this.#pick(this.#proxies)
      if (this.#below(2) === 0) proxy.hold()
      else proxy.cut('reset')
      this.cuts += 1
      await sleep(100 + this.#below(this.#below(3) === 0 ? 2500 : 500))
      proxy.restore()
    }
  }

  async #read(index: number, path: string): Promise<void> {
    const begunAt = performance.now()
    try {
      const { status, text } = await this.#processes[index]!.ask(path)
      const endedAt = performance.now()
      const [, said, version] = /^(\S+) v(\d+)$/.exec(text) ?? []
      if (status !== 200 || said !== path) this.problems.push(`${index} ${path}: ${status} ${text}`)
      else this.reads.push({ process: index, path, begunAt, endedAt, version: Number(version) })
    } catch (error) {
      this.problems.push(`${index} ${path}: ${String(error)}`)
    }
  }

  async #purge(index: number, path: string): Promise<void> {
    const version = this.versions.get(path)!
    const calledAt = performance.now()
    const selector = [{ url: path }, { tag: path.slice(1) }, { prefix: path }][this.#below(3)]!
    const report = await this.#processes[index]!.purge(selector)
    const acknowledged = 'failed' in report ? 'failed' : report.acknowledged
    this.purges.push({ process: index, path, version, calledAt, resolvedAt: performance.now(), acknowledged })
  }

  #below(limit: number): number {
    return this.#random.below(limit)
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]!
  }
}

/** What should never have been seen. */
function judge({ reads, purges }: Play): string[] {
  const findings: string[] = []
  for (const purge of purges) {
    for (const read of reads) {
      if (read.path !== purge.path || read.version >= purge.version) continue
      // Of one that has failed nothing can be expected elsewhere before it is made good.
      const isElsewhere = read.process !== purge.process
      if (isElsewhere && purge.acknowledged === 'failed') continue
      const graceMs = isElsewhere && purge.acknowledged !== SKEWS_MS.length ? MAX_STALENESS_MS : 0
      if (read.begunAt <= purge.resolvedAt + graceMs) continue
      findings.push(`purged and seen: ${JSON.stringify({ purge, read })}`)
    }
  }
  for (const own of Map.groupBy(reads, ({ process, path }) => `${process}${path}`).values()) {
    const ended = own.toSorted((one, other) => one.endedAt - other.endedAt)
    let next = 0
    let newest = 0
    for (const read of own.toSorted((one, other) => one.begunAt - other.begunAt)) {
      while (ended[next] !== undefined && ended[next]!.endedAt < read.begunAt) {
        newest = Math.max(newest, ended[next++]!.version)
      }
      if (read.version < newest) findings.push(`older after newer: ${newest}, then ${JSON.stringify(read)}`)
    }
  }
  return findings
}

test('CLUSTER-20 four processes at random, with clocks apart and cut off now and then, keep what purges and order promise', async () => {
  const redis = await startRedis()
  onTestFinished(redis.stop)
  const origin = await startOrigin()
  const proxies = await Promise.all(SKEWS_MS.map(() => startProxy(redis.socketPath)))
  for (const proxy of proxies) onTestFinished(proxy.close)
  const processes = await Promise.all(
    SKEWS_MS.map((skewMs, index) =>
      startProcess(['fastify', 'express', 'koa', 'fastify'][index]!, {
        redis: { port: proxies[index]!.port },
        prefix: 'model:',
        origin: origin.port,
        skewMs,
        storeTimeoutMs: { get: 50, set: 250 },
      }),
    ),
  )
  const play = new Play(randomFrom(SEED), processes, proxies, (path, version) =>
    origin.say(path, `${path} v${version}`, { 'cache-control': 'max-age=2', 'cache-tag': path.slice(1) }),
  )
  await play.run(SECONDS)
  // Consistent within two seconds of its return.
  await sleep(2000)
  const restoredAt = performance.now()
  await play.readAll()
  const unhandled = (await Promise.all(processes.map((each) => each.stats()))).flatMap((stats) => stats.unhandled)
  const late = play.purges.flatMap((purge) =>
    play.reads
      .filter(({ begunAt, path, version }) => begunAt >= restoredAt && path === purge.path && version < purge.version)
      .map((read) => `after the return: ${JSON.stringify({ purge, read })}`),
  )
  const { reads, purges, cuts } = play
  const told = purges.filter(({ acknowledged }) => acknowledged === SKEWS_MS.length).length
  console.log(
    `CLUSTER-20: seed ${SEED}, ${reads.length} reads, ${purges.length} purges (${told} acknowledged by all), ${cuts} cuts`,
  )
  expect({ problems: play.problems, findings: judge(play).slice(0, 5), late: late.slice(0, 5), unhandled }).toEqual({
    problems: [],
    findings: [],
    late: [],
    unhandled: [],
  })
}, 600_000)
