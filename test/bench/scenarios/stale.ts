import { setTimeout as sleep } from 'node:timers/promises'

import { type Bench, compare, note, ofKind, record, startAll } from '../bench.ts'
import type { Contender } from '../contender.ts'
import { fetchOnce } from '../load/fetch.ts'
import { type Requests, SAME, targetOf } from '../load/requests.ts'
import { startWrk } from '../load/wrk.ts'

/** Stale a second after it was stored, and usable for a day. */
const STALE_SOON = { maxAge: 1, staleWhileRevalidate: 86_400 }
const URLS: Requests = { kind: 'pick', from: 0, of: 200 }

/** Stale hits while a refresh is under way, and what refreshes do to the slowest hits. */
export async function stale(bench: Bench): Promise<void> {
  const files = ofKind(bench, 'front', 'cacheback').map(({ file }) => file)
  const pairs = files.flatMap((file) => [
    { file },
    // The refresh never ends: every hit is a stale one beside it.
    { id: `${file}:stale`, file, page: { ...STALE_SOON, countsUrls: true, laterIoMs: 3_600_000 } },
  ])
  await compare(bench, 'stale 1 KiB', [{ file: 'node-http' }, ...pairs], { prepare: startRefresh })

  if (bench.wrk) await slowest(bench, files)
  else note(bench, 'refreshing: skipped, it needs wrk')
}

async function startRefresh({ id, origin }: Contender): Promise<void> {
  if (!id.endsWith(':stale')) return
  await sleep(1100)
  await fetchOnce(origin + targetOf(SAME, 0))
}

/** 200 URLs, each stale a second after its refresh of 100 ms, against the same 200 always fresh. */
async function slowest(bench: Bench, files: readonly string[]): Promise<void> {
  const scenario = 'hits during refreshes'
  console.error(`${scenario} …`)
  const pairs = files.flatMap((file) => [
    { file },
    { id: `${file}:refreshing`, file, page: { ...STALE_SOON, ioMs: 100 } },
  ])
  const contenders = await startAll(bench, pairs)
  const slow = new Map<string, number[]>(contenders.map(({ id }) => [id, []]))
  for (let round = 0; round <= bench.run.rounds; round++) {
    // In turn and whole: a wrk that is stopped in between counts the pause as latency.
    for (const contender of contenders) {
      const p99Ms = await p99Alone(contender, contenders, bench.run.seconds)
      // The first round fills the cache.
      if (round > 0) slow.get(contender.id)!.push(p99Ms)
    }
  }
  for (const [server, values] of slow) record(bench, { scenario, server, measure: 'p99 ms', values })
  await Promise.all(contenders.map((contender) => contender.stop()))
}

async function p99Alone(contender: Contender, all: readonly Contender[], seconds: number): Promise<number> {
  for (const one of all) {
    if (one === contender) one.resume()
    else one.pause()
  }
  const load = startWrk(contender.origin, URLS)
  await sleep(seconds * 1000)
  return (await load.finish()).p99Ms
}
