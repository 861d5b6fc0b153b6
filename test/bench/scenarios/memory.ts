import { setTimeout as sleep } from 'node:timers/promises'

import { type Bench, compare, note, record, startAll } from '../bench.ts'
import type { Contender, Wanted } from '../contender.ts'
import { fetchOnce } from '../load/fetch.ts'
import { PATH, type Requests } from '../load/requests.ts'
import { startWrk } from '../load/wrk.ts'
import { DEFAULT_PAGE } from '../page.ts'

const ENTRIES = 100_000
const WARM = 2000
const NODE_OPTIONS = ['--expose-gc', '--max-old-space-size=8192']
/** An entry with such a body is counted as some 1,100 bytes. */
const SMALL = 100
/** Of fields that change from hit to hit, or are the connection's. */
const NOT_STORED = new Set(['age', 'cache-status', 'connection', 'keep-alive', 'transfer-encoding'])

/** What an entry costs in memory, and whether get and set cost the same however many there are. */
export async function memory(bench: Bench): Promise<void> {
  if (!bench.wrk) return note(bench, 'memory: skipped, it needs wrk')
  await bytesPerEntry(bench)
  await flatness(bench)
}

async function bytesPerEntry(bench: Bench): Promise<void> {
  const wantedEntries = Math.min(ENTRIES, bench.entries)
  const scenario = `memory, ${wantedEntries} entries of 1 KiB`
  for (const file of ['fastify-cacheback', 'fastify-front', 'koa-cash', 'apicache', 'ocache-hono']) {
    console.error(`${scenario}, ${file} …`)
    const wanted = { file, nodeOptions: NODE_OPTIONS, page: { maxBytes: 2 ** 31, maxAge: 86_400, distinct: true } }
    const [contender] = await startAll(bench, [wanted])
    if (contender === undefined) continue
    // The heap of a process that has worked a while, with few entries, is what the others come on top of.
    await fill(contender, WARM, 0)
    const before = { bytes: await contender.ask('memory'), entries: (await contender.ask('renders')).total }
    await fill(contender, before.entries + wantedEntries, 10_000_000, 120_000)
    const bytes = (await contender.ask('memory')) - before.bytes
    const entries = (await contender.ask('renders')).total - before.entries
    if (entries < wantedEntries) note(bench, `${scenario}, ${file}: only ${entries} in two minutes`)
    const value = bytes / entries - DEFAULT_PAGE.bytes - (await headBytes(contender))
    record(bench, { scenario, server: contender.id, measure: 'bytes/entry over body and head', values: [value] })
    await contender.stop()
  }
}

/** As its id says. */
const sizeOf = ({ id }: Contender): number => Number(/\d+/u.exec(id)?.[0])

const fillToSize = (contender: Contender): Promise<void> => fill(contender, sizeOf(contender), 0)
const anyOfThem = (contender: Contender): Requests => ({ kind: 'pick', from: 0, of: sizeOf(contender) })

/** A hit on any of so many entries; and a miss where there is room for so many, which puts one in and another out. */
async function flatness(bench: Bench): Promise<void> {
  const sizes = [1000, 10_000, 100_000, 1_000_000].filter((size) => size <= bench.entries)
  const wanted = (room: number): Wanted[] =>
    sizes.map((size) => ({
      id: `fastify-cacheback:${size} entries`,
      file: 'fastify-cacheback',
      nodeOptions: NODE_OPTIONS,
      page: { maxBytes: size * room },
    }))
  const page = { bytes: SMALL, maxAge: 86_400 }
  await compare(bench, 'get', wanted(2000), { page, prepare: fillToSize, requests: anyOfThem })
  const requests = { kind: 'unique', from: 100_000_000 } as const
  await compare(bench, 'set', wanted(800), { page, prepare: fillToSize, requests })
}

/** Asks for new URLs, counted from `from`, until so many have been rendered; some slow down so much that it must end. */
async function fill(contender: Contender, total: number, from: number, patienceMs = 600_000): Promise<void> {
  const load = startWrk(contender.origin, { kind: 'unique', from })
  const deadline = performance.now() + patienceMs
  while ((await contender.ask('renders')).total < total && performance.now() < deadline) await sleep(20)
  await load.finish()
}

async function headBytes({ origin }: Contender): Promise<number> {
  const { rawHeaders } = await fetchOnce(`${origin}${PATH}?n=0`)
  let bytes = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = [rawHeaders[i], rawHeaders[i + 1]]
    if (!NOT_STORED.has(name.toLowerCase())) bytes += name.length + value.length + 4
  }
  return bytes
}
