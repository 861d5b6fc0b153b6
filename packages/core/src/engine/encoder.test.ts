import { describe, expect, test, vi } from 'vitest'
import { PARTS } from '../../../../test/support/unit.ts'
import { CODINGS } from '../policy/content-coding.ts'
import { Encoder } from './encoder.ts'
import { StoredResponse } from './stored-response.ts'

const MiB = 1024 * 1024
const FIELDS = ['Content-Type', 'text/plain', 'ETag', '"v1"']

const stored = (bytes: number, byte = 'a'): StoredResponse =>
  new StoredResponse({ ...PARTS, fields: FIELDS, body: Buffer.alloc(bytes, byte) }, 1, true)

const wanted = (): boolean => true
const nothing = (): void => undefined

/** What of these has been looked at, once all is done; nothing is really encoded. */
async function takenOf(responses: readonly StoredResponse[]): Promise<number> {
  const encoder = new Encoder()
  const taken = new Set<StoredResponse>()
  for (const response of responses) {
    const fits = (): boolean => {
      taken.add(response)
      return false
    }
    encoder.add(response, fits, nothing)
  }
  await encoder.idle()
  expect(encoder.isIdle).toBe(true)
  return taken.size
}

describe('what waits', () => {
  test.each([
    ['16 MiB at most', 40, 1, 15],
    ['1000 and the one that is made at most', 1100, 0.002, 1001],
    ['one that is larger than all that may wait is taken where nothing else waits', 3, 20, 1],
  ])('%s', async (_, count, size, taken) => {
    expect(await takenOf(Array.from({ length: count }, () => stored(size * MiB)))).toBe(taken)
  })

  test('has room again when it has been made, wanted or not', async () => {
    const encoder = new Encoder()
    for (let round = 0; round < 3; round += 1) {
      const fits = vi.fn<(bytes: number) => boolean>(() => false)
      for (let i = 0; i < 20; i += 1) encoder.add(stored(MiB), fits, nothing)
      await encoder.idle()
      expect(fits.mock.calls.length).toBe(15 * CODINGS.length)
    }
  })
})

test('a response is made in every coding, once, and each is heard of', async () => {
  const encoder = new Encoder()
  const response = stored(5000)
  const onMade = vi.fn<() => void>()
  encoder.add(response, wanted, onMade)
  encoder.add(response, wanted, onMade)
  await encoder.idle()
  const made = CODINGS.filter((coding) => response.hasCoding(coding))
  expect(made).toEqual(expect.arrayContaining(['br', 'gzip']))
  expect(onMade).toHaveBeenCalledTimes(made.length)
})

test('what another with the same bytes had already is not made again', async () => {
  const encoder = new Encoder()
  const old = stored(5000)
  encoder.add(old, wanted, nothing)
  await encoder.idle()
  const response = stored(5000)
  response.takeForms(old)
  const onMade = vi.fn<() => void>()
  encoder.add(response, wanted, onMade)
  await encoder.idle()
  expect(onMade).not.toHaveBeenCalled()
  const form = response.representationFor('br')
  expect(form.body).toBe(old.representationFor('br').body)
  expect(form.fields).toEqual(expect.arrayContaining(['Content-Encoding', 'br', '"v1-br"']))
  expect(response.size).toBe(old.size)
})

test('a form for which there is no room is not kept, and a smaller one is', async () => {
  const encoder = new Encoder()
  const response = stored(5000)
  const asked: number[] = []
  const fits = (bytes: number): boolean => {
    asked.push(bytes)
    return bytes === 0 || asked.filter((each) => each > 0).length > 1
  }
  encoder.add(response, fits, nothing)
  await encoder.idle()
  expect([response.hasCoding('br'), response.hasCoding('gzip')]).toEqual([false, true])
})

test('a closed encoder takes nothing', async () => {
  const encoder = new Encoder()
  encoder.close()
  const response = stored(5000)
  encoder.add(response, wanted, nothing)
  await encoder.idle()
  expect(response.hasCoding('br')).toBe(false)
})
