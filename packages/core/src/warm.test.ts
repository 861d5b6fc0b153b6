import { expect, test } from 'vitest'

import { createCacheback } from './cacheback.ts'
import type { WarmProgress } from './types.ts'
import { warmAll } from './warm.ts'

test('so many at once, and no more', async () => {
  let running = 0
  let most = 0
  const items = Array.from({ length: 20 }, (_, i) => `http://a/${i}`)
  const made: unknown[] = []
  const result = await warmAll(
    items,
    async (item) => {
      running += 1
      most = Math.max(most, running)
      await Promise.resolve()
      made.push(item)
      running -= 1
      return true
    },
    { concurrency: 3 },
  )
  expect(result).toEqual({ stored: 20, failed: [] })
  expect(most).toBe(3)
  expect(new Set(made)).toEqual(new Set(items))
})

test('what fails is told, with its error, and stops nothing; nor does a listener that throws', async () => {
  const seen: WarmProgress[] = []
  const error = new Error('no')
  const result = await warmAll(
    ['http://a/stored', 'http://a/not', 'http://a/throws'],
    async (item) => {
      if (item === 'http://a/throws') throw error
      return item === 'http://a/stored'
    },
    {
      concurrency: 1,
      onProgress: (progress) => {
        seen.push(progress)
        throw new Error('a listener')
      },
    },
  )
  expect(result).toEqual({
    stored: 1,
    failed: [
      { item: 'http://a/not', error: undefined },
      { item: 'http://a/throws', error },
    ],
  })
  expect(seen.map(({ done, total, stored, failed }) => [done, total, stored, failed])).toEqual([
    [1, 3, 1, 0],
    [2, 3, 1, 1],
    [3, 3, 1, 2],
  ])
})

test('a cache warms URLs through its server, and calls functions; without a server only these', async () => {
  const cache = createCacheback({ maxAge: 10 })
  await expect(cache.warm(['http://a/'])).rejects.toMatchObject({ code: 'CACHEBACK_NO_RENDERER' })
  const called: string[] = []
  expect(await cache.warm([async () => called.push('x')])).toEqual({ stored: 1, failed: [] })
  expect(called).toEqual(['x'])
  await expect(cache.warm([], { concurrency: 0 })).rejects.toMatchObject({ code: 'CACHEBACK_INVALID_OPTION' })
  cache.attach((_req, res) => res.end())
  const { stored, failed } = await cache.warm(['/relative', { url: 'http://a/' }])
  expect(stored).toBe(0)
  // Nothing of the cache stands before this app, so nothing is captured.
  expect(failed.map(({ error }) => (error as { code?: string } | undefined)?.code)).toEqual([
    'CACHEBACK_INVALID_URL',
    undefined,
  ])
  await cache.close()
  await expect(cache.warm([])).rejects.toMatchObject({ code: 'CACHEBACK_CLOSED' })
})
