import { once } from 'node:events'
import type { Store } from '@cacheback/core'
import { Keyv } from 'keyv'
import { expect } from 'vitest'
import type { Description } from '../support/app.ts'
import { cacheControl, text } from '../support/reply.ts'
import { anyStore, scenario, sharedStore, type Site, type Stage } from '../support/scenario.ts'
import { FakeStore } from '../support/stores.ts'
import { swr } from './attack.ts'
import { forge, FORGERIES, open } from './frames.ts'
import { get, send } from './raw.ts'
import { openRedis, type OpenRedis } from './redis-keys.ts'

// What is stored is not trusted: whatever somebody else has written into the store is a miss (rows 37 and 56 to 63).

/** A store of the cache's, and the same store in the hands of somebody else. */
interface Shelf {
  readonly store: Keyv | Store
  read: (key: string) => Promise<Buffer>
  write: (key: string, frame: Buffer, ttlMs?: number) => Promise<unknown>
}

async function makeShelf(stage: Stage): Promise<Shelf> {
  if (stage.store === 'memory') {
    const store = new FakeStore()
    return {
      store,
      read: async (key) => Buffer.from(store.frames.get(key)!),
      write: async (key, frame) => store.frames.set(key, frame),
    }
  }
  const redis = stage.store === 'redis' ? await openRedis() : undefined
  const store = redis?.keyv ?? new Keyv({ store: new Map() })
  const hand = redis?.other ?? store
  return {
    store,
    read: async (key) => Buffer.from((await hand.get(key)) as Buffer),
    write: (key, frame, ttlMs) => hand.set(key, frame, ttlMs),
  }
}

const pages: Description['routes'] = { '/:name': ({ params }) => text(`page ${params['name']}`, swr) }

/** An app without copies of its own, and the keys of its pages, by name. */
async function serveFrom(stage: Stage, store: Keyv | Store, routes = pages): Promise<{ site: Site; keys: string[] }> {
  const site = await stage.serve({ options: { store, memory: false }, routes })
  const keys: string[] = []
  site.cache.on('store', ({ key }) => keys.push(key))
  return { site, keys }
}

scenario('ENTRY-01', 'whatever is wrong with an entry, it is a miss, and the page is rendered', async (stage) => {
  const shelf = await makeShelf(stage)
  const { site, keys } = await serveFrom(stage, shelf.store)
  const [a, b] = [await send(site, get('/a')), await send(site, get('/b'))]
  const [key, otherKey] = keys as [string, string]
  const [frame, other] = [await shelf.read(key), await shelf.read(otherKey)]
  for (const [title, make, isForeign] of FORGERIES) {
    await shelf.write(key, make(frame, other))
    const before = site.renders()
    const got = await send(site, get('/a'))
    expect(got, title).toMatchObject({
      status: 200,
      text: 'page a',
      headers: { 'content-type': a.headers['content-type'] },
    })
    expect(got.cacheStatus, title).not.toContain('hit')
    expect(got.bytes, title).not.toMatch(/evil/i)
    expect(site.renders(), title).toBe(before + 1)
    const next = await send(site, get('/a'))
    expect(next, title).toMatchObject({ status: 200, text: 'page a' })
    // What is rendered takes the place of what was forged, unless the store has lied about whose it is.
    if (!isForeign) expect(next.cacheStatus, title).toContain('hit')
    expect((await send(site, get('/b'))).text, title).toBe(b.text)
  }
  expect({}).not.toHaveProperty('status')
})

scenario('ENTRY-02', 'entries that have changed places are misses, variants too', async (stage) => {
  const shelf = await makeShelf(stage)
  const { site, keys } = await serveFrom(stage, shelf.store, {
    '/in': ({ headers }) => text(`page in ${String(headers['accept-language'])}`, { ...swr, vary: 'Accept-Language' }),
    '*': ({ url }) => text(`page of ${url}`, swr),
  })
  const requests = [
    get('/a'),
    get('/b'),
    get('/a?x=1'),
    get('/in', 'Accept-Language: de'),
    get('/in', 'Accept-Language: en'),
  ]
  const expected: string[] = []
  for (const request of requests) expected.push((await send(site, request)).text)
  expect(keys.length).toBe(requests.length)
  const places = [...keys]
  const frames = await Promise.all(places.map((key) => shelf.read(key)))
  for (let by = 1; by < places.length; by++) {
    for (const [i, key] of places.entries()) await shelf.write(key, frames[(i + by) % places.length]!)
    for (const [i, request] of requests.entries()) expect((await send(site, request)).text).toBe(expected[i])
  }
})

