import { randomUUID } from 'node:crypto'
import type { Address, Membership, NumberedMark, Party } from '@cacheback/core'
import { redisStore } from '@cacheback/redis'
import { createClient } from '@redis/client'
import { expect, inject, onTestFinished, test } from 'vitest'
import { redisCommand, redisKeys } from './redis-command.ts'
import { eventually } from './redis-traffic.ts'

const URL: Address = addressOf('a')
const TEXT = '{"selector":{"kind":"tag","name":"t"},"soft":false}'

function addressOf(name: string, variant = ''): Address {
  const url = `cacheback::example.test/${name}~${name.padEnd(27, 'x')}`
  return { url, entry: variant === '' ? url : `${url}:${variant.padEnd(27, 'v')}` }
}

interface Joined extends Membership {
  readonly purged: NumberedMark[]
  readonly ended: Address[]
  readonly restored: number[]
}

/** The members of one namespace: each has connections of its own. */
function membersOf(prefix = `store-${randomUUID()}:`): () => Promise<Joined> {
  return async () => {
    const socket = { path: inject('redisSocket'), tls: false as const }
    const store = redisStore({ client: createClient({ socket }), prefix })
    await store.ready()
    const heard = { purged: [] as NumberedMark[], ended: [] as Address[], restored: [] as number[] }
    const party: Party = {
      namespace: '1:cacheback::',
      onPurge: (mark) => heard.purged.push(mark),
      onLeaseEnded: (address) => heard.ended.push(address),
      onRestored: () => heard.restored.push(1),
      onConnected: () => undefined,
    }
    const member = store.join(party)
    onTestFinished(async () => {
      await member.leave()
      await store.close?.()
    })
    await eventually('it hears its own beat', 2000, async () => {
      await member.beat()
      return member.hears
    })
    return Object.assign(member, heard)
  }
}

const claim = (member: Membership, address: Address, token: string, known = 0, leaseMs = 2000) =>
  member.claim(address, { token, known, leaseMs })

const put = (
  member: Membership,
  address: Address,
  rank: number,
  text: string,
  more: { token?: string; index?: string } = {},
) =>
  member.put(address, address, {
    token: more.token ?? '',
    rank,
    frame: Buffer.from(text),
    index: more.index === undefined ? undefined : Buffer.from(more.index),
    ttlMs: 60_000,
  })

async function read(member: Membership, { url, entry }: Address): Promise<(string | undefined)[]> {
  const found = await member.read(url, entry === url ? [] : [entry])
  return found.map((frame) => frame && Buffer.from(frame.frame).toString())
}

async function granted(member: Membership, address: Address, known = 0, leaseMs = 0): Promise<number> {
  const claimed = await claim(member, address, randomUUID(), known, leaseMs)
  if (claimed.kind !== 'granted') throw new Error(claimed.kind)
  return claimed.rank
}

test('SHARED-01 a lease is one process’s until it is given back, handed in with a page, or lapses', async () => {
  const join = membersOf()
  const [a, b] = await Promise.all([join(), join()])
  expect(await claim(a, URL, 'mine', 0, 300)).toMatchObject({ kind: 'granted' })
  expect(await claim(b, URL, 'yours')).toMatchObject({ kind: 'busy' })
  // Only its holder can renew it or give it back.
  expect(await b.renew(URL, 'yours', 1000)).toBe(false)
  await b.release(URL, 'yours')
  expect(await claim(b, URL, 'yours')).toMatchObject({ kind: 'busy' })
  expect(await a.renew(URL, 'mine', 300)).toBe(true)
  await a.release(URL, 'mine')
  await eventually('word of it has come', 2000, async () => b.ended.length === 1)
  expect(b.ended).toEqual([URL])
  expect(await claim(b, URL, 'yours', 0, 50)).toMatchObject({ kind: 'granted' })
  await eventually('it lapses', 2000, async () => (await claim(a, URL, 'mine')).kind === 'granted')
})

test('SHARED-02 a page that is handed in ends its lease, and nobody is told where nobody waits', async () => {
  const join = membersOf()
  const [a, b] = await Promise.all([join(), join()])
  const first = await claim(a, URL, 'one')
  const rank = first.kind === 'granted' ? first.rank : 0
  expect(await put(a, URL, rank, 'page', { token: 'one' })).toBe(true)
  expect(await claim(b, URL, 'two')).toEqual({ kind: 'newer', rank })
  expect(await claim(b, URL, 'two', rank)).toEqual({ kind: 'granted', rank: rank + 1 })
  expect([a.ended, b.ended]).toEqual([[], []])
})

test('SHARED-03 whoever begins later has the higher rank, and the lower never replaces it', async () => {
  const join = membersOf()
  const [a, b] = await Promise.all([join(), join()])
  const older = await granted(a, URL)
  const newer = await granted(b, URL)
  expect(newer).toBeGreaterThan(older)
  expect(await put(b, URL, newer, 'newer')).toBe(true)
  expect(await put(a, URL, older, 'older')).toBe(false)
  expect(await read(a, URL)).toEqual(['newer'])
})

