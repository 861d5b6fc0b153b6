import { expect, test } from 'vitest'
import { proc, redis, sleep } from './kit.ts'

test('R1 10,001 purges at once on a healthy Redis: every promise settles, and what they name is gone', async () => {
  const { path } = await redis()
  let n = 0
  const app = (_: any, res: any) => { n += 1; res.setHeader('cache-tag', 'last'); res.end(`v${n}`) }
  const slow = { storeTimeoutMs: { get: 8000, set: 8000 } }; const a = await proc(path, app, slow); const b = await proc(path, app, slow)
  await a.ask('/x'); await a.cache.idle(); expect((await b.ask('/x')).text).toBe('v1')
  const all = Array.from({ length: 10_001 }, (_, i) => a.cache.purge({ tag: i === 10_000 ? 'last' : `t${i}` }))
  const results = await Promise.race([Promise.allSettled(all), sleep(6000)])
  const last = await Promise.race([all.at(-1)!.then(() => 'resolved', () => 'rejected'), sleep(100).then(() => 'HANGS')])
  console.log('all settled:', results !== undefined, 'last:', last, 'a:', (await a.ask('/x')).text, 'b:', (await b.ask('/x')).text)
  expect(last).not.toBe('HANGS')
  expect((await b.ask('/x')).text).not.toBe('v1')
})

test('R2 a full Redis (noeviction) is still read', async () => {
  const { path, admin } = await redis()
  let n = 0
  const app = (_: any, res: any) => { n += 1; res.end(`v${n}`) }
  const a = await proc(path, app)
  await a.ask('/x'); await a.cache.idle()
  await admin.sendCommand(['CONFIG', 'SET', 'maxmemory', '1'])
  await sleep(2500)
  const got = []
  for (let i = 0; i < 5; i += 1) got.push(await a.ask('/x'))
  console.log(got.map(g => g.text + ' ' + g.cs), a.events.slice(0, 6), a.cache.stats().breaker, a.cache.stats().sharing)
  expect(n).toBe(1)
})

test('R3 a Redis that evicts the purges (its state survives): a new process does not serve what was purged', async () => {
  const { path, admin } = await redis()
  let n = 0
  const app = (_: any, res: any) => { n += 1; res.setHeader('cache-tag', 't'); res.end(`v${n}`) }
  const a = await proc(path, app)
  await a.ask('/x'); await a.cache.idle()
  await a.cache.purge({ tag: 't' })
  const keys = await admin.sendCommand(['KEYS', '*']) as string[]
  await admin.sendCommand(['DEL', keys.find((k) => k.endsWith('}purges'))!])
  await sleep(1500)
  const b = await proc(path, app)
  const got = await b.ask('/x')
  console.log(keys, got.text, got.cs)
  expect(got.text).not.toBe('v1')
})

test('R4 purged while it waited for a lease: its validators must not bring it back', async () => {
  const { path } = await redis()
  let version = 1
  let hold: Promise<void> | undefined
  const seen: string[] = []
  const app = async (req: any, res: any) => {
    seen.push(`${req.headers['if-none-match']}`)
    await hold
    // An app whose validator does not know of what has changed.
    res.setHeader('etag', '"same"'); res.setHeader('cache-control', 'max-age=1, must-revalidate')
    if (req.headers['if-none-match'] === '"same"') { res.statusCode = 304; return res.end() }
    res.end(`v${version}`)
  }
  const a = await proc(path, app); const b = await proc(path, app)
  await a.ask('/x'); await a.cache.idle()
  expect((await b.ask('/x')).text).toBe('v1')
  await sleep(1100)
  let open!: () => void
  hold = new Promise((r) => { open = r })
  const first = a.ask('/x')  // holds the lease
  await sleep(100)
  const second = b.ask('/x') // waits for it
  await sleep(100)
  version = 2
  const report = await a.cache.purge({ all: true })
  open(); hold = undefined
  const got = [await first, await second]
  console.log(report, seen, got.map((g) => g.text + ' ' + g.cs))
  const after = [await a.ask('/x'), await b.ask('/x')]
  console.log(after.map((g) => g.text + ' ' + g.cs))
  expect(after.map((g) => g.text)).toEqual(['v2', 'v2'])
})

test('R8 a miss after a purge costs 3 commands at most', async () => {
  const { path, admin } = await redis()
  const calls: string[] = []
  const app = (_: any, res: any) => { res.end(`v`) }
  const a = await proc(path, app, {}, (m) => { for (const k of ['read', 'claim', 'put']) { const f = m[k].bind(m); m[k] = (...x: any[]) => { calls.push(k); return f(...x) } } })
  await a.ask('/x'); await a.cache.idle()
  console.log('cold', calls.splice(0))
  await a.cache.purge({ all: true })
  await a.ask('/x'); await a.cache.idle()
  console.log('purged', calls)
  expect(calls.length).toBeLessThanOrEqual(3)
})