scenario('ENTRY-03', 'an entry of another version is a miss, and is left alone', async (stage) => {
  const shelf = await makeShelf(stage)
  let isStorable = true
  const { site, keys } = await serveFrom(stage, shelf.store, {
    '/x': ({ n }) => text(`render ${n}`, isStorable ? swr : cacheControl('no-store')),
  })
  await send(site, get('/x'))
  const [key] = keys as [string]
  const { head, body } = open(await shelf.read(key))
  const newer = forge({ ...head, kind: 'response', v: 2 }, body, 'cbk2')
  // Where it would be if the versions did not keep their keys apart; and where it is.
  const elsewhere = key.replace(/~.*/, '~of-another-version')
  for (const place of [key, elsewhere]) await shelf.write(place, newer)
  isStorable = false
  expect((await send(site, get('/x'))).text).toBe('render 2')
  await site.cache.purge({ tag: 'nothing' })
  expect(await shelf.read(key)).toEqual(newer)
  isStorable = true
  stage.clock.advance(200)
  await send(site, get('/x'))
  expect((await send(site, get('/x'))).cacheStatus).toContain('hit')
  await site.cache.purge({ all: true })
  await send(site, get('/x'))
  expect(await shelf.read(elsewhere)).toEqual(newer)
})

scenario('ENTRY-04', 'an entry that never expires in the store is as old as it says', sharedStore, async (stage) => {
  const shelf = await makeShelf(stage)
  const { site, keys } = await serveFrom(stage, shelf.store)
  await send(site, get('/a'))
  const [key] = keys as [string]
  const frame = await shelf.read(key)
  // From a clock that is wrong: nobody knows how old it is, so it is not fresh.
  const { head, body } = open(frame)
  const at = stage.clock.now + 3_600_000
  const freshness = { bornAt: at, freshUntil: at + 10_000, staleUntil: at + 600_000, errorUntil: at }
  await shelf.write(key, forge({ ...head, receivedAt: at, freshness }, body))
  expect((await send(site, get('/a'))).headers['warning']).toContain('110')
  const asOld = async (seconds: number) => {
    await shelf.write(key, frame)
    stage.clock.now += seconds * 1000
    const { headers, cacheStatus } = await send(site, get('/a'))
    return cacheStatus.includes('hit') ? headers['age'] : 'not used'
  }
  expect(await asOld(4)).toBe('4')
  expect(await asOld(7)).toBe('11')
  expect(await asOld(1000)).toBe('not used')
})

scenario('ENTRY-05', 'an entry larger than anything that is stored is no hit', async (stage) => {
  const shelf = await makeShelf(stage)
  const { site, keys } = await serveFrom(stage, shelf.store)
  await send(site, get('/a'))
  const [key] = keys as [string]
  const frame = await shelf.read(key)
  const huge = Buffer.alloc(4 * 1024 * 1024, 'a')
  for (const [title, forged] of [
    ['junk', huge],
    ['a frame', forge({ ...open(frame).head, bodyBytes: huge.length }, huge)],
    ['a head', forge({ ...open(frame).head, junk: huge.toString('latin1', 0, 2_000_000) }, open(frame).body)],
  ] as const) {
    await shelf.write(key, forged)
    const got = await send(site, get('/a'))
    expect([got.status, got.text.slice(0, 20)], title).toEqual([200, 'page a'])
  }
})