test('SHARED-04 without Vary a page competes with all variants, and each variant with itself', async () => {
  const a = await membersOf()()
  const [german, french] = [addressOf('a', 'de'), addressOf('a', 'fr')]
  const [one, two, three] = [await granted(a, URL), await granted(a, URL), await granted(a, URL)]
  expect(await put(a, german, two, 'deutsch', { index: 'list' })).toBe(true)
  expect(await put(a, french, one, 'français', { index: 'list' })).toBe(true)
  expect(await read(a, french)).toEqual(['list', 'français'])
  // Rendered before the German one, after which the URL is known to vary.
  expect(await put(a, URL, one, 'plain')).toBe(false)
  expect(await put(a, URL, three, 'plain')).toBe(true)
  expect(await put(a, german, two, 'again', { index: 'list' })).toBe(false)
  expect(await read(a, german)).toEqual(['plain', 'deutsch'])
})

test('SHARED-05 what is removed stays away from renders that began before', async () => {
  const a = await membersOf()()
  const before = await granted(a, URL)
  const stored = await granted(a, URL)
  expect(await put(a, URL, stored, 'page')).toBe(true)
  // A newer page than the one that was to go stays.
  await a.remove(URL, before)
  expect(await read(a, URL)).toEqual(['page'])
  await a.remove(URL, stored)
  expect(await read(a, URL)).toEqual([undefined])
  expect(await put(a, URL, before, 'late')).toBe(false)
  expect(await put(a, URL, await granted(a, URL), 'new')).toBe(true)
})

test('SHARED-06 a counter that is gone begins above what is known and what is stored', async () => {
  const a = await membersOf()()
  const far = Date.now() + 1_000_000_000
  expect(await put(a, URL, far, 'from afar')).toBe(true)
  const orders = (await redisKeys(inject('redisSocket'))).filter((key) => key.includes(`{${'a'.padEnd(27, 'x')}}order`))
  for (const key of orders) await redisCommand(inject('redisSocket'), ['DEL', key])
  expect(await granted(a, URL)).toBe(far + 1)
  expect(await granted(a, URL, far + 50)).toBe(far + 51)
})

test('SHARED-07 a render whose rank nobody knows is stored only where nothing is', async () => {
  const a = await membersOf()()
  expect(await put(a, URL, 0, 'first')).toBe(true)
  expect(await put(a, URL, 0, 'second')).toBe(false)
  expect(await put(a, URL, await granted(a, URL), 'third')).toBe(true)
})

test('SHARED-08 purges are numbered, each says which was before it, and it is acknowledged by everybody who is alive', async () => {
  const join = membersOf()
  const [a, b, c] = await Promise.all([join(), join(), join()])
  const first = await a.purge(TEXT, 0, false)
  expect(await first.acknowledged).toEqual({ acknowledged: 3, missing: 0 })
  const second = await b.purge(TEXT, 0, false)
  expect(second.number).toBeGreaterThan(first.number)
  expect(second.previous).toBe(first.number)
  await second.acknowledged
  expect(c.purged.map(({ number }) => number)).toEqual([first.number, second.number])
  expect(a.purged.map(({ number }) => number)).toEqual([second.number])
  // At least the time of Redis: whatever it loses, it does not begin to count below what it has said.
  expect(first.number).toBeGreaterThan(Date.now() - 60_000)
  expect(await c.purgesSince(0)).toMatchObject({
    latest: second.number,
    marks: [{ number: second.number, selector: TEXT }],
  })
  expect((await c.purgesSince(second.number)).marks).toEqual([])
  // Far ahead, because that is what one process has seen before the store was restored.
  expect((await a.purge(TEXT, first.number + 1e9, false)).number).toBe(first.number + 1e9 + 1)
})

test('SHARED-09 a process that has left, or died, is not waited for', async () => {
  const join = membersOf()
  const [a, b, c] = await Promise.all([join(), join(), join()])
  await b.leave()
  expect(await (await a.purge(TEXT, 0, false)).acknowledged).toEqual({ acknowledged: 2, missing: 0 })
  expect((await c.beat()).processes).toBe(2)
})

test('SHARED-10 ten thousand purges are kept; more become one of everything older', async () => {
  const a = await membersOf()()
  const texts = Array.from({ length: 10_050 }, (_, i) => `{"selector":{"kind":"tag","name":"t${i}"},"soft":false}`)
  for (let i = 0; i < texts.length; i += 150) {
    await Promise.all(texts.slice(i, i + 150).map((text) => a.purge(text, 0, false)))
  }
  const { marks, latest } = await a.purgesSince(0)
  expect(marks.length).toBeLessThanOrEqual(10_001)
  expect(marks[0]).toMatchObject({ selector: '{"selector":{"kind":"all"},"soft":false}' })
  expect(marks[1]).toMatchObject({ selector: texts[1000] })
  expect(marks[0]!.number).toBeLessThan(marks[1]!.number)
  expect(marks.at(-1)).toMatchObject({ number: latest, selector: texts.at(-1) })
})

