import { expect, test, vi } from 'vitest'
import { Clock } from '../support/clock.ts'
import { freshName, startSite } from './site.ts'

test('WORKER-1 a stale page is rendered by the worker, and served by the web process', async () => {
  const shared = { clock: new Clock(), name: freshName() }
  const web = await startSite('web', shared)
  const worker = await startSite('worker', shared)
  worker.cache.work()
  expect((await web.visit('/page')).text).toBe('web 1')
  await web.cache.idle()
  shared.clock.advance(11)
  const stale = await web.visit('/page')
  expect(stale.text).toBe('web 1')
  expect(stale.warning).toContain('110')
  await vi.waitFor(async () => expect((await web.visit('/page')).text).toBe('worker 1'), { timeout: 10_000 })
  expect(web.renders).toHaveLength(1)
  expect(web.count('refresh-sent')).toBe(1)
  expect(worker.count('refresh')).toBe(1)
})