const JUNK: unknown[] = [
  'text',
  '',
  7,
  true,
  null,
  [],
  {},
  [1, 2],
  { value: 'x' },
  { type: 'Buffer', data: [1, 2] },
  { head: {}, body: 1 },
  JSON.parse('{"__proto__":{"polluted":true}}'),
  ':base64:!!!!',
  ':base64:',
  'x'.repeat(1_000_000),
]
const JUNK_JSON = [
  '{"value":{"__proto__":{"polluted":true}}}',
  '{"__proto__":{"value":":base64:Y2JrMQ=="}}',
  '{"value":":base64:Y2JrMQ==","expires":"never"}',
  '{"value":":base64:Y2JrMQ==","expires":-1}',
  '{"value":{"type":"Buffer","data":"x"}}',
  '{"value":null}',
  '{"value":',
  '[]',
  'null',
  '\0\x01\x02',
  '',
]

scenario('ENTRY-06', 'whatever else lies under a key of a Keyv is a miss', sharedStore, async (stage) => {
  const redis = stage.store === 'redis' ? await openRedis() : undefined
  const map = new Map<string, unknown>()
  const keyv = redis?.keyv ?? new Keyv({ store: map })
  const { site, keys } = await serveFrom(stage, keyv)
  await send(site, get('/a'))
  const [key] = keys as [string]
  const expectMiss = async (what: unknown): Promise<void> => {
    const got = await send(site, get('/a'))
    expect(got, JSON.stringify(what).slice(0, 60)).toMatchObject({ status: 200, text: 'page a' })
    expect(got.cacheStatus, JSON.stringify(what).slice(0, 60)).not.toContain('hit')
  }
  for (const junk of JUNK) {
    await (redis?.other ?? keyv).set(key, junk)
    await expectMiss(junk)
  }
  const rawKey = redis === undefined ? [...map.keys()].find((one) => one.endsWith(key))! : await rawKeyOf(redis, key)
  for (const json of JUNK_JSON) {
    if (redis === undefined) map.set(rawKey, json)
    else await redis.command('SET', rawKey, json)
    await expectMiss(json)
  }
  expect({}).not.toHaveProperty('polluted')
  expect((await send(site, get('/a'))).cacheStatus).toContain('hit')
})

async function rawKeyOf(redis: OpenRedis, key: string): Promise<string> {
  return (await redis.keys()).find((one) => one.endsWith(key))!
}

const TYPES: [type: string, ...command: string[]][] = [
  ['list', 'LPUSH', 'a', 'b'],
  ['hash', 'HSET', 'value', 'x'],
  ['set', 'SADD', 'a'],
  ['sorted set', 'ZADD', '1', 'a'],
  ['stream', 'XADD', '*', 'value', 'x'],
]
const inRedis = { stores: ['redis'], because: 'is about the types of Redis' } as const

scenario('ENTRY-07', 'a key of another type is a miss, and the next render takes its place', inRedis, async (stage) => {
  const redis = await openRedis()
  const { site, keys } = await serveFrom(stage, redis.keyv)
  await send(site, get('/a'))
  const rawKey = await rawKeyOf(redis, keys[0]!)
  for (const [type, command, ...words] of TYPES) {
    await redis.command('DEL', rawKey)
    await redis.command(command!, rawKey, ...words)
    expect(await send(site, get('/a')), type).toMatchObject({ status: 200, text: 'page a' })
    expect((await send(site, get('/a'))).cacheStatus, type).toContain('hit')
    expect(await redis.command('TYPE', rawKey), type).toBe('string')
  }
  expect(site.cache.stats().breaker).toBe('closed')
})

const MARKS: unknown[] = [
  { number: 'x', soft: false, selector: { kind: 'all' } },
  { number: 1e308, soft: false, selector: { kind: 'all' } },
  { number: 1, soft: 'no', selector: { kind: 'all' } },
  { number: Number.MAX_SAFE_INTEGER, soft: false, selector: { kind: 'tag', name: ['a'] } },
  { number: Number.MAX_SAFE_INTEGER, soft: false, selector: { kind: 'url', path: 7 } },
  { number: Number.MAX_SAFE_INTEGER, soft: false, selector: { kind: '__proto__' } },
  null,
  7,
]

