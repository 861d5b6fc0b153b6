import { type Bench, compare, ofKind, record, startAll } from '../bench.ts'
import { fetchOnce } from '../load/fetch.ts'
import { PATH, SAME } from '../load/requests.ts'
import { burnPerMs } from '../page.ts'
import { percentile } from '../run-file.ts'

const FRAMEWORKS = ['fastify', 'koa', 'express']
const FIRST_BYTES = 40
const WARM_UP_CONNECTIONS = 50

/** What a miss costs over the same handler without a cache. */
export async function miss(bench: Bench): Promise<void> {
  const wanted = [
    { file: 'node-http' },
    ...FRAMEWORKS.flatMap((name) => [{ file: name }, { file: `${name}-cacheback` }, { file: `${name}-front` }]),
  ]
  const requests = { kind: 'unique', from: 0 } as const
  // Beside it what a miss must cost any cache, and what it costs others.
  const withFloor = [...wanted, ...ofKind(bench, 'miss-floor')]
  await compare(bench, 'miss 1 KiB', [...withFloor, ...ofKind(bench, 'peer')], { requests })
  await compare(bench, 'miss 64 KiB', withFloor, { requests, page: { bytes: 64 * 1024 } })
  await compare(bench, 'miss 1 KiB, 1 ms of CPU', withFloor, { requests, page: { burn: burnPerMs() } })
  await compare(bench, 'no-store 1 KiB', wanted, { requests: SAME, page: { noStore: true } })

  // The second half of the body comes 20 ms after the first: nobody may wait for it.
  const scenario = 'miss 64 KiB, streamed'
  console.error(`${scenario} …`)
  const contenders = await startAll(bench, wanted.slice(1), { bytes: 64 * 1024, streamed: true })
  for (const { origin } of contenders) await warmUp(origin, bench.run.warmUp)
  const medians = new Map<string, number[]>(contenders.map(({ id }) => [id, []]))
  for (let round = 0; round < bench.run.rounds; round++) {
    const times = new Map<string, number[]>(contenders.map(({ id }) => [id, []]))
    for (let i = 0; i < FIRST_BYTES; i++) {
      for (const { id, origin } of contenders) {
        const { firstByteMs } = await fetchOnce(`${origin}${PATH}?n=${round * FIRST_BYTES + i}`)
        times.get(id)!.push(firstByteMs)
      }
    }
    for (const [id, list] of times)
      medians.get(id)!.push(
        percentile(
          list.toSorted((a, b) => a - b),
          0.5,
        ),
      )
  }
  for (const [server, values] of medians) record(bench, { scenario, server, measure: 'first byte ms', values })
  await Promise.all(contenders.map((contender) => contender.stop()))
}

/** By requests that begin while others wait for the rest of their bodies. */
async function warmUp(origin: string, seconds: number): Promise<void> {
  const endsAt = performance.now() + seconds * 1000
  let n = 0
  const ask = async (): Promise<void> => {
    while (performance.now() < endsAt) await fetchOnce(`${origin}${PATH}?w=${n++}`)
  }
  await Promise.all(Array.from({ length: WARM_UP_CONNECTIONS }, ask))
}
