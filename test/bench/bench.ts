import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { type Contender, type Wanted, startContender } from './contender.ts'
import { drive } from './load/drive.ts'
import { fetchOnce } from './load/fetch.ts'
import { type Requests, SAME, targetOf } from './load/requests.ts'
import type { Cores } from './machine.ts'
import { type PageSettings, DEFAULT_PAGE, bodyOf } from './page.ts'
import type { Figure, RunFile } from './run-file.ts'
import type { Kind, ServerFile } from './server-file.ts'

export interface Bench {
  readonly run: RunFile
  readonly cores: Cores | undefined
  /** Whether there is a wrk. */
  readonly wrk: boolean
  /** The most entries of the memory scenario. */
  readonly entries: number
  /** The server files that take part; undefined: all. */
  readonly only: readonly string[] | undefined
  /** Where CPU profiles of all servers go, if wanted. */
  readonly profiles: string | undefined
  /** The server files by name. */
  readonly files: ReadonlyMap<string, ServerFile>
}

export interface Comparison {
  /** Default: always the same. */
  readonly requests?: Requests | ((contender: Contender) => Requests)
  /** What all of them serve; a wanted server's own settings come on top. */
  readonly page?: Partial<PageSettings>
  /** Whether caches must answer the second request without a render; who does not is left out. */
  readonly hits?: boolean
  /** What has to happen to a server before it is measured. */
  readonly prepare?: (contender: Contender) => Promise<void>
}

const CACHES: readonly Kind[] = ['cacheback', 'front', 'peer', 'proxy']

export async function readServerFiles(notes: string[]): Promise<Map<string, ServerFile>> {
  const files = new Map<string, ServerFile>()
  const folder = new URL('servers/', import.meta.url)
  for (const file of readdirSync(folder).toSorted()) {
    const name = file.replace('.ts', '')
    try {
      files.set(name, ((await import(new URL(file, folder).href)) as { default: ServerFile }).default)
    } catch (error) {
      notes.push(`${name}: skipped, ${messageOf(error)}`)
    }
  }
  return files
}

export function ofKind(bench: Bench, ...kinds: Kind[]): Wanted[] {
  const files = [...bench.files]
  return kinds.flatMap((kind) => files.filter(([, one]) => one.kind === kind).map(([file]) => ({ file })))
}

/** Starts those that take part in this run; one that does not start is left out, with a note. */
export async function startAll(bench: Bench, wanted: readonly Wanted[], page: Partial<PageSettings> = {}) {
  const contenders: Contender[] = []
  for (const one of wanted) {
    if (bench.only !== undefined && !bench.only.includes(one.file)) continue
    try {
      const nodeOptions = [...(one.nodeOptions ?? []), ...profiling(bench.profiles, one)]
      contenders.push(await startContender({ ...one, nodeOptions, page: { ...page, ...one.page } }, bench.cores))
    } catch (error) {
      note(bench, `${one.file}: skipped, ${messageOf(error)}`)
    }
  }
  return contenders
}

function profiling(folder: string | undefined, { file, id = file }: Wanted): string[] {
  if (folder === undefined) return []
  const name = `${id.replaceAll(/\W+/gu, '-')}-${Date.now()}.cpuprofile`
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${name}`]
}

/** Drives servers against each other and records what they did. */
export async function compare(bench: Bench, scenario: string, wanted: readonly Wanted[], how: Comparison) {
  const { run } = bench
  const { requests = SAME, page = {} } = how
  console.error(`${scenario} …`)
  const started = await startAll(bench, wanted, page)
  const contenders: Contender[] = []
  for (const contender of started) {
    const { file } = wanted.find(({ id, file: name }) => (id ?? name) === contender.id)!
    const mustHit = how.hits === true && CACHES.includes(bench.files.get(file)!.kind)
    const wrong = await problemOf(contender, page.bytes ?? DEFAULT_PAGE.bytes, mustHit)
    if (wrong === undefined) {
      await how.prepare?.(contender)
      contenders.push(contender)
    } else note(bench, `${scenario}, ${contender.id}: left out, ${wrong}`)
  }
  const options = { rounds: run.rounds, seconds: run.seconds, warmUp: run.warmUp, requests, wrk: bench.wrk }
  for (const [id, rounds] of await drive(contenders, options)) {
    const failed = rounds.reduce((sum, round) => sum + round.failed, 0)
    if (failed > 0) note(bench, `${scenario}, ${id}: ${failed} requests failed`)
    record(bench, { scenario, server: id, measure: 'requests/s', values: rounds.map(({ perSecond }) => perSecond) })
    record(bench, { scenario, server: id, measure: 'CPU µs/request', values: rounds.map(({ cpuMicros }) => cpuMicros) })
  }
  await Promise.all(started.map((contender) => contender.stop()))
}

async function problemOf(contender: Contender, bytes: number, mustHit: boolean): Promise<string | undefined> {
  const url = contender.origin + targetOf(SAME, 0)
  const first = await fetchOnce(url)
  // Some store a while after they have answered.
  await sleep(200)
  for (const { status, body } of [first, await fetchOnce(url)]) {
    if (status !== 200 || body !== bodyOf(bytes)) return `it answers ${status} with ${body.length} bytes`
  }
  const { total } = await contender.ask('renders')
  return mustHit && total !== 1 ? `it rendered ${total} times for two requests` : undefined
}

/** A server's id is its file's name, or that, a colon, and what is different about it. */
export function record(bench: Bench, figure: Omit<Figure, 'title' | 'kind'>): void {
  const [name = '', ...rest] = figure.server.split(':')
  const { title, kind, package: of } = bench.files.get(name)!
  const version = of === undefined ? '' : ` ${versionOf(of)}`
  bench.run.figures.push({ title: [title + version, ...rest].join(', '), kind, ...figure })
}

export function note(bench: Bench, text: string): void {
  if (bench.run.notes.includes(text)) return
  bench.run.notes.push(text)
  console.error(`  ${text}`)
}

/** Read from the file: not every package exports its package.json. */
export function versionOf(name: string): string {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? []
  const path = folders.map((folder) => join(folder, name, 'package.json')).find((candidate) => existsSync(candidate))
  return path === undefined ? '' : (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
}

const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
