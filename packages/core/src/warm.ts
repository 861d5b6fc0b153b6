import type { WarmItem, WarmOptions, WarmResult } from './types.ts'

/** Makes each item, so many at once. `make` resolves with whether it is stored. Never rejects. */
export async function warmAll(
  items: readonly WarmItem[],
  make: (item: WarmItem) => Promise<boolean>,
  { concurrency = 4, onProgress }: WarmOptions,
): Promise<WarmResult> {
  const failed: { item: WarmItem; error: unknown }[] = []
  const total = items.length
  const waiting = items.values()
  let stored = 0

  const makeOne = async (item: WarmItem): Promise<void> => {
    try {
      if (await make(item)) stored += 1
      else failed.push({ item, error: undefined })
    } catch (error) {
      failed.push({ item, error })
    }
    try {
      onProgress?.({ item, done: stored + failed.length, total, stored, failed: failed.length })
    } catch {
      // Whoever looks on does not stop the work.
    }
  }
  // One iterator for all: each takes the next item when it is free.
  const makeInTurn = async (): Promise<void> => {
    for (const item of waiting) await makeOne(item)
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, total) }, makeInTurn))
  return { stored, failed }
}