test('SHARED-11 of purges by unsafe requests a thousand are kept, and the oldest go', async () => {
  const a = await membersOf()()
  for (let i = 0; i < 1010; i++)
    await a.purge(`{"selector":{"kind":"url","path":"/${i}"},"soft":false,"unsafe":true}`, 0, true)
  const { marks } = await a.purgesSince(0)
  expect(marks.length).toBeGreaterThanOrEqual(900)
  expect(marks.length).toBeLessThanOrEqual(1000)
  expect(marks.some(({ selector }) => selector.includes('"all"'))).toBe(false)
})

test('SHARED-12 purges that were lost are told again, and everybody is told to read them', async () => {
  const join = membersOf()
  const [a, b] = await Promise.all([join(), join()])
  await a.restore([{ number: 41, selector: TEXT }], 45)
  expect(await a.beat()).toMatchObject({ latest: 46, restoredAt: 46 })
  await eventually('word of it has come', 2000, async () => b.restored.length === 1)
  expect((await b.purgesSince(0)).marks).toMatchObject([{ number: 41, selector: TEXT }])
})

test('SHARED-13 every key has an expiry, the prefix, and one slot for a URL', async () => {
  const a = await membersOf('slots:')()
  const variant = addressOf('slots', 'de')
  const claimed = await claim(a, variant, 'held')
  await put(a, variant, claimed.kind === 'granted' ? claimed.rank : 0, 'page', { index: 'list' })
  await claim(a, addressOf('slots', 'fr'), 'held')
  await a.purge(TEXT, 0, false)
  await a.purge(TEXT, 0, true)
  const socket = inject('redisSocket')
  const tag = 'slots'.padEnd(27, 'x')
  const keys = (await redisKeys(socket)).filter((key) => key.startsWith('slots:'))
  expect(keys.filter((key) => key.includes(tag)).map((key) => /\{(.*?)\}/.exec(key)?.[1])).toEqual([
    tag,
    tag,
    tag,
    tag,
    tag,
  ])
  for (const key of keys) expect(Number(await redisCommand(socket, ['PTTL', key])), key).toBeGreaterThan(0)
})

test('SHARED-14 what others have written under our keys is nothing of ours, and no error but a miss', async () => {
  const a = await membersOf('foreign:')()
  const key = `foreign:${URL.url.replace(/~(.*)/, '~{$1}')}`
  expect(await put(a, URL, 5, 'page')).toBe(true)
  expect(await redisKeys(inject('redisSocket'))).toContain(key)
  const digits = '5'.padStart(16, '0')
  const junks = [
    '',
    'x',
    'r123',
    'rABCDEFGHIJKLMNOPage',
    `r${'5'.padStart(16)}page`,
    `v${digits}`,
    `v${digits}${'5'.padStart(16)}`,
  ]
  for (const junk of [...junks, `r${'9'.repeat(16)}page`]) {
    await redisCommand(inject('redisSocket'), ['SET', key, junk])
    expect(await a.read(URL.url, []), junk).toEqual([undefined])
  }
  await redisCommand(inject('redisSocket'), ['DEL', key])
  await redisCommand(inject('redisSocket'), ['LPUSH', key, 'x'])
  expect(await a.read(URL.url, [])).toEqual([undefined])
})

test('SHARED-15 where others have written something of another type under our keys, it goes, and all works again', async () => {
  const a = await membersOf('spoilt:')()
  const socket = inject('redisSocket')
  const rank = await granted(a, URL)
  await put(a, URL, rank, 'page')
  await claim(a, URL, 'held', rank)
  await (
    await a.purge(TEXT, 0, false)
  ).acknowledged
  await (
    await a.purge(TEXT, 0, true)
  ).acknowledged
  const keys = (await redisKeys(socket)).filter((key) => key.startsWith('spoilt:'))
  // The page, order, lease; state, both kinds of purges, who is alive.
  expect(keys).toHaveLength(7)
  for (const key of keys) {
    await redisCommand(socket, ['DEL', key])
    await redisCommand(socket, ['SADD', key, 'junk'])
  }
  expect(await read(a, URL)).toEqual([undefined])
  const again = await granted(a, URL, rank, 2000)
  expect(await put(a, URL, again, 'again')).toBe(true)
  expect(await read(a, URL)).toEqual(['again'])
  await a.remove(URL, again)
  expect((await a.beat()).processes).toBe(1)
  expect(await (await a.purge(TEXT, 0, false)).acknowledged).toEqual({ acknowledged: 1, missing: 0 })
  expect((await a.purgesSince(0)).marks).toHaveLength(1)
})
