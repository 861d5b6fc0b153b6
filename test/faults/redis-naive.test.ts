import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { startRedis } from '../support/redis.ts'
import { cacheControl, text } from '../support/reply.ts'
import { careful, naive } from './redis-adapters.ts'
import { houseRules } from './redis-measured.ts'
import { type Origin, startControls, startScene, startServers, startSite, startSites } from './redis-site.ts'
import { freePort } from '../support/port.ts'
import { eventually, suffer } from './redis-traffic.ts'

// `new KeyvRedis(url)`: an offline queue, no timeout of a socket, a reconnect strategy that waits up to two seconds.

const { codes } = houseRules()

/** What is promised with good settings is two seconds; here its own strategy may sleep as long before that. */
const RECOVERS_WITHIN_MS = 5000

test('FAULT-38 naive settings, a Redis that was never there: no response fails or hangs', async () => {
  const port = await freePort()
  await suffer({
    name: 'naive: never there',
    sites: await startSites(() => naive(port)),
    controls: await startControls(),
    isCold: true,
    begin: () => undefined,
    lastsMs: 1100,
    end: async () => onTestFinished((await startRedis({ args: ['--port', String(port)] })).stop),
    recoversWithinMs: RECOVERS_WITHIN_MS,
  })
  expect(codes).toContain('CACHEBACK_STORE_SETTINGS')
})

test('FAULT-39 naive settings, a killed Redis: no response fails or hangs', async () => {
  const { redis, sites, controls } = await startScene([], naive)
  await suffer({
    name: 'naive: killed, back empty',
    sites,
    controls,
    begin: redis.kill,
    lastsMs: 1100,
    end: async () => onTestFinished((await startRedis({ socketPath: redis.socketPath })).stop),
    recoversWithinMs: RECOVERS_WITHIN_MS,
  })
})

test('FAULT-40 naive settings, a hung Redis and half-open connections: no response fails or hangs', async () => {
  const { redis, proxy, sites, controls } = await startScene([], naive)
  await suffer({
    name: 'naive: hung, then half-open',
    sites,
    controls,
    begin: () => {
      redis.pause()
      proxy.forget()
    },
    lastsMs: 1500,
    end: () => {
      redis.resume()
      proxy.restore()
    },
    recoversWithinMs: RECOVERS_WITHIN_MS,
  })
})

test('FAULT-41 naive settings: a write from before an outage is not served after it', async () => {
  const { redis, proxy } = await startServers()
  let version = 1
  const origin: Origin = (path) => text(`page ${path} version ${version}`, cacheControl('max-age=600'))
  const store = naive(proxy.port)
  const far = await startSite({ framework: 'fastify', hasMemory: false, store, origin })
  const near = await startSite({
    framework: 'koa',
    hasMemory: false,
    store: careful(redis.socketPath),
    origin,
  })
  await far.visit('/warm')
  await far.cache.idle()
  const isCut = once(store.clients()[0]!, 'error')
  proxy.cut('reset')
  await isCut
  expect((await far.visit('/x')).text).toBe('page /x version 1')
  await far.cache.idle()
  version = 2
  proxy.restore()
  await eventually('as before', RECOVERS_WITHIN_MS, async () => {
    expect((await far.visit('/x')).text).toBe('page /x version 2')
    return far.cache.stats().breaker === 'closed'
  })
  await far.cache.idle()
  expect((await near.visit('/x')).text).toBe('page /x version 2')
})
