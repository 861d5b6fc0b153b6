import { expect, test } from 'vitest'
import { proc, redis, sleep } from './kit.ts'
test('R17 a new process, two variants asked for at once: what is stored is not rendered again', async () => {
  const { path } = await redis()
  let n = 0
  const app = (req: any, res: any) => { n += 1; res.setHeader('vary', 'accept-language'); res.end(`v${n} ${req.headers['accept-language']}`) }
  const a = await proc(path, app)
  for (const l of ['en', 'de', 'fr']) { await a.ask('/x', { 'accept-language': l }); await a.cache.idle() }
  const b = await proc(path, app)
  await b.ask('/other', { 'accept-language': 'en' })
  const before = n
  const got = await Promise.all(['en', 'de', 'fr'].map((l) => b.ask('/x', { 'accept-language': l })))
  console.log(got.map((g) => g.text + ' ' + g.cs), 'renders', n - before)
  expect(n - before).toBe(0)
})
test('R18 a refresh of one variant by another process is not repeated where a newer one of another variant has been seen', async () => {
  const { path } = await redis()
  let n = 0
  const app = (req: any, res: any) => { n += 1; res.setHeader('vary', 'accept-language'); res.end(`v${n} ${req.headers['accept-language']}`) }
  const o = { maxAge: 1, staleWhileRevalidate: 60 }
  const a = await proc(path, app, o); const b = await proc(path, app, o)
  for (const l of ['en', 'de']) { await a.ask('/x', { 'accept-language': l }); await a.cache.idle(); await b.ask('/x', { 'accept-language': l }) }
  await sleep(1100)
  for (const l of ['en', 'de']) { await a.ask('/x', { 'accept-language': l }); await a.cache.idle() } // refreshed: n = 4
  await b.ask('/x', { 'accept-language': 'fr' }) // reads the index
  await b.cache.idle()
  const before = n
  await b.ask('/x', { 'accept-language': 'en' }); await b.cache.idle()
  console.log('renders of b', n - before)
  expect(n - before).toBe(0)
})
test('R16 purges that wait for the store', async () => {
  const { path, server } = await redis()
  const app = (_: any, res: any) => { res.setHeader('cache-tag', 't'); res.end('x') }
  const a = await proc(path, app, { memory: { maxStalenessMs: 1e8 }, storeTimeoutMs: { get: 50, set: 50 } })
  for (let i = 0; i < 500; i += 1) await a.ask(`/${i}`)
  await a.cache.idle()
  await server.kill(); await sleep(1500)
  const time = async () => { const at = performance.now(); for (let i = 0; i < 100; i += 1) await a.ask('/1'); return Math.round(performance.now() - at) }
  const before = await time()
  const at = performance.now()
  for (let i = 0; i < 1000; i += 1) a.cache.purge({ tag: `n${i}` }).catch(() => undefined)
  console.log('1000 purges blocked the loop for', Math.round(performance.now() - at), 'ms; 100 hits before', before, 'after', await time())
  expect(performance.now() - at).toBeLessThan(1000)
})
