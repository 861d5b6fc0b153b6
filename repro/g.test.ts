import { expect, test } from 'vitest'
import { proc, redis, sleep } from './kit.ts'
test('R21 a render without a lease whose claim is slow: an older body does not replace a newer one', async () => {
  const { path } = await redis()
  let data = 1, late = 0
  let hold: Promise<void> | undefined
  const app = async (_: any, res: any) => { const d = data; await hold; res.end(`v${d}`) }
  const a = await proc(path, app, { collapse: { waitMs: 0 } }, (m) => { const f = m.claim.bind(m); m.claim = async (...x: any[]) => { await sleep(late); return f(...x) } })
  const b = await proc(path, app, { collapse: { waitMs: 0 } })
  await a.ask('/w'); await b.ask('/w')
  late = 40
  let open!: () => void
  const gate = new Promise<void>((r) => { open = r })
  hold = gate
  const first = a.ask('/x')       // reads 1, its claim arrives 40 ms later
  await sleep(15)
  hold = undefined; data = 2
  expect((await b.ask('/x')).text).toBe('v2')
  await b.cache.idle()
  await sleep(100)
  open(); await first; await a.cache.idle()
  const c = await proc(path, app)
  data = 3
  console.log('stored at last:', (await c.ask('/x')).text)
  expect((await c.ask('/x')).text).toBe('v2')
})
