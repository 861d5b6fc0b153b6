import { type Bench, compare, ofKind } from '../bench.ts'

/** A fresh hit, at two sizes. `node-http:again` is the measure against itself: what differs from 1.00 there is noise. */
export async function hit(bench: Bench): Promise<void> {
  const wanted = [
    { file: 'node-http' },
    { id: 'node-http:again', file: 'node-http' },
    ...ofKind(bench, 'uncached', 'hit-floor', 'front', 'cacheback', 'peer', 'proxy'),
  ]
  for (const kib of [1, 64]) await compare(bench, `hit ${kib} KiB`, wanted, { page: { bytes: kib * 1024 }, hits: true })
}
