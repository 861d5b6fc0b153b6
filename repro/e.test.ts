import { expect, test, onTestFinished } from 'vitest'
import { proc, redis, sleep } from './kit.ts'
import { createCacheback } from '@cacheback/core'
import { redisStore } from '@cacheback/redis'
import { createClient } from '@redis/client'

test('R19 two caches on one store: closing one leaves the other its store and its ears', async () => {
  const { path } = await redis()
  const store = redisStore({ client: createClient({ socket: { path, tls: false } }), prefix: 'p:' })
  await store.ready()
  const one = createCacheback({ store, name: 'one' }), two = createCacheback({ store, name: 'two' })
  onTestFinished(() => two.close())
  await sleep(1300)
  console.log('before', two.stats().sharing)
  await one.close()
  const at = performance.now(); let told = ''
  await two.purge({ tag: 'x' }).then((r) => { told = JSON.stringify(r) }, (e) => { told = String(e) })
  let deafMs = 0
  for (let i = 0; i < 120 && (i < 60 || !two.stats().sharing!.hears); i += 1) { await sleep(100); if (!two.stats().sharing!.hears) deafMs += 100 }
  console.log('purge after close of the other:', told, '; deaf for', deafMs, 'ms', two.stats().sharing)
  expect(told).not.toMatch(/Error/)
  expect(deafMs).toBe(0)
})
test('R20 a link to many servers that listens again hears every word once', async () => {
  const subs: any[] = []
  const set = new Map<string, Set<any>>()
  const fake: any = { isOpen: true, isReady: true, connect: async () => undefined, destroy() {}, on() {}, getSentinelNode() {},
    sendCommand: async (_r: boolean, w: string[]) => { if (w[0] === 'EVALSHA') return [w[3 + Number(w[2])], 0, 0, 1]; return ['1', '1'] },
    subscribe: async (channels: string[], l: any) => { subs.push(l); for (const c of channels) (set.get(c) ?? set.set(c, new Set()).get(c)!).add(l) } }
  const store = redisStore({ client: fake })
  let purges = 0
  const member: any = store.join({ namespace: 'n', onPurge: () => { purges += 1 }, onRestored() {}, onLeaseEnded() {}, onConnected() {} })
  await sleep(10)
  const real = performance.now.bind(performance); let skew = 0
  performance.now = () => real() + skew
  onTestFinished(() => { performance.now = real })
  for (let i = 0; i < 5; i += 1) { skew += 6000; await member.beat().catch(() => undefined) }
  const [channel] = [...set.keys()].filter((c) => c.endsWith('bus'))
  for (const l of set.get(channel!)!) l(JSON.stringify(['purge', '1', '{}', 'x', '0']), channel)
  console.log('listeners', set.get(channel!)!.size, 'purges heard', purges)
  expect(purges).toBe(1)
})
