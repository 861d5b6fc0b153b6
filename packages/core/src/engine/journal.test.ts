import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { CacheEvent } from '../types.ts'
import { Journal } from './journal.ts'

const told: CacheEvent = { key: 'k', route: '/x', reason: 'because', durationMs: 5 }

describe('events', () => {
  test('are counted, and told to those who listen', () => {
    const journal = new Journal('cacheback')
    const heard: CacheEvent[] = []
    const stop = journal.on('hit', (event) => heard.push(event))
    journal.note('hit', () => told)
    journal.note('miss', () => told)
    expect(heard).toEqual([told])
    stop()
    journal.note('hit', () => told)
    expect(heard).toHaveLength(1)
    expect(journal.events).toMatchObject({ hit: 2, miss: 1, stale: 0 })
  })

  test('are described only where somebody listens', () => {
    const journal = new Journal('cacheback')
    const whatHappened = vi.fn<() => CacheEvent>(() => told)
    journal.note('hit', whatHappened)
    journal.on('miss', () => undefined)()
    journal.on('stale', () => undefined)
    journal.note('hit', whatHappened)
    journal.note('miss', whatHappened)
    expect(whatHappened).not.toHaveBeenCalled()
  })

  test('a listener that throws hurts neither the caller nor the next listener', () => {
    const journal = new Journal('cacheback')
    const heard = vi.fn<(event: CacheEvent) => void>()
    journal.on('hit', () => {
      throw new Error('listener')
    })
    journal.on('hit', heard)
    expect(() => journal.note('hit', () => told)).not.toThrow()
    expect(heard).toHaveBeenCalledWith(told)
  })

  test('a listener may be async, and reject', async () => {
    const journal = new Journal('cacheback')
    journal.on('hit', async () => {
      await Promise.reject(new Error('listener'))
    })
    journal.note('hit', () => told)
    // An unhandled rejection would fail this run.
    await new Promise(setImmediate)
  })

  test.each(['hits', '', 'toString', '__proto__', undefined])('there is no event %j', (event) => {
    expect(() => new Journal('cacheback').on(event as 'hit', () => undefined)).toThrow(
      expect.objectContaining({ code: 'CACHEBACK_UNKNOWN_EVENT' }),
    )
  })
})

test('bypasses are counted by reason', () => {
  const journal = new Journal('cacheback')
  for (const reason of ['cookie', 'method', 'cookie']) journal.noteBypass(reason, () => told)
  expect(journal.bypasses).toEqual({ cookie: 2, method: 1 })
  expect(journal.events.bypass).toBe(3)
})

/** A module that has not warned yet: it does so once per process. */
async function makeJournal(): Promise<Journal> {
  vi.resetModules()
  return new (await import('./journal.ts')).Journal('pages')
}

function bypass(journal: Journal, reasons: readonly (string | undefined)[]): void {
  for (const reason of reasons) {
    journal.noteRequest()
    if (reason !== undefined) journal.noteBypass(reason, () => told)
  }
}

const times = (count: number, reason?: string): (string | undefined)[] => Array.from({ length: count }, () => reason)

describe('the warning that nearly everything bypasses', () => {
  const warnings: unknown[][] = []

  beforeEach(() => {
    warnings.length = 0
    vi.spyOn(process, 'emitWarning').mockImplementation((...args: unknown[]) => void warnings.push(args))
  })

  test('comes once, with a code and what to do', async () => {
    const journal = await makeJournal()
    bypass(journal, times(99, 'cookie'))
    expect(warnings).toEqual([])
    bypass(journal, times(500, 'cookie'))
    expect(warnings).toHaveLength(1)
    const [message, options] = warnings[0]!
    expect(options).toEqual({ type: 'CachebackWarning', code: 'CACHEBACK_MOSTLY_BYPASSED' })
    expect(message).toMatch(/^pages: 100 % .* cookie\. .*cookies: 'ignore'/)
  })

  test.each<[title: string, reasons: (string | undefined)[], count: number]>([
    ['91 of 100', [...times(9), ...times(91, 'cookie')], 1],
    ['90 of 100', [...times(10), ...times(90, 'cookie')], 0],
    ['two reasons', [...times(50, 'credential'), ...times(50, 'cookie')], 0],
    ['a reason that is meant', times(200, 'skip'), 0],
    ['unsafe methods', times(200, 'method'), 0],
    ...['credential', 'override', 'client-certificate', 'http2'].map((reason): [string, string[], number] => [
      reason,
      times(100, reason) as string[],
      1,
    ]),
  ])('%s: %#', async (_, reasons, count) => {
    bypass(await makeJournal(), reasons)
    expect(warnings).toHaveLength(count)
  })
})
