import { setTimeout as sleep } from 'node:timers/promises'
import type { Selector } from '@cacheback/core'
import { expect, test } from 'vitest'
import { eventually } from './redis-traffic.ts'
import { type Answer, type SharedProcess, startSeveral } from './shared-site.ts'

const crowd = (processes: readonly SharedProcess[], each: number, path: string): Promise<Answer[]> =>
  Promise.all(processes.flatMap((process) => Array.from({ length: each }, () => process.ask(path))))

const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1]!

test('CLUSTER-01 fifty connections to each of four processes on a cold key are one render', async () => {
  const { origin, processes } = await startSeveral()
  origin.renderMs = 500
  const answers = await crowd(processes, 50, '/cold')
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['/cold render 1']))
  expect(origin.renders('/cold')).toBe(1)
})

test('CLUSTER-02 the same on a stale key: one render, and every answer is the stale one, at once', async () => {
  const { origin, processes } = await startSeveral()
  await crowd(processes, 1, '/stale')
  expect(origin.renders('/stale')).toBe(1)
  await Promise.all(processes.map((process) => process.advance(601)))
  const open = origin.hold()
  const answers = await crowd(processes, 50, '/stale')
  // Nobody has waited for the render: it is held.
  expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['/stale render 1']))
  expect(answers.every(({ warning }) => warning?.startsWith('110') === true)).toBe(true)
  await eventually('one process renders', 2000, async () => origin.renders('/stale') === 2)
  open()
  await Promise.all(processes.map((process) => process.idle()))
  const fresh = await crowd(processes, 5, '/stale')
  expect(new Set(fresh.map(({ text }) => text))).toEqual(new Set(['/stale render 2']))
  expect(origin.renders('/stale')).toBe(2)
})

test('CLUSTER-03 the rendering process is killed: the others answer, after one more render, within three seconds', async () => {
  const { origin, processes } = await startSeveral()
  const [doomed, ...others] = processes as [SharedProcess, ...SharedProcess[]]
  const open = origin.hold()
  void doomed.ask('/killed').catch(() => undefined)
  await eventually('it renders', 2000, async () => origin.renders('/killed') === 1)
  await sleep(100)
  const waiting = crowd(others, 20, '/killed')
  const killedAt = performance.now()
  await doomed.kill()
  await eventually('another one renders', 3000, async () => origin.renders('/killed') === 2)
  const afterMs = performance.now() - killedAt
  open()
  const answers = await waiting
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  expect(origin.renders('/killed')).toBe(2)
  console.log(`CLUSTER-03: a new render ${afterMs.toFixed(0)} ms after the holder of the lease was killed`)
})

test('CLUSTER-04 a purge is acknowledged by all, and no copy is left in any memory', async () => {
  const { origin, processes } = await startSeveral()
  const took: number[] = []
  const [purger, ...others] = processes as [SharedProcess, ...SharedProcess[]]
  for (let i = 0; i < 100; i++) {
    const path = `/p${i}`
    origin.say(path, 'before', { 'cache-control': 'max-age=600', 'cache-tag': `t${i}` })
    await crowd(processes, 1, path)
    origin.say(path, 'after')
    const startedAt = performance.now()
    expect(await purger.purge(i % 2 === 0 ? { tag: `t${i}` } : { url: path })).toEqual({ acknowledged: 4, missing: 0 })
    took.push(performance.now() - startedAt)
    const answers = await crowd(others, 1, path)
    expect(answers.map(({ text }) => text)).toEqual(['after', 'after', 'after'])
  }
  const [p50, p99] = [percentile(took, 0.5), percentile(took, 0.99)]
  console.log(`CLUSTER-04: acknowledged by four processes after ${p50.toFixed(1)} ms (p50), ${p99.toFixed(1)} ms (p99)`)
})

test('CLUSTER-09 purges of every kind, hard and soft, reach the copies of all processes', async () => {
  const { origin, processes } = await startSeveral()
  const [purger, ...others] = processes as [SharedProcess, ...SharedProcess[]]
  const selectors: Selector[] = [{ url: '/x' }, { prefix: '/x' }, { tag: 't' }, { route: '/:name' }, { all: true }]
  const fields = { 'cache-control': 'max-age=600, stale-while-revalidate=600', 'cache-tag': 't' }
  for (const selector of selectors) {
    for (const isSoft of [false, true]) {
      origin.say('/x', 'before', fields)
      await crowd(processes, 1, '/x')
      origin.say('/x', 'after', fields)
      expect(await purger.purge(selector, isSoft)).toEqual({ acknowledged: 4, missing: 0 })
      const what = `${JSON.stringify(selector)}, ${isSoft ? 'soft' : 'hard'}`
      const answers = await crowd(others, 1, '/x')
      expect(new Set(answers.map(({ text }) => text)), what).toEqual(new Set([isSoft ? 'before' : 'after']))
      expect(
        answers.every(({ warning }) => (warning !== undefined) === isSoft),
        what,
      ).toBe(true)
      await Promise.all(processes.map(({ idle }) => idle()))
      expect(await purger.purge({ all: true })).toEqual({ acknowledged: 4, missing: 0 })
    }
  }
})

test('CLUSTER-05 an older render never replaces a newer one, whoever ends last and whatever the clocks say', async () => {
  // An hour behind, an hour ahead.
  const { origin, processes } = await startSeveral((index) => ({ skewMs: [-3_600_000, 3_600_000, 0, 0][index]! }))
  const [behind, ahead, third] = processes as [SharedProcess, SharedProcess, SharedProcess]
  origin.say('/x', 'old')
  const open = origin.hold()
  // Uncollapsed: a HEAD is not stored, a Range neither; a purge fences. So: two processes, one of which is cut short.
  const slow = behind.ask('/x')
  await eventually('the old one renders', 2000, async () => origin.renders('/x') === 1)
  await ahead.purge({ url: '/x' })
  origin.say('/x', 'new')
  const quick = ahead.ask('/x')
  open()
  expect((await slow).text).toBe('old')
  await quick
  await Promise.all(processes.map((process) => process.idle()))
  for (const process of [third, ahead, behind]) {
    const { text, age } = await process.ask('/x')
    expect(text).toBe('new')
    // By the clock of Redis it is as old as it is, whoever looks. (The slow one, whose own came at the same moment as the
    // stored one, may have rendered once more.)
    expect(Number(age ?? 0)).toBeLessThan(5)
  }
})

test('CLUSTER-06 two builds, told apart by version, neither read nor purge what the other has stored', async () => {
  const { origin, processes } = await startSeveral((index) => (index % 2 === 0 ? {} : { version: 'two' }))
  const [one, two] = processes as [SharedProcess, SharedProcess]
  expect((await one.ask('/v')).text).toBe('/v render 1')
  expect((await two.ask('/v')).text).toBe('/v render 2')
  expect(await two.purge({ all: true })).toEqual({ acknowledged: 2, missing: 0 })
  expect((await one.ask('/v')).text).toBe('/v render 1')
  expect((await two.ask('/v')).text).toBe('/v render 3')
  expect(origin.renders('/v')).toBe(3)
})
