import { expect, test } from 'vitest'
import { proc, redis, sleep } from './kit.ts'
import { startRedis } from '../test/support/redis.ts'
import { onTestFinished } from 'vitest'

const versions = () => { let n = 0; const app = (_: any, res: any) => { n += 1; res.setHeader('cache-tag', 't'); res.end(`v${n}`) }; return { app, get n() { return n } } }

test('R5a Redis lost all, and a new process has purged as often as an old one had: the old one, deaf at that moment, notices', async () => {
  const { path, admin } = await redis()
  const { app } = versions()
  let deaf = false
  const a = await proc(path, app, {}, (m) => { const beat = m.beat.bind(m); m.beat = () => deaf ? Promise.reject(new Error('cut')) : beat() })
  await a.cache.purge({ tag: 'other' })          // number 1
  await a.ask('/x'); await a.cache.idle()
  // The old process is cut off for 200 ms (as while it connects again); Redis comes back empty; a new process purges.
  deaf = true
  await admin.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub'])
  await admin.sendCommand(['FLUSHALL'])
  const c = await proc(path, app)
  await admin.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub'])
  await c.ask('/other'); 
  const report = await c.cache.purge({ tag: 't' })   // number 1 again
  deaf = false
  await sleep(1500)
  const got = await a.ask('/x')
  console.log(report, got.text, got.cs, a.cache.stats().sharing)
  expect(got.text).not.toBe('v1')
})

test('R7 what a process has acknowledged it does not serve: a purge whose number is lower than what it knows', async () => {
  const { path, admin } = await redis()
  const { app } = versions()
  const a = await proc(path, app)
  await a.cache.purge({ tag: 'other' })
  await a.cache.purge({ tag: 'other2' })
  await a.ask('/x'); await a.cache.idle()
  const c = await proc(path, app)
  await admin.sendCommand(['SCRIPT', 'EXISTS', 'x'])
  // Wait for a beat of a, so that the next is half a second away.
  const before = a.cache.stats().sharing!.behindMs
  while (a.cache.stats().sharing!.behindMs >= before && before > 20) await sleep(5)
  await admin.sendCommand(['FLUSHALL'])
  const report = await c.cache.purge({ tag: 't' })
  const got = await a.ask('/x')
  console.log(report, got.text, got.cs)
  expect(report.missing > 0 || got.text !== 'v1').toBe(true)
})

test('R5b a Redis that comes back with an older snapshot, a purge comes before the first beat: a third process learns what was purged', async () => {
  const { path, admin } = await redis()
  const { app } = versions()
  const a = await proc(path, app)
  await a.ask('/x'); await a.cache.idle()
  // the snapshot: before the purges
  const keys = await admin.sendCommand(['KEYS', '*']) as string[]
  await a.cache.purge({ tag: 't' })
  // rolled back: as if the snapshot had been taken before the purge
  const purges = (await admin.sendCommand(['KEYS', '*']) as string[]).filter((k) => k.endsWith('purges') || k.endsWith('state'))
  await admin.sendCommand(['DEL', ...purges])
  await a.cache.purge({ tag: 'zzz' }) // comes first
  await sleep(1500)
  const b = await proc(path, app)
  const got = await b.ask('/x')
  console.log(keys.length, purges, got.text, got.cs)
  expect(got.text).not.toBe('v1')
})

test('R6 Redis is away, and something was purged: what is rendered after that is collapsed and kept for a second as before', async () => {
  const { path, server } = await redis()
  let n = 0
  const app = async (_: any, res: any) => { n += 1; const v = n; await sleep(100); res.setHeader('cache-tag', 't'); res.end(`v${v}`) }
  const a = await proc(path, app, { storeTimeoutMs: { get: 100, set: 100 } })
  await a.ask('/x'); await a.cache.idle()
  await server.kill()
  await sleep(1500)
  const before = n
  await Promise.all(Array.from({ length: 20 }, () => a.ask('/y')))
  const without = n - before
  await a.cache.purge({ tag: 't' }).catch((e) => console.log('purge:', e.message))
  const then = n
  const got = await Promise.all(Array.from({ length: 20 }, () => a.ask('/z')))
  console.log('renders for 20 visitors:', without, 'after a purge:', n - then, [...new Set(got.map((g) => g.cs))])
  expect(n - then).toBe(without)
})

test('R9 a claim that comes too late leaves no lease behind', async () => {
  const { path, admin } = await redis()
  const { app } = versions()
  let late = 0
  const a = await proc(path, app, { storeTimeoutMs: { get: 50, set: 250 } }, (m) => { const f = m.claim.bind(m); m.claim = async (...x: any[]) => { const r = f(...x); await sleep(late); return r } })
  const b = await proc(path, app)
  await a.ask('/warm'); await b.ask('/warm')
  late = 120
  await a.ask('/x')
  await admin.sendCommand(['DEL', ...(await admin.sendCommand(['KEYS', '*x/x~*']) as string[])])
  await sleep(150)
  const left = (await admin.sendCommand(['KEYS', '*lease*'])) as string[]
  const at = performance.now()
  const got = await b.ask('/x')
  console.log('leases left:', left.length, 'b waited', Math.round(performance.now() - at), got.cs)
  expect(left.length).toBe(0)
})

test('R10 a soft purge of an hour ago does not give a new process a new stale window', async () => {
  const { path } = await redis()
  const { app } = versions()
  let skew = 0
  const now = () => Date.now() + skew
  const a = await proc(path, app, { maxAge: 86400, staleWhileRevalidate: 60, now }, (m) => { m.time = async () => now() })
  await a.ask('/x'); await a.cache.idle()
  await a.cache.purge({ tag: 't' }, { soft: true })
  skew = 3600_000
  const b = await proc(path, app, { maxAge: 86400, staleWhileRevalidate: 60, now }, (m) => { m.time = async () => now() })
  const gotB = await b.ask('/x')
  console.log('b', gotB.text, gotB.cs)
  expect(gotB.text).not.toBe('v1')
})
