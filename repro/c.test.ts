import { expect, test } from 'vitest'
import { proc, redis, sleep } from './kit.ts'
const versions = () => { let n = 0; const app = (_: any, res: any) => { n += 1; res.setHeader('cache-tag', 't'); res.end(`v${n}`) }; return { app, get n() { return n } } }

test('R2b a full Redis: pages of the store are served, second after second', async () => {
  const { path, admin } = await redis()
  const v = versions()
  const a = await proc(path, v.app, { memory: false })
  await a.ask('/x'); await a.cache.idle()
  await admin.sendCommand(['CONFIG', 'SET', 'maxmemory', '1'])
  for (let i = 0; i < 4; i += 1) { await sleep(700); await a.ask('/x') }
  console.log('renders', v.n, a.events.slice(0, 5))
  expect(v.n).toBe(1)
})
test('R7b acknowledged, and served all the same: the numbers begin anew', async () => {
  const { path, admin } = await redis()
  const { app } = versions()
  const a = await proc(path, app)
  await a.cache.purge({ tag: 'o1' }); await a.cache.purge({ tag: 'o2' })
  await a.ask('/x'); await a.cache.idle()
  const c = await proc(path, app)
  // Let c know of nothing, as a new process after the loss.
  await admin.sendCommand(['DEL', ...(await admin.sendCommand(['KEYS', '*}state']) as string[]), ...(await admin.sendCommand(['KEYS', '*}purges']) as string[])])
  const report = await c.cache.purge({ tag: 't' })
  const got = await a.ask('/x')
  console.log(report, got.text, got.cs)
  expect(report.missing > 0 || got.text !== 'v1').toBe(true)
})
test('R12 an older variant does not come back after a newer response without Vary', async () => {
  const { path } = await redis()
  let n = 0, plain = false
  const app = (req: any, res: any) => { n += 1; if (!plain) res.setHeader('vary', 'accept-language'); res.end(`v${n} ${req.headers['accept-language'] ?? '-'}`) }
  const a = await proc(path, app, { memory: false })
  const seen = []
  seen.push((await a.ask('/x', { 'accept-language': 'en' })).text); await a.cache.idle()
  plain = true
  seen.push((await a.ask('/x', { 'accept-language': 'fr' })).text); await a.cache.idle()
  seen.push((await a.ask('/x', { 'accept-language': 'en' })).text)
  plain = false
  a.cache.attach((req: any, res: any) => a.cache.listener(app)(req, res))
  await a.cache.refresh('http://x/x', { 'accept-language': 'de' }); await a.cache.idle()
  seen.push((await a.ask('/x', { 'accept-language': 'en' })).text)
  console.log(seen)
  expect(seen[3]).not.toBe('v1 en')
})
test('R14 a claim that fails once: what was rendered is not thrown away', async () => {
  const { path } = await redis()
  const v = versions()
  let fails = false
  const a = await proc(path, v.app, { maxAge: 1, staleWhileRevalidate: 60 }, (m) => { const f = m.claim.bind(m); m.claim = (...x: any[]) => fails ? Promise.reject(new Error('once')) : f(...x) })
  await a.ask('/x'); await a.cache.idle(); await sleep(1100)
  fails = true
  await a.ask('/x'); await a.cache.idle()
  fails = false
  const got = await a.ask('/x')
  console.log(got.text, got.cs, 'renders', v.n)
  expect(got.text).toBe('v2')
})
