import { expect, test } from 'vitest'
import { proc, redis, sleep } from './kit.ts'
test('R3b the purges are evicted again and again: memory is not emptied at every beat, and what was purged stays so', async () => {
  const { path, admin } = await redis()
  let n = 0
  const app = (_: any, res: any) => { n += 1; res.setHeader('cache-tag', 't'); res.end(`v${n}`) }
  let restores = 0
  const a = await proc(path, app, {}, (m) => { const f = m.restore.bind(m); m.restore = (...x: any[]) => { restores += 1; return f(...x) } })
  await a.ask('/x'); await a.cache.idle(); await a.cache.purge({ tag: 't' })
  for (let i = 0; i < 2; i += 1) {
    await admin.sendCommand(['DEL', 'p:{1:cacheback::}purges']); await sleep(1300)
    expect(await admin.sendCommand(['EXISTS', 'p:{1:cacheback::}purges'])).toBe(1)
  }
  await a.ask('/x'); await a.cache.idle()
  const before = n; await sleep(1300); await a.ask('/x')
  const b = await proc(path, app)
  const got = await b.ask('/x')
  console.log('restores', restores, 'renders', n, got.text, got.cs)
  expect([restores, n - before, got.text]).toEqual([2, 0, 'v2'])
})
