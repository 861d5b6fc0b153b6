import { expect } from 'vitest'
import { hit, STORED } from '../../support/cache-status.ts'
import type { Got } from '../../support/client.ts'
import { raw, type RawHandler, type Reply } from '../../support/reply.ts'
import { scenario, type Stage } from '../../support/scenario.ts'

/** Fields that a cache may add, and those that differ from one exchange to the next anyway. */
const OWN = new Set(['cache-status', 'age', 'date', 'connection', 'keep-alive'])
/** How a body is framed: a stored one has a length, one that is rendered may come in chunks. */
const FRAMING = new Set(['transfer-encoding', 'content-length'])

function fieldsOf({ rawHeaders }: Got, without = OWN): string[] {
  const lines: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    if (!without.has(name)) lines.push(`${name}: ${rawHeaders[i + 1]}`)
  }
  return lines.toSorted()
}

/**
 * The same answer with and without the cache: a miss passes on what the app says, field by field and byte for byte,
 * and the hit repeats it.
 */
async function expectUnchanged({ serve }: Stage, answer: () => Reply): Promise<{ miss: Got; hit: Got }> {
  const site = await serve({ routes: { '/cached': answer, '/plain': { cacheback: false, answer } } })
  const plain = await site.ask('/plain')
  const miss = await site.ask('/cached')
  // The last byte of a file comes to its visitor before the end does; a visitor in between waits for that.
  await site.ask('/cached')
  const again = await site.ask('/cached')
  expect(plain.complete && plain.cacheStatus === undefined).toBe(true)
  expect(miss).toMatchObject({ status: plain.status, reason: plain.reason, complete: true, cacheStatus: STORED })
  expect(miss.body.equals(plain.body)).toBe(true)
  expect(fieldsOf(miss)).toEqual(fieldsOf(plain))
  expect(again).toMatchObject({ status: plain.status, complete: true, cacheStatus: hit(10) })
  expect(again.body.equals(plain.body)).toBe(true)
  const framing = new Set([...OWN, ...FRAMING, 'etag'])
  expect(fieldsOf(again, framing)).toEqual(fieldsOf(plain, framing))
  if (plain.headers['etag'] !== undefined) expect(again.headers['etag']).toBe(plain.headers['etag'])
  expect(site.renders('/cached')).toBe(1)
  return { miss, hit: again }
}

/** Raw answers need the framework only to let go of the response. */
export const unchangedRaw = (id: string, title: string, write: RawHandler): void =>
  scenario(id, title, async (stage) => void (await expectUnchanged(stage, () => raw(write))))

export const unchanged = (id: string, title: string, answer: () => Reply): void =>
  scenario(id, title, async (stage) => void (await expectUnchanged(stage, answer)))
