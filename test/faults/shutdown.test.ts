import { describe, expect, test } from 'vitest'
import { startRedis } from '../support/redis.ts'
import { flood, get } from './process/flood.ts'
import { startStopping } from './process/stop.ts'
import { within } from './site.ts'

// Nobody calls process.exit: a process that ends has nothing left to do.

const CASES = [
  ['FAULT-150', 'memory alone', 'hangs'],
  ['FAULT-151', 'Redis', 'works'],
  ['FAULT-152', 'a Redis that hangs', 'works'],
  ['FAULT-153', 'a Redis that owes answers and hangs', 'hangs'],
] as const

describe.each(['fastify', 'express', 'koa'] as const)('%s', (framework) => {
  // They wait more than they work.
  test.concurrent.for(CASES)(
    '%s SIGTERM with %s, while a refresh %s: the process ends with 0 within 3 s, the store closed last',
    async ([id, backing, refresh], { onTestFinished }) => {
      const redis = backing === 'memory alone' ? undefined : await startRedis()
      onTestFinished(() => redis?.stop())
      const app = await startStopping(framework, { redisSocket: redis?.socketPath, namespace: id, refresh })
      onTestFinished(() => app.kill())
      const ask = (path: string) => flood(app.port, [get(path, 'Connection: close\r\n')])
      await ask('/x')
      await ask('/later')
      expect(await ask('/x')).toEqual({ '200 stale': 1 })
      await app.said('refresh began')
      if (backing.startsWith('a Redis')) redis!.pause()
      if (backing.includes('owes')) await ask('/other')
      const visitor = ask('/slow')
      visitor.catch(() => undefined)
      await app.said('visitor waits')
      const { code, signal, seconds } = await within(10, app.terminate())
      expect([code, signal]).toEqual([0, null])
      expect(seconds).toBeLessThan(3)
      // Who was being answered when the signal came gets his page.
      expect(await visitor).toEqual({ 200: 1 })
      const ended = app.lines.slice(app.lines.indexOf('refresh began'))
      expect(ended).toContain('refresh ended')
      const last = ended.filter((line) => line === 'refresh ended' || line.startsWith('store')).at(-1)
      expect(last).toBe(redis === undefined ? 'refresh ended' : 'store closed')
      expect(ended).toContain('stopped')
      expect(app.stderr()).toBe('')
    },
  )
})