scenario('ENTRY-08', 'a record of purges that is none purges nothing, and purges go on', async (stage) => {
  const shelf = await makeShelf(stage)
  const { site } = await serveFrom(stage, shelf.store)
  const records = [
    Buffer.from('junk'),
    forge({ kind: 'purges', marks: MARKS }, Buffer.alloc(0)),
    forge({ kind: 'purges', marks: 'all' }, Buffer.alloc(0)),
    forge({ kind: 'purges', marks: { length: 3 } }, Buffer.alloc(0)),
    forge('{"kind":"purges","__proto__":{"marks":[]}}', Buffer.alloc(0)),
    forge({ kind: 'purges', marks: [{ number: 9, soft: false, selector: { kind: 'all' } }] }, Buffer.alloc(0), 'cbk2'),
  ]
  for (const [i, record] of records.entries()) {
    await send(site, get(`/${i}`))
    await shelf.write('cacheback::purges', record)
    stage.clock.monotonic += 1500
    expect((await send(site, get(`/${i}`))).cacheStatus, `record ${i}`).toContain('hit')
    await site.cache.purge({ url: `/${i}` })
    expect((await send(site, get(`/${i}`))).cacheStatus, `record ${i}`).not.toContain('hit')
  }
})

scenario('ENTRY-09', 'the answer to another question is not taken for the page', anyStore, async (stage) => {
  /** After one lost reply every later one belongs to the request before. */
  class Shifted extends FakeStore {
    before: Uint8Array | undefined
    override async get(key: string): Promise<Uint8Array | undefined> {
      const frame = await super.get(key)
      const answer = this.before
      this.before = frame
      return answer
    }
  }
  const { site } = await serveFrom(stage, new Shifted())
  for (const name of ['alice', 'bob', 'bob', 'alice', 'carol', 'alice', 'alice', 'bob']) {
    expect(await send(site, get(`/${name}`))).toMatchObject({ status: 200, text: `page ${name}` })
  }
  const visits = ['alice', 'bob', 'carol', 'dave'].map((name) => ({ name, done: site.visit(`/${name}`).done }))
  for (const { name, done } of visits) expect((await done).text).toBe(`page ${name}`)
})

scenario(
  'ENTRY-10',
  'where the store answers with the page of another, its connection is made anew',
  inRedis,
  async (stage) => {
    const redis = await openRedis()
    const { site, keys } = await serveFrom(stage, redis.keyv)
    await send(site, get('/a'))
    await send(site, get('/b'))
    const [a, b] = keys as [string, string]
    await redis.other.set(a, await redis.other.get(b))
    const isReadyAgain = once(redis.client, 'ready')
    for (let visit = 0; visit < 3; visit++) expect((await send(site, get('/a'))).text).toBe('page a')
    await isReadyAgain
    // The breaker may have opened meanwhile; it asks once a second.
    for (let tries = 0; tries < 5; tries++) {
      stage.clock.monotonic += 1500
      expect((await send(site, get('/a'))).text).toBe('page a')
    }
    expect((await send(site, get('/a'))).cacheStatus).toContain('hit')
    expect(site.cache.stats().breaker).toBe('closed')
  },
)

scenario(
  'ENTRY-11',
  'where the record of purges has another type, pages go on and a purge holds in this process',
  inRedis,
  async (stage) => {
    const redis = await openRedis()
    const { site } = await serveFrom(stage, redis.keyv)
    await redis.command('LPUSH', await rawPurgesKeyOf(redis, site), 'a', 'b')
    for (let visit = 0; visit < 8; visit++) {
      stage.clock.monotonic += 1500
      expect(await send(site, get('/a'))).toMatchObject({ status: 200, text: 'page a' })
    }
    expect((await send(site, get('/a'))).cacheStatus).toContain('hit')
    expect(site.cache.stats().breaker).toBe('closed')
    // Nobody else can be told, and the application hears of it.
    await expect(site.cache.purge({ url: '/a' })).rejects.toBeInstanceOf(Error)
    expect((await send(site, get('/a'))).cacheStatus).not.toContain('hit')
    expect((await send(site, get('/a'))).cacheStatus).toContain('hit')
  },
)

/** Where the record lies, which a purge has made; it is taken away. */
async function rawPurgesKeyOf(redis: OpenRedis, site: Site): Promise<string> {
  await site.cache.purge({ tag: 'none' })
  const key = await rawKeyOf(redis, ':purges')
  await redis.command('DEL', key)
  return key
}
